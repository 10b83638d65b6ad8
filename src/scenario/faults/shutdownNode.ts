/** shutdownNode(...): nodes that go down in order. */
import type { ShutdownNodeSpec } from "../../faults/shutdownNode.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { drawNode, nodeTargets, type NodesInput } from "./hostTargets.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface ShutdownNodeInput extends SpanInput {
  nodes: NodesInput;
}

/**
 * Shuts nodes down: where profile.kubernetes.kubelet.shutdownGracePeriod is set the kubelets end their pods first. With
 * `for` or `until` the nodes boot again then.
 */
export const shutdownNode: FaultWord<"shutdownNode", ShutdownNodeInput, ShutdownNodeSpec> =
  faultWord("shutdownNode", {
    targets: nodeTargets,
    options: spanFields,
    chaos: (draw) => drawNode(draw, 1000, 30_000),
    resolve: (written, { hosts }, mistakes) => ({
      kind: "shutdownNode",
      ...resolveSpan(written, mistakes),
      nodes: hosts(written.nodes, "nodes"),
    }),
  });
