/** slowApi(...): writes that take several times as long. */
import type { SlowApiSpec } from "../../faults/slowApi.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { noTargets } from "./noTargets.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface SlowApiInput extends SpanInput {
  /** How many times as long. */
  factor: number;
}

/** Makes writes to the API server slow. */
export const slowApi: FaultWord<"slowApi", SlowApiInput, SlowApiSpec> = faultWord("slowApi", {
  targets: noTargets,
  options: (words) => ({
    ...spanFields(words),
    factor: words.number("a number from 1 to 100000", (n) => n >= 1 && n <= 100_000),
  }),
  chaos: ({ below, between }) => ({ factor: 2 + below(200), for: between(100, 30_000) }),
  resolve: (written, _surroundings, mistakes) => ({
    kind: "slowApi",
    ...resolveSpan(written, mistakes),
    factor: written.factor,
  }),
});
