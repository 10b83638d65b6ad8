/**
 * A bridge on each host and plain routes between them: CNI's bridge plugin with host-local, as
 * flannel's host-gw back end sets it up.
 *
 * Owns: routes, veth pairs and addresses of that kind. Not modelled: the few milliseconds of CNI's
 * own work (the kubelet charges them) and the gateway's ARP for a new veth.
 */
import { parsePrefix } from "../address.ts";
import { HostLocalAllocator } from "../ipam/hostLocal.ts";
import type { Guest, GuestHost, GuestNetwork, NetworkKind } from "./contract.ts";

type Parts = Parameters<NetworkKind["install"]>[0];

class BridgeNetwork implements GuestNetwork {
  readonly #parts: Parts;
  readonly #ranges = new Map<number, HostLocalAllocator>();
  readonly #allocated = new Map<number, bigint>();

  constructor(parts: Parts) {
    this.#parts = parts;
    for (const { host, cidr } of parts.hosts) {
      this.#ranges.set(host.index, new HostLocalAllocator(cidr));
    }
  }

  add(hostIndex: number, name: string): Guest | null {
    const { network, stack } = this.#parts;
    const host = network.hosts[hostIndex]!;
    const value = this.#ranges.get(hostIndex)!.allocate();
    if (value === null) return null;
    const address = network.addresses.internValue(4, value);
    const namespace = network.addGuest(name, host);
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
    return new BridgeNetwork(parts);
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
