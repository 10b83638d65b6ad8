/**
 * The network of a simulation: its hosts, namespaces, hops and packets.
 *
 * Owns: building and naming them, and counting what is dropped outside a hop. Refuses to own: how a
 * packet moves (stack.ts) and what a kind of pod network builds from these parts (kinds/).
 */
import type { EventKind, Simulation } from "../engine/index.ts";
import { AddressTable, NO_ADDRESS, type AddressId } from "./address.ts";
import { Conntrack } from "./conntrack.ts";
import { ConntrackTables } from "./conntrackTable.ts";
import { Hop, type HopKind } from "./hop.ts";
import { Host, HostState, Namespace, type HostStateCode, type VethPair } from "./host.ts";
import { HeldEvents } from "./heldEvents.ts";
import { PacketPool } from "./packet.ts";
import type { HopProfile, LinuxProfile } from "./profile.ts";

/** Drops by place that has no queue of its own: "node-1/netfilter" -> cause -> packets. */
export type PlaceDrops = Map<string, Map<string, number>>;

export class Network {
  readonly sim: Simulation;
  readonly profile: LinuxProfile;
  readonly addresses = new AddressTable();
  readonly packets = new PacketPool();
  readonly conntracks = new ConntrackTables();
  readonly hosts: Host[] = [];
  readonly namespaces: Namespace[] = [];
  readonly hops: Hop[] = [];
  readonly drops: PlaceDrops = new Map();
  /** Hosts that are frozen or off: while there is none, nobody asks what state a host is in. */
  outages = 0;
  readonly #held = new HeldEvents();
  readonly #hostByAddress = new Map<AddressId, number>();

  constructor(sim: Simulation, profile: LinuxProfile) {
    this.sim = sim;
    this.profile = profile;
  }

  /** From now on every namespace holds 127.0.0.1. */
  useLoopback(): AddressId {
    if (this.addresses.loopback === NO_ADDRESS) {
      this.addresses.loopback = this.addresses.intern("127.0.0.1");
      for (const { addresses } of this.namespaces) addresses.add(this.addresses.loopback);
    }
    return this.addresses.loopback;
  }

  /**
   * A machine on the switch. `tracked` hosts have netfilter and a bridge for guests.
   * @param options.address one, or one of each family with a comma between
   * @param options.bridge the bridge's name
   * @param options.natNsPerPacket what netfilter costs each packet whose addresses it changes
   */
  addHost(options: {
    readonly name: string;
    readonly address: string;
    readonly cores: number;
    readonly tracked: boolean;
    readonly bridge?: string;
    readonly natNsPerPacket?: number;
  }): Host {
    const { name, tracked } = options;
    const index = this.hosts.length;
    const addresses = options.address.split(",").map((text) => this.addresses.intern(text));
    const namespace = this.#addNamespace(name, "host", index, null);
    for (const address of addresses) namespace.addresses.add(address);
    const host: Host = new Host({
      index,
      name,
      namespace,
      address: addresses[0]!,
      nic: this.#addHop(`${name}/eth0`, "nic", this.profile.nic),
      switchPort: this.#addHop(`switch/${name}`, "switch", this.profile.switchPort),
      bridge: tracked
        ? this.#addHop(`${name}/${options.bridge ?? "cni0"}`, "bridge", this.profile.bridge)
        : null,
      conntrack: tracked
        ? new Conntrack(this.sim, {
            host: index,
            hostName: name,
            masqueradeAddress: (destination) => host.deviceAddress(destination),
            cores: options.cores,
            profile: this.profile.conntrack,
            tables: this.conntracks,
            natNsPerPacket: options.natNsPerPacket ?? 0,
          })
        : null,
      cores: options.cores,
      addresses: this.addresses,
      fabric: (wanted) => this.#hostByAddress.get(wanted),
    });
    this.hosts.push(host);
    for (const address of addresses) this.#hostByAddress.set(address, index);
    return host;
  }

  /** From now on the switch sends packets for `address` to `host`, which need not hold it. */
  announce(host: Host, address: AddressId): void {
    this.#hostByAddress.set(address, host.index);
  }

  /** The host that the switch sends packets for `address` to; undefined for none. */
  hostFor(address: AddressId): number | undefined {
    return this.#hostByAddress.get(address);
  }

  /** A namespace behind `host`'s bridge, without an address yet. */
  addGuest(name: string, host: Host): Namespace {
    const link: VethPair = {
      out: this.#addHop(`${host.name}/${name}/out`, "veth", this.profile.veth),
      in: this.#addHop(`${host.name}/${name}/in`, "veth", this.profile.veth),
    };
    const namespace = this.#addNamespace(name, "guest", host.index, link);
    if (host.cpuStretch !== 1) stretchNamespace(namespace, host.cpuStretch);
    return namespace;
  }

  /** A guest comes back: the same namespace and link, without an address. */
  reviveGuest(namespace: Namespace): Namespace {
    namespace.alive = true;
    namespace.addresses.clear();
    this.#addLoopback(namespace);
    return namespace;
  }

  /**
   * What is due on a frozen host waits until that goes on. Only asked while there are outages.
   * @returns whether the event waits
   */
  holds(host: number, kind: EventKind, a: number, b = 0): boolean {
    if (this.hosts[host]!.state !== HostState.frozen) return false;
    this.#held.add(host, kind, a, b);
    return true;
  }

  setState(host: Host, state: HostStateCode): void {
    if (host.state === HostState.on) this.outages++;
    if (state === HostState.on) this.outages--;
    if (host.state === HostState.frozen) {
      this.#held.release(host.index, this.sim);
      host.rxRing = 0;
    }
    host.state = state;
  }

  /** From now on CPU time on `host` takes `factor` times as long. */
  stretchCpu(host: Host, factor: number): void {
    host.cpuStretch = factor;
    host.nic.stretchCpu(factor);
    host.bridge?.stretchCpu(factor);
    for (const namespace of this.namespaces) {
      if (namespace.host === host.index) stretchNamespace(namespace, factor);
    }
  }

  countDrop(place: string, cause: string, packets: number): void {
    let causes = this.drops.get(place);
    if (causes === undefined) this.drops.set(place, (causes = new Map()));
    causes.set(cause, (causes.get(cause) ?? 0) + packets);
  }

  #addNamespace(
    name: string,
    kind: "host" | "guest",
    host: number,
    link: VethPair | null,
  ): Namespace {
    const loopback = this.#addHop(`${name}/lo`, "loopback", this.profile.loopback);
    const index = this.namespaces.length;
    const { icmp } = this.profile;
    const namespace = new Namespace({ index, name, kind, host, loopback, link, icmp });
    this.#addLoopback(namespace);
    this.namespaces.push(namespace);
    return namespace;
  }

  #addLoopback({ addresses }: Namespace): void {
    const { loopback } = this.addresses;
    if (loopback !== NO_ADDRESS) addresses.add(loopback);
  }

  #addHop(name: string, kind: HopKind, profile: HopProfile): Hop {
    const hop = new Hop(name, kind, profile);
    this.hops.push(hop);
    return hop;
  }
}

function stretchNamespace({ loopback, link }: Namespace, factor: number): void {
  loopback.stretchCpu(factor);
  link?.out.stretchCpu(factor);
  link?.in.stretchCpu(factor);
}
