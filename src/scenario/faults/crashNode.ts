/** crashNode(...): nodes without power. */
import type { CrashNodeSpec } from "../../faults/crashNode.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { drawNode, nodeTargets, type NodesInput } from "./hostTargets.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface CrashNodeInput extends SpanInput {
  nodes: NodesInput;
}

/** Takes nodes' power away; with `for` or `until` they boot again then. */
export const crashNode: FaultWord<"crashNode", CrashNodeInput, CrashNodeSpec> = faultWord(
  "crashNode",
  {
    targets: nodeTargets,
    options: spanFields,
    chaos: (draw) => drawNode(draw, 1000, 30_000),
    resolve: (written, { hosts }, mistakes) => ({
      kind: "crashNode",
      ...resolveSpan(written, mistakes),
      nodes: hosts(written.nodes, "nodes"),
    }),
  },
);
