/**
 * A zone is gone for a while: its nodes have no power, or nothing outside of it is reached.
 *
 * Owns: both at one instant for all of them. Without a network they also lose the API server, which is in no zone of
 * the cluster's.
 */
import type { FaultScheduler } from "./contract.ts";
import { powerOff } from "./crashNode.ts";
import { hostsOf, othersOf, type HostGroup } from "./hosts.ts";
import { cutOffApi } from "./partitionApi.ts";
import { cutLines } from "./partition.ts";
import { during, type Span } from "./span.ts";

export interface ZoneOutageSpec extends Span {
  readonly kind: "zoneOutage";
  /** Its nodes. */
  readonly nodes: HostGroup;
  readonly zone: string;
  readonly how: "power" | "network";
}

export const zoneOutage: FaultScheduler<ZoneOutageSpec> = (spec, context) => {
  during(context, spec, { kind: spec.kind, object: `zone/${spec.zone}` }, () => {
    const nodes = hostsOf(spec.nodes, context);
    if (spec.how === "power") return powerOff(nodes, context);
    const mend = cutLines(nodes, othersOf(null, nodes, context), false, context);
    const reconnect = cutOffApi(nodes, ["kubelet", "kube-proxy"], context);
    return () => {
      mend();
      reconnect();
    };
  });
};
