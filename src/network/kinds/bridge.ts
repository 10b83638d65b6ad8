/**
 * A bridge on each host and plain routes between them: CNI's bridge plugin with host-local, as
 * flannel's host-gw back end sets it up.
 *
 * Owns: routes, veth pairs and addresses of that kind. Not modelled: the few milliseconds of CNI's
 * own work (the kubelet charges them) and the gateway's ARP for a new veth.
 */
import { parsePrefix } from "../address.ts";
import type { Host, Namespace } from "../host.ts";
import { HostLocalAllocator } from "../ipam/hostLocal.ts";
import type { Guest, GuestHost, GuestNetwork, NetworkKind } from "./contract.ts";

type Parts = Parameters<NetworkKind["install"]>[0];

/** Who gives each host's guests their addresses. */
interface AddressRange {
  allocate(): bigint | null;
  release(address: bigint): void;
}

/** Guests behind each host's bridge, whatever the routes between the hosts. */
export class BridgeNetwork implements GuestNetwork {
  readonly #parts: Parts;
  readonly #ranges = new Map<number, AddressRange>();
  readonly #allocated = new Map<number, bigint>();
  readonly #namespaceFor: (name: string, host: Host) => Namespace;

  /** @param namespaceFor the namespace of a new guest, with its link */
  constructor(
    parts: Parts,
    rangeOf: (cidr: string) => AddressRange,
    namespaceFor = (name: string, host: Host): Namespace => parts.network.addGuest(name, host),
  ) {
    this.#parts = parts;
    this.#namespaceFor = namespaceFor;
    for (const { host, cidr } of parts.hosts) this.#ranges.set(host.index, rangeOf(cidr));
  }

  add(hostIndex: number, name: string): Guest | null {
    const { network, stack } = this.#parts;
    const host = network.hosts[hostIndex]!;
    const value = this.#ranges.get(hostIndex)!.allocate();
    if (value === null) return null;
    const address = network.addresses.internValue(4, value);
    const namespace = this.#namespaceFor(name, host);
    namespace.addresses.add(address);
    host.plug(namespace, namespace.link!, address);
    stack.resolved(host, address);
    this.#allocated.set(namespace.index, value);
    return { namespace: namespace.index, node: hostIndex, addresses: [address] };
  }

  del(guest: Guest): void {
    const { network, transport } = this.#parts;
    const value = this.#allocated.get(guest.namespace);
    if (value === undefined) return;
    this.#allocated.delete(guest.namespace);
    for (const address of guest.addresses) network.hosts[guest.node]!.unplug(address);
    transport.closeNamespace(network.namespaces[guest.namespace]!);
    this.#ranges.get(guest.node)!.release(value);
  }
}

export const bridgeHostGw: NetworkKind = {
  install(parts) {
    routeBetween(parts.hosts);
    return new BridgeNetwork(parts, (cidr) => new HostLocalAllocator(cidr));
  },
};

function routeBetween(hosts: readonly GuestHost[]): void {
  const prefixes = hosts.map(({ cidr }) => parsePrefix(cidr));
  for (const [i, { host }] of hosts.entries()) {
    for (const [j, target] of hosts.entries()) {
      const to = i === j ? "bridge" : target.host.index;
      host.addRoute({ prefix: prefixes[j]!, to });
    }
  }
}
