/** freezeNode(...): nodes that stand still. */
import type { FreezeNodeSpec } from "../../faults/freezeNode.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { drawNode, nodeTargets, type NodesInput } from "./hostTargets.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface FreezeNodeInput extends SpanInput {
  nodes: NodesInput;
}

/** Stops nodes' CPUs, as a hypervisor does that pauses a virtual machine. */
export const freezeNode: FaultWord<"freezeNode", FreezeNodeInput, FreezeNodeSpec> = faultWord(
  "freezeNode",
  {
    targets: nodeTargets,
    options: spanFields,
    chaos: (draw) => drawNode(draw, 50, 20_000),
    resolve: (written, { hosts }, mistakes) => ({
      kind: "freezeNode",
      ...resolveSpan(written, mistakes),
      nodes: hosts(written.nodes, "nodes"),
    }),
  },
);
