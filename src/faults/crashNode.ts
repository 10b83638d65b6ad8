/**
 * Nodes lose their power for a while, or for good.
 *
 * Owns: which and when. What they held in memory is gone: sockets, connection tracking, rules, processes. With power
 * they boot: the kubelet finds its pods and gives each a new sandbox, kube-proxy writes its rules. Booting itself
 * takes no time: give it to `for`.
 */
import type { Host } from "../network/host.ts";
import type { FaultContext, FaultScheduler } from "./contract.ts";
import { hostsOf } from "./hosts.ts";
import { during, type Span } from "./span.ts";
import { onNodes, type StruckNodes } from "./struckNodes.ts";

export interface CrashNodeSpec extends Span {
  readonly kind: "crashNode";
  readonly nodes: StruckNodes;
}

export const crashNode: FaultScheduler<CrashNodeSpec> = (spec, context, name) => {
  onNodes(spec, context, name, (group) =>
    during(context, spec, { kind: spec.kind, object: `node/${group.text}` }, () =>
      powerOff(hostsOf(group, context), context),
    ),
  );
};

/** @returns what gives the power back */
export function powerOff(hosts: readonly Host[], { machines }: FaultContext): () => void {
  const ends = hosts.map((host) => machines.powerOff(host));
  return () => {
    for (const end of ends) end();
  };
}
