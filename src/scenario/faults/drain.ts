/** drain(...): nodes are emptied. */
import type { DrainSpec } from "../../faults/drain.ts";
import type { Duration } from "../language/scenario.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { drawNode, struckNodes, struckTargets, type StruckNodesInput } from "./hostTargets.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface DrainInput extends SpanInput, StruckNodesInput {
  /** Default: each pod's own. */
  gracePeriod?: Duration;
}

/** kubectl drain; with `for` or `until` kubectl uncordon then. */
export const drain: FaultWord<"drain", DrainInput, DrainSpec> = faultWord("drain", {
  targets: struckTargets,
  options: (words) => ({ ...spanFields(words), gracePeriod: words.duration.optional() }),
  chaos: (draw) => drawNode(draw, 500, 60_000),
  resolve: (written, surroundings, mistakes) => {
    const nodes = struckNodes(written, surroundings);
    if (nodes === null) return null;
    const gracePeriodNs = written.gracePeriod ?? null;
    return { kind: "drain", ...resolveSpan(written, mistakes), nodes, gracePeriodNs };
  },
});
