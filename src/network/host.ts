/**
 * Hosts and namespaces: what holds addresses, and where each sends a packet next.
 *
 * Owns: the state of a host (NIC, switch port, bridge with its ports, routes, conntrack, ICMP limiter)
 * and of a namespace (addresses, loopback, link). Refuses to own: events (stack.ts) and connections
 * (transport.ts). No Kubernetes word here: a pod is a namespace behind a bridge port.
 */
import { NO_ADDRESS, type AddressId, type AddressTable, type Prefix } from "./address.ts";
import type { Conntrack } from "./conntrack.ts";
import type { EgressFaults } from "./egress.ts";
import type { Hop } from "./hop.ts";
import { NatChain, type ConnectionWatcher, type NatRules } from "./nat.ts";
import type { Packet } from "./packet.ts";
import type { LinuxProfile } from "./profile.ts";
import { RouteTable, type Route } from "./routeTable.ts";
import type { EventHandle, SimTimeNs } from "../engine/index.ts";

/** `host`: a machine's root namespace. `guest`: one behind a host's bridge. */
export type NamespaceKind = "host" | "guest";

export class Namespace {
  readonly index: number;
  readonly name: string;
  readonly kind: NamespaceKind;
  readonly host: number;
  readonly loopback: Hop;
  readonly addresses = new Set<AddressId>();
  /** Limits the ICMP errors that the namespace sends. */
  readonly icmp: IcmpLimiter;
  /** Guests: the veth pair, a hop each way. null for a root namespace. */
  readonly link: VethPair | null;
  alive = true;
  /** Local port that the next connection from here tries first; 0: the first of the range. */
  nextPort = 0;

  constructor(options: {
    readonly index: number;
    readonly name: string;
    readonly kind: NamespaceKind;
    readonly host: number;
    readonly loopback: Hop;
    readonly link: VethPair | null;
    readonly icmp: LinuxProfile["icmp"];
  }) {
    this.icmp = new IcmpLimiter(options.icmp);
    this.index = options.index;
    this.name = options.name;
    this.kind = options.kind;
    this.host = options.host;
    this.loopback = options.loopback;
    this.link = options.link;
  }
}

export interface VethPair {
  /** Out of the guest, onto the bridge. */
  readonly out: Hop;
  /** From the bridge into the guest. */
  readonly in: Hop;
}

/** A decision of the routing and neighbour tables. */
export type Egress =
  | { readonly kind: "local" }
  | { readonly kind: "guest"; readonly namespace: Namespace; readonly link: VethPair }
  | { readonly kind: "host"; readonly host: number }
  /** On the bridge's subnet, but nobody answers for the address. */
  | { readonly kind: "unresolved" }
  | { readonly kind: "unreachable" };

const LOCAL: Egress = { kind: "local" };
const UNRESOLVED: Egress = { kind: "unresolved" };
export const UNREACHABLE: Egress = { kind: "unreachable" };

/** Packets held until somebody answers for their next hop, and the timer that gives up. */
export interface Resolution {
  readonly packets: Packet[];
  readonly timer: EventHandle;
}

/**
 * `frozen`: its CPUs stand still, as of a virtual machine that its hypervisor has paused. What is due meanwhile
 * happens when it goes on. `off`: without power; what it held in memory is gone.
 */
export const HostState = { on: 0, frozen: 1, off: 2 } as const;
export type HostStateCode = (typeof HostState)[keyof typeof HostState];

/** Addresses that a layer-2 segment answers for: who has the address, if anyone. */
export type FabricLookup = (address: AddressId) => number | undefined;

/** steer() says it of a packet that is for the host itself, and of one that goes no further. */
export const STEER_OWN = -1;
export const STEER_DROP = -2;

/** What a host does with packets that arrive, when it stands in front of others: a load balancer. */
export interface Steering {
  /** Why the last packet was dropped. */
  readonly cause: string;
  /** Index of the host that gets the packet as it is, or one of the words above. */
  steer(packet: Packet): number;
}

export class Host {
  readonly index: number;
  readonly name: string;
  readonly namespace: Namespace;
  /** Its first address on the switch. With two families it has another, in `namespace.addresses`. */
  readonly address: AddressId;
  readonly nic: Hop;
  readonly switchPort: Hop;
  readonly bridge: Hop | null;
  /** The network behind its bridge, where no other host has a route to it. */
  bridgeNetwork: Prefix | null = null;
  /** null: the host tracks no connections and translates nothing (a client outside). */
  readonly conntrack: Conntrack | null;
  readonly cores: number;
  nat: NatRules | null = null;
  /** Only for a host that tracks nothing. null: what arrives is for the host itself. */
  steering: Steering | null = null;
  /** Addresses whose packets, to them or from them, conntrack does not see (raw table, NOTRACK). */
  untracked: Set<AddressId> | null = null;
  /** Judges connect() of the host's sockets; null: nobody does. */
  socketNat: NatRules | null = null;
  /** The bridge's own addresses: what its guests know as their gateway. */
  readonly bridgeAddresses: AddressId[] = [];
  /** Goes up with every change of a route or neighbour: cached decisions carry it. */
  routeGeneration = 0;
  state: HostStateCode = HostState.on;
  /** How many times its CPU time anything takes: above 1 while others have a share of its CPUs. */
  cpuStretch = 1;
  /** Frozen: packets that wait in the NIC's ring. */
  rxRing = 0;
  /** What faults have put before its NIC; null: nothing. */
  faults: EgressFaults | null = null;
  /** Packets held for addresses that are being resolved. */
  readonly resolving = new Map<AddressId, Resolution>();

  #programmed: NatRules | null = null;
  #appended: NatRules | null = null;
  readonly #addresses: AddressTable;
  readonly #fabric: FabricLookup;
  /** Its own, once it has any, and those that it has with others. Of equally long ones its own counts. */
  #ownRoutes: RouteTable | null = null;
  #sharedRoutes: RouteTable | null = null;
  readonly #neighbours = new Map<AddressId, Egress>();
  readonly #cache = new Map<AddressId, Egress>();

  constructor(options: {
    readonly index: number;
    readonly name: string;
    readonly namespace: Namespace;
    readonly address: AddressId;
    readonly nic: Hop;
    readonly switchPort: Hop;
    readonly bridge: Hop | null;
    readonly conntrack: Conntrack | null;
    readonly cores: number;
    readonly addresses: AddressTable;
    readonly fabric: FabricLookup;
  }) {
    this.index = options.index;
    this.name = options.name;
    this.namespace = options.namespace;
    this.address = options.address;
    this.nic = options.nic;
    this.switchPort = options.switchPort;
    this.bridge = options.bridge;
    this.conntrack = options.conntrack;
    this.cores = options.cores;
    this.#addresses = options.addresses;
    this.#fabric = options.fabric;
  }

  /** Rules for first packets, for connect(), and whoever keeps books of connections. */
  program(rules: {
    readonly nat: NatRules;
    readonly socketNat: NatRules | null;
    readonly watcher: ConnectionWatcher | null;
  }): void {
    this.#programmed = rules.nat;
    this.#setNat();
    this.socketNat = rules.socketNat;
    if (this.conntrack !== null) this.conntrack.watcher = rules.watcher;
  }

  /** Rules at the end of the nat chains, behind what is programmed. */
  appendNat(rules: NatRules): void {
    this.#appended = rules;
    this.#setNat();
  }

  #setNat(): void {
    const [first, then] = [this.#programmed, this.#appended];
    this.nat = first !== null && then !== null ? new NatChain(first, then) : (first ?? then);
  }

  addRoute(route: Route): void {
    this.#ownRoutes ??= new RouteTable(this.#addresses);
    this.#ownRoutes.add(route);
    this.#changed();
  }

  /** Routes that others have as well. One by way of this very host leads to its bridge. */
  shareRoutes(routes: RouteTable): void {
    this.#sharedRoutes = routes;
    this.#changed();
  }

  /** The bridge gets an address of its own, which is one of the host's. */
  addBridgeAddress(address: AddressId): void {
    this.bridgeAddresses.push(address);
    this.namespace.addresses.add(address);
    this.#changed();
  }

  /**
   * The bridge gets an address of its own and a network that no other host has a route to: others may
   * use the same addresses behind theirs.
   */
  addressBridge(address: AddressId, network: Prefix): void {
    this.bridgeNetwork = network;
    this.addBridgeAddress(address);
    this.addRoute({ prefix: network, to: "bridge" });
  }

  /** Whether only this host's bridge knows the address. */
  isBehindBridge(address: AddressId): boolean {
    return this.bridgeNetwork !== null && this.#addresses.contains(this.bridgeNetwork, address);
  }

  /**
   * The address of the device by which a packet for `destination` leaves, for MASQUERADE. NO_ADDRESS for
   * one that stays here.
   */
  deviceAddress(destination: AddressId): AddressId {
    const { kind } = this.route(destination);
    if (kind === "local") return NO_ADDRESS;
    const family = this.#addresses.family(destination);
    const isOfFamily = (address: AddressId): boolean =>
      this.#addresses.family(address) === family && address !== this.#addresses.loopback;
    const onBridge = kind === "guest" || kind === "unresolved";
    const own = onBridge ? this.bridgeAddresses.find(isOfFamily) : undefined;
    if (own !== undefined) return own;
    for (const address of this.namespace.addresses) if (isOfFamily(address)) return address;
    return NO_ADDRESS;
  }

  /** A guest is plugged into the bridge and answers for `address`. */
  plug(namespace: Namespace, link: VethPair, address: AddressId): void {
    this.#neighbours.set(address, { kind: "guest", namespace, link });
    this.#changed();
  }

  /** The guest's end of the bridge has gone: nobody answers for `address` any more. */
  unplug(address: AddressId): void {
    this.#neighbours.delete(address);
    this.#changed();
  }

  /** All guests' ends of the bridge go. */
  unplugAll(): void {
    this.#neighbours.clear();
    this.#changed();
  }

  /** Longest-prefix match, then the neighbour table; remembered until either changes. */
  route(destination: AddressId): Egress {
    let egress = this.#cache.get(destination);
    if (egress === undefined) {
      egress = this.#lookup(destination);
      this.#cache.set(destination, egress);
    }
    return egress;
  }

  #lookup(destination: AddressId): Egress {
    if (this.namespace.addresses.has(destination)) return LOCAL;
    const own = this.#ownRoutes?.lookup(destination) ?? null;
    const shared = this.#sharedRoutes?.lookup(destination) ?? null;
    const route = (shared?.prefix.length ?? -1) > (own?.prefix.length ?? -1) ? shared : own;
    if (route === null) {
      const host = this.#fabric(destination);
      // An address that others send here, and that nobody here knows what to do with.
      if (host === undefined || host === this.index) return UNREACHABLE;
      return { kind: "host", host };
    }
    if (route.to === "bridge" || route.to === this.index) {
      return this.#neighbours.get(destination) ?? UNRESOLVED;
    }
    return { kind: "host", host: route.to };
  }

  #changed(): void {
    this.routeGeneration++;
    this.#cache.clear();
  }
}

/**
 * Linux' limits on ICMP errors: a bucket of `burst`, refilled one an interval, for each target; and one
 * bucket for all. Since Linux 6.11 the common one pays only for what the target's lets through.
 */
export class IcmpLimiter {
  readonly #profile: LinuxProfile["icmp"];
  /** Made when the first error is sent: most namespaces never send one. */
  #buckets: Map<AddressId, { tokens: number; atNs: SimTimeNs }> | null = null;
  #common: number;
  #commonAtNs: SimTimeNs = 0;

  constructor(profile: LinuxProfile["icmp"]) {
    this.#profile = profile;
    this.#common = profile.messagesBurst;
  }

  /** Whether one more error may go to `target` now; takes the tokens if so. */
  allow(target: AddressId, nowNs: SimTimeNs): boolean {
    const { burst, intervalNs, messagesBurst, messagesPerSecond } = this.#profile;
    const common = this.#common + ((nowNs - this.#commonAtNs) * messagesPerSecond) / 1e9;
    this.#common = Math.min(messagesBurst, common);
    this.#commonAtNs = nowNs;
    if (this.#common < 1) return false;
    const buckets = (this.#buckets ??= new Map());
    let bucket = buckets.get(target);
    if (bucket === undefined) buckets.set(target, (bucket = { tokens: burst, atNs: nowNs }));
    const refill = (nowNs - bucket.atNs) / intervalNs;
    bucket.tokens = Math.min(burst, bucket.tokens + refill);
    bucket.atNs = nowNs;
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    this.#common--;
    return true;
  }
}
