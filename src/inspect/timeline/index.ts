/**
 * `sim timeline`: the lives that were asked for, and their formats.
 *
 * Owns: which pods a pattern means, and the table of formats.
 */
import { nearest, optionMistake, UserError } from "../../scenario/index.ts";
import type { ResolvedScenario } from "../../scenario/resolved.ts";
import { PodLives } from "./lives.ts";
import type { Timeline } from "./record.ts";
import { timelineText } from "./text.ts";

export { PodLives } from "./lives.ts";

export const timelineFormats = {
  text: timelineText,
  json: (timeline: Timeline): string => `${JSON.stringify(timeline, null, 2)}\n`,
} as const;

export type TimelineFormat = keyof typeof timelineFormats;

const POD_ALLOWED = '"NAME" or "NAMESPACE/NAME", each with * for any characters';

/**
 * The lives of the pods that match.
 * @param pattern a name in the namespace default, or "namespace/name"; * is any characters
 * @throws UserError when the run has had no such pod
 */
export function timelineOf(
  lives: PodLives,
  { name, seed }: ResolvedScenario,
  untilNs: number,
  pattern: string,
): Timeline {
  const all = lives.lives();
  const wanted = matcher(pattern.replace(/^pod\//, ""));
  const pods = all.filter(({ pod }) => wanted.test(pod));
  if (pods.length > 0) return { scenario: name, seed, untilNs, pods };
  const names = [...new Set(all.map(({ pod }) => pod.replace(/^default\//, "")))];
  const shown = names.length > 12 ? [...names.slice(0, 12), "..."] : names;
  const known = names.length === 0 ? "the run has no pod" : `there are ${shown.join(", ")}`;
  const found = `no pod ${JSON.stringify(pattern.slice(0, 80))}`;
  throw new UserError([
    optionMistake("--pod", found, `${POD_ALLOWED}; ${known}`, nearest(pattern, names)),
  ]);
}

function matcher(pattern: string): RegExp {
  const whole = pattern.includes("/") ? pattern : `default/${pattern}`;
  const parts = whole.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`);
}
