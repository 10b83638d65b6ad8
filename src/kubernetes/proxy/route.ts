/**
 * Where a node sends a connection's first packet: kube-proxy's rules, as far as all modes agree on them.
 *
 * Owns: which Service port a packet is for, which endpoints may be chosen for it, whether it is
 * masqueraded, and the verdict where none can serve. Refuses to own: choosing one of them, and what it
 * costs to get there (modes/). Source: pkg/proxy/iptables/proxier.go and pkg/proxy/nftables/proxier.go;
 * rules of kube-proxy, sections 1 to 9 (docs/sources.md). test/conformance holds it to upstream's cases.
 */
import type { AddressId, AddressTable, Prefix } from "../../network/address.ts";
import type { FirstPacket } from "../../network/nat.ts";
import {
  DestinationKind,
  type Destination,
  type DestinationKindCode,
  type RuleEndpoint,
  type RuleTable,
  type ServicePortRules,
} from "./rules.ts";

/** What a node's kube-proxy knows of its node and of its own settings. */
export interface NodeView {
  readonly addresses: AddressTable;
  /** Whether an address is the node's own: fib type LOCAL. */
  readonly isOwn: (address: AddressId) => boolean;
  /** 127.0.0.1 and ::1: the addresses of lo. */
  readonly isLoopback: (address: AddressId) => boolean;
  /** Whether an address is on this node: the node's own, or behind its bridge. */
  readonly isHere: (address: AddressId) => boolean;
  /** The node's primary address of each of its families. */
  readonly primaryAddresses: readonly AddressId[];
  /** Recognise pods by their source address (--cluster-cidr); without one of its family, none is recognised. */
  readonly podNetworks: readonly Prefix[];
  /** --masquerade-all. */
  readonly masqueradeAll: boolean;
  /** --nodeport-addresses; a family without one: every address. */
  readonly nodePortAddresses: readonly Prefix[];
  /** --iptables-localhost-nodeports. */
  readonly localhostNodePorts: boolean;
  /** Service CIDRs, for the modes that guard them. */
  readonly serviceCIDRs: readonly Prefix[];
}

/** In what the modes differ, beyond choosing and costs. */
export interface RouteTraits {
  /** Node ports answer on loopback addresses too (iptables, IPv4). */
  readonly localhostNodePorts: boolean;
  /** An explicit rule lets health-check node ports in. */
  readonly acceptsHealthChecks: boolean;
  /**
   * The node's own packets are refused where nobody serves an external address. iptables mode's KUBE-EXTERNAL-SERVICES
   * hangs on INPUT and FORWARD only: such a packet leaves the node.
   */
  readonly refusesExternalAtOutput: boolean;
  /** A node port that nobody serves is refused on every own address (--dst-type LOCAL), allowed or not. */
  readonly refusesOnAllAddresses: boolean;
  /** Ports of a ClusterIP that no Service has are refused. */
  readonly rejectsUnknownPorts: boolean;
  /** Addresses of the Service CIDRs that no Service has are dropped. */
  readonly dropsUnknownAddresses: boolean;
  /** The filter drops forwarded packets that belong to no connection: KUBE-FORWARD's INVALID rule. */
  readonly dropsInvalid: boolean;
  /** Source ranges are judged before it is known whether any endpoint is there. */
  readonly sourceRangesFirst: boolean;
  /**
   * Policy Local without an endpoint that it allows, though there are some elsewhere. `virtualServer`:
   * there is one list of endpoints for each address, whoever asks; an empty local one is replaced by the cluster's.
   */
  readonly withoutLocal: "drop" | "reject" | "virtualServer";
}

/** `none`: no rule is about this packet; it goes on as if there were no kube-proxy. */
export type RouteVerdict = "none" | "endpoints" | "accept" | "drop" | "reject";

/** Filled in by route(); one object is used again and again. */
export interface Route {
  verdict: RouteVerdict;
  /** Why a packet was dropped or rejected: the cause in results. */
  cause: string;
  destination: Destination | null;
  /** Endpoints that may be chosen, for the verdict `endpoints`. */
  candidates: readonly RuleEndpoint[];
  /** Masqueraded whatever is chosen; a hairpin is masqueraded besides. */
  masquerade: boolean;
  /** The destination may be a node port's: it is one of the node's addresses that has them. */
  ownAddress: boolean;
  /** Came in by the rules for external addresses and node ports. */
  external: boolean;
  /** The endpoint was chosen because it remembers the client. */
  isRemembered: boolean;
}

const NONE: readonly RuleEndpoint[] = [];

export function emptyRoute(): Route {
  return {
    verdict: "none",
    cause: "",
    destination: null,
    candidates: NONE,
    masquerade: false,
    ownAddress: false,
    external: false,
    isRemembered: false,
  };
}

/** Judges a first packet by what the node has programmed. */
export class Router {
  readonly #table: RuleTable;
  readonly #view: NodeView;
  readonly #traits: RouteTraits;

  constructor(table: RuleTable, view: NodeView, traits: RouteTraits) {
    this.#table = table;
    this.#view = view;
    this.#traits = traits;
  }

  route(packet: FirstPacket, route: Route): void {
    route.verdict = "none";
    route.cause = "";
    route.candidates = NONE;
    route.masquerade = false;
    route.ownAddress = false;
    route.external = false;
    route.isRemembered = false;
    const { destination, destinationPort, protocol } = packet;
    const found = this.#table.atAddress(destination, protocol, destinationPort);
    route.destination = found ?? null;
    if (found !== undefined) {
      if (found.kind === DestinationKind.clusterIP) this.#toClusterIP(found, packet, route);
      else this.#toExternal(found, packet, route);
      return;
    }
    if (this.#isLocal(destination)) this.#toNode(packet, route);
    if (route.verdict === "none") this.#guard(packet, route);
  }

  /** Whether the local detector takes the source for a pod. */
  isPod(address: AddressId): boolean {
    const { podNetworks, addresses } = this.#view;
    return podNetworks.some((prefix) => addresses.contains(prefix, address));
  }

  /** Whether pods of its family can be told from others, and it is none. */
  isForeign(address: AddressId): boolean {
    const { podNetworks, addresses } = this.#view;
    const family = addresses.family(address);
    return podNetworks.some((prefix) => prefix.family === family) && !this.isPod(address);
  }

  /** fib type LOCAL. */
  #isLocal(address: AddressId): boolean {
    return this.#view.isOwn(address) || this.#view.isLoopback(address);
  }

  /** An own address: node ports, where they answer, and the filter, which looks at no setting. */
  #toNode(packet: FirstPacket, route: Route): void {
    const { destination, destinationPort, protocol } = packet;
    const family = this.#view.addresses.family(destination);
    const port = this.#table.atNodePort(protocol, destinationPort, family);
    route.ownAddress = this.isNodePortAddress(destination);
    if (port === undefined) {
      if (this.#isHealthCheck(packet)) route.verdict = "accept";
    } else if (route.ownAddress) {
      route.destination = port;
      this.#toExternal(port, packet, route);
    } else if (this.#traits.refusesOnAllAddresses) {
      this.#refuseUnserved(port, route);
    }
  }

  /** KUBE-EXTERNAL-SERVICES of filter for what nat has left alone, whoever sends it. */
  #refuseUnserved(port: Destination, route: Route): void {
    const { hasAny, externalTrafficPolicy, local } = port.rules;
    const isLocalEmpty = externalTrafficPolicy === "Local" && local?.length === 0;
    if (hasAny && !isLocalEmpty) return;
    route.destination = port;
    this.#serveOrRefuse(route, NONE, false, hasAny);
  }

  #toClusterIP({ rules, kind }: Destination, packet: FirstPacket, route: Route): void {
    const masquerade = this.#view.masqueradeAll || this.isForeign(packet.source);
    const isLocal = rules.internalTrafficPolicy === "Local";
    const endpoints =
      this.#traits.withoutLocal === "virtualServer"
        ? virtualServerEndpoints(rules, kind)
        : isLocal
          ? rules.local
          : rules.cluster;
    this.#serveOrRefuse(route, endpoints, masquerade, rules.hasAny);
  }

  /** KUBE-FW and KUBE-EXT: external IPs, load balancers' addresses, node ports. */
  #toExternal(destination: Destination, packet: FirstPacket, route: Route): void {
    const { rules, kind } = destination;
    const ranges = kind === DestinationKind.loadBalancer ? rules.sourceRanges : [];
    const isOutside = ranges.length > 0 && !this.#isInRanges(destination, packet.source);
    if (isOutside && (rules.hasAny || this.#traits.sourceRangesFirst)) {
      route.verdict = "drop";
      route.cause = "source_range";
      return;
    }
    const { hasAny } = rules;
    if (rules.externalTrafficPolicy === "Cluster") {
      this.#serveOrRefuse(route, rules.cluster, true, hasAny);
    } else if (this.#traits.withoutLocal === "virtualServer") {
      this.#serveOrRefuse(route, virtualServerEndpoints(rules, kind), false, hasAny);
    } else if (this.isPod(packet.source)) {
      this.#serveOrRefuse(route, rules.cluster, false, hasAny);
    } else if (this.#view.isOwn(packet.source)) {
      this.#serveOrRefuse(route, rules.cluster, true, hasAny);
    } else {
      this.#serveOrRefuse(route, rules.local, false, hasAny);
    }
  }

  /** REJECT when nobody can serve; when somebody could but not from here, what the mode makes of it. */
  #serveOrRefuse(
    route: Route,
    endpoints: readonly RuleEndpoint[] | null,
    masquerade: boolean,
    hasAny: boolean,
  ): void {
    if (endpoints !== null && endpoints.length > 0) {
      route.verdict = "endpoints";
      route.candidates = endpoints;
      route.masquerade = masquerade;
      return;
    }
    route.verdict = hasAny && this.#traits.withoutLocal === "drop" ? "drop" : "reject";
    route.cause = hasAny ? "no_local_endpoints" : "no_endpoints";
  }

  /** A range that holds the node's primary address lets the balancer's own addresses in as well. */
  #isInRanges({ rules }: Destination, source: AddressId): boolean {
    const { addresses, primaryAddresses } = this.#view;
    const holds = (address: AddressId): boolean =>
      rules.sourceRanges.some((range) => addresses.contains(range, address));
    return (
      holds(source) || (rules.loadBalancerVIPs.includes(source) && primaryAddresses.some(holds))
    );
  }

  /** Whether node ports answer on an address. */
  isNodePortAddress(address: AddressId): boolean {
    const { isLoopback, nodePortAddresses, addresses } = this.#view;
    if (!this.#isLocal(address)) return false;
    if (isLoopback(address) && !this.#allowsLoopback(address)) return false;
    const family = addresses.family(address);
    let isLimited = false;
    for (const prefix of nodePortAddresses) {
      if (prefix.family !== family) continue;
      if (addresses.contains(prefix, address)) return true;
      isLimited = true;
    }
    return !isLimited;
  }

  #allowsLoopback(address: AddressId): boolean {
    const { localhostNodePorts, addresses } = this.#view;
    const isPossible = this.#traits.localhostNodePorts && localhostNodePorts;
    return isPossible && addresses.family(address) === 4;
  }

  #isHealthCheck({ protocol, destinationPort }: FirstPacket): boolean {
    return (
      this.#traits.acceptsHealthChecks &&
      protocol === 6 &&
      this.#table.hasHealthCheckPort(destinationPort)
    );
  }

  #guard({ destination }: FirstPacket, route: Route): void {
    const { serviceCIDRs, addresses } = this.#view;
    const { rejectsUnknownPorts, dropsUnknownAddresses } = this.#traits;
    if (this.#table.isClusterIP(destination)) {
      if (!rejectsUnknownPorts) return;
      route.verdict = "reject";
      route.cause = "no_such_port";
    } else if (
      dropsUnknownAddresses &&
      serviceCIDRs.some((cidr) => addresses.contains(cidr, destination))
    ) {
      route.verdict = "drop";
      route.cause = "no_such_service";
    }
  }
}

/** The list of a virtual server: the local endpoints for policy Local, the cluster's where there are none. */
export function virtualServerEndpoints(
  rules: ServicePortRules,
  kind: DestinationKindCode,
): readonly RuleEndpoint[] {
  const isInternal = kind === DestinationKind.clusterIP;
  const policy = isInternal ? rules.internalTrafficPolicy : rules.externalTrafficPolicy;
  const { cluster, local } = rules;
  if (policy === "Local" && local !== null && local.length > 0) return local;
  return cluster ?? NONE;
}
