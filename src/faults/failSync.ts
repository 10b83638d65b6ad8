/** kube-proxies whose syncs fail for a while: iptables-restore or the transaction returns an error, and the old rules stay. */
import type { FaultScheduler } from "./contract.ts";
import { hostsOf, type HostGroup } from "./hosts.ts";
import { during, type Span } from "./span.ts";

export interface FailSyncSpec extends Span {
  readonly kind: "failSync";
  readonly nodes: HostGroup;
}

export const failSync: FaultScheduler<FailSyncSpec> = (spec, context) => {
  during(context, spec, { kind: spec.kind, object: `node/${spec.nodes.text}` }, () => {
    for (const { name } of hostsOf(spec.nodes, context)) {
      context.kubeProxies.get(name)!.breakSyncsUntil(spec.endNs ?? Infinity);
    }
    // Nobody tells the proxies that it is over: their next try finds out.
    return () => {};
  });
};
