/** Empties the connection tracking of hosts, as `conntrack -F` does: the next packet of every connection is a first one. */
import { Phase, type SimTimeNs } from "../engine/index.ts";
import type { FaultScheduler } from "./contract.ts";
import { hostsOf, type HostGroup } from "./hosts.ts";

export interface FlushConntrackSpec {
  readonly kind: "flushConntrack";
  readonly hosts: HostGroup;
  readonly atNs: SimTimeNs;
}

export const flushConntrack: FaultScheduler<FlushConntrackSpec> = (spec, context) => {
  const { sim, observations } = context;
  sim.callAt(spec.atNs, Phase.start, () => {
    observations.event(sim.nowNs, "fault", `host/${spec.hosts.text}`, spec.kind);
    for (const { conntrack } of hostsOf(spec.hosts, context)) conntrack?.flush();
  });
};
