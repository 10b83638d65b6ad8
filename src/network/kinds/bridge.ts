/**
 * A bridge on each host and plain routes between them: CNI's bridge plugin with host-local, as
 * flannel's host-gw back end sets it up.
 *
 * Owns: routes, veth pairs and addresses of that kind, of one family or of both. Not
 * modelled: the few milliseconds of CNI's own work (the kubelet charges them) and the gateway's ARP for a new veth.
 */
import { parsePrefix, parsePrefixes, type AddressId, type AddressTable } from "../address.ts";
import type { Host, Namespace } from "../host.ts";
import { PortMap, type PortMapping } from "../portmap.ts";
import { HostLocalAllocator } from "../ipam/hostLocal.ts";
import { RouteTable } from "../routeTable.ts";
import type { Guest, GuestHost, GuestNetwork, NetworkKind } from "./contract.ts";

type Parts = Parameters<NetworkKind["install"]>[0];

/** Who gives a host's guests their addresses. */
interface Allocator {
  allocate(): bigint | null;
  /** Whether this one was free; absent: nobody can ask for one. */
  take?(address: bigint): boolean;
  release(address: bigint): void;
}

interface Range {
  readonly family: 4 | 6;
  readonly allocator: Allocator;
}

/** Guests behind each host's bridge, whatever the routes between the hosts. */
export class BridgeNetwork implements GuestNetwork {
  readonly #parts: Parts;
  readonly #ranges = new Map<number, readonly Range[]>();
  /** What each guest holds of its host's ranges, in their order. */
  readonly #allocated = new Map<number, readonly bigint[]>();
  readonly #portMaps = new Map<number, PortMap>();
  readonly #namespaceFor: (name: string, host: Host) => Namespace;

  /**
   * @param allocatorOf of one range of a host
   * @param namespaceFor the namespace of a new guest, with its link
   */
  constructor(
    parts: Parts,
    allocatorOf: (cidr: string) => Allocator,
    namespaceFor = (name: string, host: Host): Namespace => parts.network.addGuest(name, host),
  ) {
    this.#parts = parts;
    this.#namespaceFor = namespaceFor;
    for (const { host, cidr } of parts.hosts) {
      const ranges = parsePrefixes(cidr).map(({ family, text }) => ({
        family,
        allocator: allocatorOf(text),
      }));
      this.#ranges.set(host.index, ranges);
    }
  }

  add(
    hostIndex: number,
    name: string,
    wanted: string | null = null,
    ports: readonly PortMapping[] = [],
  ): Guest | null {
    const { network, stack } = this.#parts;
    const host = network.hosts[hostIndex]!;
    const values = this.#allocate(hostIndex, wanted);
    if (values === null) return null;
    const namespace = this.#namespaceFor(name, host);
    const addresses = values.map((value, i): AddressId => {
      const { family } = this.#ranges.get(hostIndex)![i]!;
      return network.addresses.internValue(family, value);
    });
    for (const address of addresses) {
      namespace.addresses.add(address);
      host.plug(namespace, namespace.link!, address);
      stack.resolved(host, address);
    }
    this.#allocated.set(namespace.index, values);
    if (ports.length > 0) this.#portMapOf(host).forward(namespace.index, addresses, ports);
    return { namespace: namespace.index, node: hostIndex, addresses };
  }

  del(guest: Guest): void {
    const { network, transport } = this.#parts;
    const values = this.#allocated.get(guest.namespace);
    if (values === undefined) return;
    this.#allocated.delete(guest.namespace);
    this.#portMaps.get(guest.node)?.unforward(guest.namespace);
    for (const address of guest.addresses) network.hosts[guest.node]!.unplug(address);
    transport.closeNamespace(network.namespaces[guest.namespace]!);
    this.#release(guest.node, values);
  }

  /** Made with the first guest that has a port of the host. */
  #portMapOf(host: Host): PortMap {
    let portMap = this.#portMaps.get(host.index);
    if (portMap === undefined) {
      const { cidr } = this.#parts.hosts.find((each) => each.host === host)!;
      portMap = new PortMap(host, this.#parts.network.addresses, parsePrefixes(cidr));
      this.#portMaps.set(host.index, portMap);
      host.appendNat(portMap);
    }
    return portMap;
  }

  /** One address of each range, or none at all when one of them is used up. */
  #allocate(host: number, wanted: string | null): readonly bigint[] | null {
    const values: bigint[] = [];
    for (const [index, { allocator }] of this.#ranges.get(host)!.entries()) {
      const asked = index === 0 && wanted !== null ? parsePrefix(`${wanted}/32`).first : null;
      const isFree = asked !== null && allocator.take?.(asked) === true;
      const value = isFree ? asked : allocator.allocate();
      if (value === null) {
        this.#release(host, values);
        return null;
      }
      values.push(value);
    }
    return values;
  }

  #release(host: number, values: readonly bigint[]): void {
    const ranges = this.#ranges.get(host)!;
    for (const [i, value] of values.entries()) ranges[i]!.allocator.release(value);
  }
}

export const bridgeHostGw: NetworkKind = {
  install(parts) {
    const { network, hosts } = parts;
    routeBetween(hosts, network.addresses);
    for (const { host, cidr } of hosts) {
      for (const { family, first } of parsePrefixes(cidr)) {
        host.addBridgeAddress(network.addresses.internValue(family, first + 1n));
      }
    }
    return new BridgeNetwork(parts, (range) => new HostLocalAllocator(range));
  },
};

/** Each host has a route to every other's guests. They are alike but for its own, so all share them. */
function routeBetween(hosts: readonly GuestHost[], addresses: AddressTable): void {
  const routes = new RouteTable(addresses);
  for (const { host, cidr } of hosts) {
    for (const prefix of parsePrefixes(cidr)) routes.add({ prefix, to: host.index });
  }
  for (const { host } of hosts) host.shareRoutes(routes);
}
