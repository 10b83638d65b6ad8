/** Hosts as a fault names them: nodes, Docker hosts, and all that stand outside. */
import type { Host } from "../network/host.ts";
import type { FaultContext } from "./contract.ts";

export interface HostGroup {
  readonly names: readonly string[];
  /** Clients' hosts outside and load balancers, however many there are when the fault begins. */
  readonly outside: boolean;
  /** As the author named them. */
  readonly text: string;
}

export function hostsOf(group: HostGroup, context: FaultContext): Host[] {
  const { network, inside } = context;
  return network.hosts.filter(({ name }) =>
    inside.has(name) ? group.names.includes(name) : group.outside,
  );
}

/** The hosts of the other side: those named, or all but `here`. */
export function othersOf(
  group: HostGroup | null,
  here: readonly Host[],
  context: FaultContext,
): Host[] {
  if (group !== null) return hostsOf(group, context);
  return context.network.hosts.filter((host) => !here.includes(host));
}

/** "node-1", or "node-1 to zone/b": the event log's word for a line. */
export function lineText(from: HostGroup, to: HostGroup | null): string {
  return to === null ? `host/${from.text}` : `host/${from.text} to ${to.text}`;
}
