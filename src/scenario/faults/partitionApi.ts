/** partitionApi(...): nodes that lose the API server and nothing else. */
import type { NodeComponent, PartitionApiSpec } from "../../faults/partitionApi.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { drawNode, nodeTargets, type NodesInput } from "./hostTargets.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface PartitionApiInput extends SpanInput {
  nodes: NodesInput;
  /** Default: both. */
  components?: NodeComponent[];
}

/** Cuts nodes' kubelets and kube-proxies off from the API server; packets of applications go on. */
export const partitionApi: FaultWord<"partitionApi", PartitionApiInput, PartitionApiSpec> =
  faultWord("partitionApi", {
    targets: nodeTargets,
    options: (words) => ({
      ...spanFields(words),
      components: words
        .list(words.word("kubelet", "kube-proxy"), 1)
        .default(["kubelet", "kube-proxy"]),
    }),
    chaos: (draw) => {
      const node = drawNode(draw, 100, 60_000);
      return (
        node && {
          ...node,
          components: draw.pick([
            ["kubelet"],
            ["kube-proxy"],
            ["kubelet", "kube-proxy"],
          ] as NodeComponent[][]),
        }
      );
    },
    resolve: (written, { hosts }, mistakes) => ({
      kind: "partitionApi",
      ...resolveSpan(written, mistakes),
      nodes: hosts(written.nodes, "nodes"),
      components: [...new Set(written.components)],
    }),
  });
