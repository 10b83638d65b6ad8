/** The field `chaos` of a scenario. */
import type { z } from "zod";
import { chaosKinds, type FaultKind } from "../faults/index.ts";
import type { FileMistakes } from "../mistakes.ts";
import { duration, list, number, object, positiveDuration, read, scalar, word } from "./reading.ts";

const kinds = list(word(...(chaosKinds as [FaultKind, ...FaultKind[]])), 1);

const chaos = object({
  seed: scalar("text or a whole number", (input) =>
    typeof input === "string" || Number.isSafeInteger(input) ? { value: String(input) } : null,
  ).optional(),
  rate: number("faults a minute, above 0", (n) => n > 0),
  kinds: kinds.default([...chaosKinds]),
  start: duration.default(0),
  stop: positiveDuration.optional(),
});

export type ChaosPart = z.output<typeof chaos>;

/** undefined where there is none, and after mistakes. */
export function readChaos(input: unknown, mistakes: FileMistakes): ChaosPart | undefined {
  return input === undefined ? undefined : read(chaos, input, mistakes, ["chaos"]);
}
