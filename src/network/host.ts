/**
 * Hosts and namespaces: what holds addresses, and where each sends a packet next.
 *
 * Owns: the state of a host (NIC, switch port, bridge with its ports, routes, conntrack, ICMP limiter)
 * and of a namespace (addresses, loopback, link). Refuses to own: events (stack.ts) and connections
 * (transport.ts). No Kubernetes word here: a pod is a namespace behind a bridge port.
 */
import { NO_ADDRESS, type AddressId, type AddressTable, type Prefix } from "./address.ts";
import type { Conntrack } from "./conntrack.ts";
import type { Hop } from "./hop.ts";
import type { NatRules } from "./nat.ts";
import type { Packet } from "./packet.ts";
import type { LinuxProfile } from "./profile.ts";
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
  /** Guests: the veth pair, a hop each way. null for a root namespace. */
  readonly link: VethPair | null;
  alive = true;

  constructor(options: {
    readonly index: number;
    readonly name: string;
    readonly kind: NamespaceKind;
    readonly host: number;
    readonly loopback: Hop;
    readonly link: VethPair | null;
  }) {
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
const UNREACHABLE: Egress = { kind: "unreachable" };

export interface Route {
  readonly prefix: Prefix;
  /** `bridge`: on-link on this host's bridge. A number: by way of that host. */
  readonly to: "bridge" | number;
}

/** Packets held until somebody answers for their next hop, and the timer that gives up. */
export interface Resolution {
  readonly packets: Packet[];
  readonly timer: EventHandle;
}

/** Addresses that a layer-2 segment answers for: who has the address, if anyone. */
export type FabricLookup = (address: AddressId) => number | undefined;

export class Host {
  readonly index: number;
  readonly name: string;
  readonly namespace: Namespace;
  readonly address: AddressId;
  readonly nic: Hop;
  readonly switchPort: Hop;
  readonly bridge: Hop | null;
  /** The host's own address on its bridge, if it has one, and the network behind it that only it can reach. */
  bridgeAddress: AddressId = NO_ADDRESS;
  bridgeNetwork: Prefix | null = null;
  /** null: the host tracks no connections and translates nothing (a client outside). */
  readonly conntrack: Conntrack | null;
  nat: NatRules | null = null;
  readonly icmp: IcmpLimiter;
  /** Goes up with every change of a route or neighbour: cached decisions carry it. */
  routeGeneration = 0;
  /** Packets held for addresses that are being resolved. */
  readonly resolving = new Map<AddressId, Resolution>();

  readonly #addresses: AddressTable;
  readonly #fabric: FabricLookup;
  readonly #routes: Route[] = [];
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
    readonly icmp: LinuxProfile["icmp"];
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
    this.icmp = new IcmpLimiter(options.icmp);
    this.#addresses = options.addresses;
    this.#fabric = options.fabric;
  }

  addRoute(route: Route): void {
    this.#routes.push(route);
    this.#changed();
  }

  /**
   * The bridge gets an address of its own and a network that no other host has a route to: others may
   * use the same addresses behind theirs.
   */
  addressBridge(address: AddressId, network: Prefix): void {
    this.bridgeAddress = address;
    this.bridgeNetwork = network;
    this.namespace.addresses.add(address);
    this.addRoute({ prefix: network, to: "bridge" });
  }

  /** Whether only this host's bridge knows the address. */
  isBehindBridge(address: AddressId): boolean {
    return this.bridgeNetwork !== null && this.#addresses.contains(this.bridgeNetwork, address);
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
    let best: Route | null = null;
    for (const route of this.#routes) {
      if (!this.#addresses.contains(route.prefix, destination)) continue;
      if (best === null || route.prefix.length > best.prefix.length) best = route;
    }
    if (best === null) {
      const host = this.#fabric(destination);
      return host === undefined ? UNREACHABLE : { kind: "host", host };
    }
    if (best.to === "bridge") return this.#neighbours.get(destination) ?? UNRESOLVED;
    return { kind: "host", host: best.to };
  }

  #changed(): void {
    this.routeGeneration++;
    this.#cache.clear();
  }
}

/** Linux' limit on ICMP errors: a bucket of `burst`, refilled one an interval, for each target. */
export class IcmpLimiter {
  readonly #profile: LinuxProfile["icmp"];
  readonly #buckets = new Map<AddressId, { tokens: number; atNs: SimTimeNs }>();

  constructor(profile: LinuxProfile["icmp"]) {
    this.#profile = profile;
  }

  /** Whether one more error may go to `target` now; takes the token if so. */
  allow(target: AddressId, nowNs: SimTimeNs): boolean {
    const { burst, intervalNs } = this.#profile;
    const bucket = this.#buckets.get(target);
    if (bucket === undefined) {
      this.#buckets.set(target, { tokens: burst - 1, atNs: nowNs });
      return true;
    }
    const refill = (nowNs - bucket.atNs) / intervalNs;
    const tokens = Math.min(burst, bucket.tokens + refill);
    bucket.atNs = nowNs;
    bucket.tokens = tokens >= 1 ? tokens - 1 : tokens;
    return tokens >= 1;
  }
}
