/**
 * A pod's life for people: one line a stage, with the time since the one before.
 *
 * Owns: this look.
 */
import { duration, printable } from "../../output/index.ts";
import { formatDuration } from "../../scenario/units.ts";
import type { LifeStep, PodLife, Timeline } from "./record.ts";

const TIME_WIDTH = 14;
const SINCE_WIDTH = 10;
const STAGE_WIDTH = 27;

export function timelineText(timeline: Timeline): string {
  const { scenario, seed, untilNs, pods } = timeline;
  const lines = pods.flatMap((life) => [...lifeLines(life), ""]);
  const head = `Until ${formatDuration(untilNs)} (${scenario}, seed ${seed})`;
  return [head, "", ...lines.slice(0, -1)].map((line) => `${printable(line)}\n`).join("");
}

function lifeLines({ pod, node, endpoints, steps }: PodLife): string[] {
  const backs = endpoints.map(({ service, endpoint }) => `${endpoint} of ${service}`);
  const where = node === "" ? "" : ` on ${node}`;
  const head = `pod/${pod}${where}${backs.length === 0 ? "" : `: ${backs.join(", ")}`}`;
  return [head, ...steps.map((step, i) => stepLine(step, steps[i - 1]))];
}

function stepLine({ atNs, stage, detail }: LifeStep, previous: LifeStep | undefined): string {
  const since = previous === undefined ? "" : `+${duration(atNs - previous.atNs)}`;
  const time = `${(atNs / 1e9).toFixed(6)} s`;
  const cells = [time.padStart(TIME_WIDTH), since.padStart(SINCE_WIDTH), stage.padEnd(STAGE_WIDTH)];
  return `${cells.join("  ")}  ${detail}`.trimEnd();
}
