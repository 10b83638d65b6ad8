/**
 * Which UDP flows a sync takes out of conntrack, because their endpoint no longer serves.
 *
 * Owns: the decision, entry by entry. Refuses to own: listing and deleting entries (network/conntrack.ts),
 * and when that happens. Source: pkg/proxy/conntrack/cleanup.go; rules of kube-proxy, section 13.
 */
import { NO_ADDRESS, type AddressId, type AddressTable } from "../../network/address.ts";
import type { ConntrackEntry } from "../../network/conntrack.ts";
import { TransportProtocol } from "../../network/nat.ts";
import type { ServicePortRules } from "./rules.ts";

/** A conntrack entry, as far as the clean-up reads it. */
export type TrackedFlow = Pick<
  ConntrackEntry,
  "protocol" | "originalDestination" | "originalDestinationPort" | "replySource"
>;

/** The UDP Services of a node at the end of a sync, ready to judge entries. */
export class FlowCleaner {
  readonly #byAddress = new Map<string, ReadonlySet<AddressId>>();
  readonly #byNodePort = new Map<string, ReadonlySet<AddressId>>();
  readonly #addresses: AddressTable;

  constructor(rules: Iterable<ServicePortRules>, addresses: AddressTable) {
    this.#addresses = addresses;
    for (const each of rules) {
      // A Service that nobody serves is left alone: its flows may yet find their endpoint again.
      if (each.protocol !== TransportProtocol.UDP || each.serving.length === 0) continue;
      const serving = new Set(each.serving);
      for (const address of [each.clusterIP, ...each.externalIPs, ...each.loadBalancerVIPs]) {
        this.#byAddress.set(`${address} ${each.port}`, serving);
      }
      // Each family has a node port of that number, with endpoints of its own.
      const { family, nodePort } = each;
      if (nodePort !== null) this.#byNodePort.set(`${family} ${nodePort}`, serving);
    }
  }

  /** Whether the entry holds a flow to what serves it no longer. TCP and SCTP never are. */
  isStale(flow: TrackedFlow): boolean {
    const { protocol, originalDestination, originalDestinationPort, replySource } = flow;
    if (protocol !== TransportProtocol.UDP) return false;
    const serving =
      (originalDestination === NO_ADDRESS
        ? undefined
        : this.#byAddress.get(`${originalDestination} ${originalDestinationPort}`)) ??
      this.#byNodePort.get(`${this.#addresses.family(replySource)} ${originalDestinationPort}`);
    return serving !== undefined && !serving.has(replySource);
  }
}
