/**
 * Nodes are shut down in order: kubelets that are configured for it end their pods first.
 *
 * Owns: which and when. What a kubelet does is its own affair (kubernetes/kubelet/shutdown.ts), and what becomes of a
 * machine without power that of crashNode.
 */
import type { FaultScheduler } from "./contract.ts";
import { hostsOf, type HostGroup } from "./hosts.ts";
import { during, type Span } from "./span.ts";

export interface ShutdownNodeSpec extends Span {
  readonly kind: "shutdownNode";
  readonly nodes: HostGroup;
}

export const shutdownNode: FaultScheduler<ShutdownNodeSpec> = (spec, context) => {
  during(context, spec, { kind: spec.kind, object: `node/${spec.nodes.text}` }, () => {
    const ends = hostsOf(spec.nodes, context).map((host) => context.machines.shutDown(host));
    return () => {
      for (const end of ends) end();
    };
  });
};
