/** stopKubeProxy(...): kube-proxies that do not run. */
import type { StopKubeProxySpec } from "../../faults/stopKubeProxy.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { drawNode, nodeTargets, type NodesInput } from "./hostTargets.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface StopKubeProxyInput extends SpanInput {
  nodes: NodesInput;
}

/** Ends kube-proxy on nodes; its rules stay. With `for` or `until` a new one starts then. */
export const stopKubeProxy: FaultWord<"stopKubeProxy", StopKubeProxyInput, StopKubeProxySpec> =
  faultWord("stopKubeProxy", {
    targets: nodeTargets,
    options: spanFields,
    chaos: (draw) => drawNode(draw, 100, 20_000),
    resolve: (written, { hosts }, mistakes) => ({
      kind: "stopKubeProxy",
      ...resolveSpan(written, mistakes),
      nodes: hosts(written.nodes, "nodes"),
    }),
  });
