/** drain(...): nodes are emptied. */
import type { DrainSpec } from "../../faults/drain.ts";
import type { Duration } from "../language/scenario.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { drawNode, nodeTargets, type NodesInput } from "./hostTargets.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface DrainInput extends SpanInput {
  nodes: NodesInput;
  /** Default: each pod's own. */
  gracePeriod?: Duration;
}

/** kubectl drain; with `for` or `until` kubectl uncordon then. */
export const drain: FaultWord<"drain", DrainInput, DrainSpec> = faultWord("drain", {
  targets: nodeTargets,
  options: (words) => ({ ...spanFields(words), gracePeriod: words.duration.optional() }),
  chaos: (draw) => drawNode(draw, 500, 60_000),
  resolve: (written, { hosts }, mistakes) => ({
    kind: "drain",
    ...resolveSpan(written, mistakes),
    nodes: hosts(written.nodes, "nodes"),
    gracePeriodNs: written.gracePeriod ?? null,
  }),
});
