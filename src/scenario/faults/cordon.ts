/** cordon(...): nodes that get no new pods. */
import type { CordonSpec } from "../../faults/cordon.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { drawNode, nodeTargets, type NodesInput } from "./hostTargets.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface CordonInput extends SpanInput {
  nodes: NodesInput;
}

/** kubectl cordon; with `for` or `until` kubectl uncordon then. */
export const cordon: FaultWord<"cordon", CordonInput, CordonSpec> = faultWord("cordon", {
  targets: nodeTargets,
  options: spanFields,
  chaos: (draw) => drawNode(draw, 500, 30_000),
  resolve: (written, { hosts }, mistakes) => ({
    kind: "cordon",
    ...resolveSpan(written, mistakes),
    nodes: hosts(written.nodes, "nodes"),
  }),
});
