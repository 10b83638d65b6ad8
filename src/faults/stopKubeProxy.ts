/** kube-proxy of nodes does not run for a while: its rules stay as they are, and a new one writes them all anew. */
import type { FaultScheduler } from "./contract.ts";
import { hostsOf, type HostGroup } from "./hosts.ts";
import { during, type Span } from "./span.ts";

export interface StopKubeProxySpec extends Span {
  readonly kind: "stopKubeProxy";
  readonly nodes: HostGroup;
}

export const stopKubeProxy: FaultScheduler<StopKubeProxySpec> = (spec, context) => {
  during(context, spec, { kind: spec.kind, object: `node/${spec.nodes.text}` }, () => {
    const proxies = hostsOf(spec.nodes, context).map(({ name }) => context.kubeProxies.get(name)!);
    for (const proxy of proxies) proxy.stop();
    return () => {
      for (const proxy of proxies) proxy.start();
    };
  });
};
