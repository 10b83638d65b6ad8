/**
 * What a node has programmed for each Service port, as immutable versions.
 *
 * Owns: building a version from a Service and its slices, sharing it between the nodes that see the
 * same, and a node's table of them. Refuses to own: how a packet is decided (modes/) and when a
 * version comes into force (kubeProxy.ts).
 */
import type { DurationNs } from "../../engine/index.ts";
import {
  parsePrefix,
  type AddressId,
  type AddressTable,
  type Prefix,
} from "../../network/address.ts";
import { TransportProtocol, type TransportProtocolNumber } from "../../network/nat.ts";
import { OverlayMap } from "../api/overlayMap.ts";
import {
  familyOf,
  HEADLESS_LABEL,
  objectKey,
  type Endpoint,
  type EndpointSlice,
  type Service,
  type ServicePort,
  type TrafficPolicy,
} from "../api/types.ts";
import type { ChangeLedger } from "../ledger.ts";
import { categorizeEndpoints, type ProxyEndpoint } from "./categorize.ts";

export interface RuleEndpoint extends ProxyEndpoint {
  readonly address: AddressId;
  readonly port: number;
  readonly podUid: string;
  /** Index for observations; -1 for an address that no pod had. */
  readonly index: number;
}

/** One Service port of one IP family as programmed: it never changes, a new version takes its place. */
export interface ServicePortRules {
  /** upstream's ServicePortName: "namespace/name:port name", or "namespace/name" for a port without one. */
  readonly key: string;
  readonly service: string;
  readonly protocol: TransportProtocolNumber;
  readonly family: 4 | 6;
  readonly clusterIP: AddressId;
  readonly port: number;
  readonly nodePort: number | null;
  readonly externalIPs: readonly AddressId[];
  /** Ingress addresses that packets arrive with: those of ipMode VIP. */
  readonly loadBalancerVIPs: readonly AddressId[];
  /** Who may come by way of the load balancer; empty: anyone. */
  readonly sourceRanges: readonly Prefix[];
  /** null unless the type is LoadBalancer with externalTrafficPolicy Local. */
  readonly healthCheckNodePort: number | null;
  readonly internalTrafficPolicy: TrafficPolicy;
  readonly externalTrafficPolicy: TrafficPolicy;
  /** Time-out of ClientIP affinity; null without affinity. */
  readonly affinityNs: DurationNs | null;
  readonly cluster: readonly RuleEndpoint[] | null;
  readonly local: readonly RuleEndpoint[] | null;
  /** Everything reachable from the node. */
  readonly all: readonly RuleEndpoint[];
  readonly hasAny: boolean;
  /** UDP: addresses of all endpoints that serve, whatever policies and hints say. Else empty. */
  readonly serving: readonly AddressId[];
  /**
   * Rules that a packet walks in its family's KUBE-SERVICES up to this one: its place in the list. Each Service port has
   * one of its own, which all its versions keep, so it serves as the port's number in that family.
   */
  readonly position: number;
}

/** By which of its addresses a packet meets a Service port. */
export const DestinationKind = {
  clusterIP: 0,
  externalIP: 1,
  loadBalancer: 2,
  nodePort: 3,
} as const;
export type DestinationKindCode = (typeof DestinationKind)[keyof typeof DestinationKind];

export interface Destination {
  readonly rules: ServicePortRules;
  readonly kind: DestinationKindCode;
}

/** The node that rules are built for. */
export interface RuleNode {
  readonly name: string;
  /** topology.kubernetes.io/zone; null for a node without. */
  readonly zone: string | null;
}

const PROTOCOLS = {
  TCP: TransportProtocol.TCP,
  UDP: TransportProtocol.UDP,
  SCTP: TransportProtocol.SCTP,
};

/** Another proxy's Services and their slices carry it, with that proxy's name. */
export const SERVICE_PROXY_NAME = "service.kubernetes.io/service-proxy-name";

/** Services that kube-proxy's watches leave out, and their slices, which carry the same label. */
export function isForAnotherProxy({ metadata }: Service): boolean {
  return metadata.labels[SERVICE_PROXY_NAME] !== undefined;
}

/** Slices that kube-proxy's watch asks for (noHeadlessEndpoints in cmd/kube-proxy/app/server.go; timings §7.1). */
export function isWithClusterIP({ metadata }: EndpointSlice): boolean {
  return metadata.labels[HEADLESS_LABEL] === undefined;
}

/** Services of which kube-proxy makes no rules. */
export function isLeftAlone(service: Service): boolean {
  const { clusterIP, type } = service.spec;
  const hasAddress = clusterIP !== "None" && clusterIP !== "";
  return isForAnotherProxy(service) || !hasAddress || type === "ExternalName";
}

export function sliceFamily({ addressType }: EndpointSlice): 4 | 6 {
  return addressType === "IPv4" ? 4 : 6;
}

/** Whether a Service has an address of a family. */
export function isOfFamily({ spec }: Service, family: 4 | 6): boolean {
  const families = spec.ipFamilies ?? (spec.clusterIPs ?? [spec.clusterIP]).map(familyOf);
  return families.includes(family === 4 ? "IPv4" : "IPv6");
}

/** What has been made of a list of slices. */
interface Made {
  readonly service: Service;
  readonly family: 4 | 6;
  readonly matters: PlaceThatMatters;
  readonly byPlace: Map<string, readonly ServicePortRules[]>;
}

/** What nodes must have in common to see one version. */
type PlaceThatMatters = "node" | "zone" | "nothing";

/** Builds versions. Nodes that see the same Service and slices get the same object. */
export class RuleBuilder {
  readonly addresses: AddressTable;
  readonly #ledger: ChangeLedger;
  readonly #gates: { readonly loadBalancerIPMode: boolean };
  /** By Service and by what a node's place makes of it. */
  readonly #shared = new Map<
    string,
    { readonly seen: string; readonly rules: ServicePortRules[] }
  >();
  /** By the list of slices itself, which most nodes share. */
  readonly #made = new WeakMap<readonly EndpointSlice[], Made>();
  /** The ports of each family, in lists of their own. */
  readonly #positions = { 4: new Map<string, number>(), 6: new Map<string, number>() };

  /** @param gates by upstream's feature gates: whether ipMode is looked at */
  constructor(
    addresses: AddressTable,
    ledger: ChangeLedger,
    gates: { readonly loadBalancerIPMode: boolean },
  ) {
    this.addresses = addresses;
    this.#ledger = ledger;
    this.#gates = gates;
  }

  /**
   * One version for each port, of one family; none for a Service that kube-proxy leaves alone.
   * @param slices those of that family
   */
  build(
    service: Service,
    slices: readonly EndpointSlice[],
    node: RuleNode,
    family: 4 | 6,
  ): readonly ServicePortRules[] {
    if (isLeftAlone(service)) return [];
    let made = this.#made.get(slices);
    if (made?.service !== service || made.family !== family) {
      const matters = placeThatMatters(service, slices);
      this.#made.set(slices, (made = { service, family, matters, byPlace: new Map() }));
    }
    if (made.matters === "node") return this.#build(service, slices, node, family);
    const place = made.matters === "zone" ? (node.zone ?? "") : "";
    let rules = made.byPlace.get(place);
    if (rules === undefined) {
      rules = this.#buildShared(service, slices, node, family, place);
      made.byPlace.set(place, rules);
    }
    return rules;
  }

  /** Nodes that have come to lists of their own may still have the same in them. */
  #buildShared(
    service: Service,
    slices: readonly EndpointSlice[],
    node: RuleNode,
    family: 4 | 6,
    place: string,
  ): ServicePortRules[] {
    const key = `${objectKey(service)}|${family}|${place}`;
    const seen = [service, ...slices].map((each) => each.metadata.resourceVersion).join(" ");
    const shared = this.#shared.get(key);
    if (shared?.seen === seen) return shared.rules;
    const rules = this.#build(service, slices, node, family);
    this.#shared.set(key, { seen, rules });
    return rules;
  }

  #build(
    service: Service,
    slices: readonly EndpointSlice[],
    node: RuleNode,
    family: 4 | 6,
  ): ServicePortRules[] {
    const { spec } = service;
    const clusterIPs = this.#internAll(spec.clusterIPs ?? [spec.clusterIP], family);
    return clusterIPs.flatMap((clusterIP) =>
      spec.ports.map((port) => this.#buildPort(service, port, { clusterIP, family }, slices, node)),
    );
  }

  #buildPort(
    service: Service,
    port: ServicePort,
    { clusterIP, family }: { readonly clusterIP: AddressId; readonly family: 4 | 6 },
    slices: readonly EndpointSlice[],
    node: RuleNode,
  ): ServicePortRules {
    const { spec } = service;
    const { internalTrafficPolicy, externalTrafficPolicy } = spec;
    const externalIPs = this.#internAll(spec.externalIPs ?? [], family);
    const ingress = service.status?.ingress ?? [];
    const vips = this.#gates.loadBalancerIPMode
      ? ingress.filter(({ ipMode }) => ipMode !== "Proxy")
      : ingress;
    const loadBalancerVIPs = this.#internAll(
      vips.map(({ ip }) => ip),
      family,
    );
    const endpoints = this.#endpointsOf(service, port, slices, family, node.name);
    const { cluster, local, all, hasAny } = categorizeEndpoints(endpoints, {
      nodeName: node.name,
      zone: node.zone,
      internalTrafficPolicy,
      externalTrafficPolicy,
      externallyAccessible:
        port.nodePort !== null || externalIPs.length > 0 || loadBalancerVIPs.length > 0,
      preferSameTrafficDistribution: true,
    });
    const key = port.name ? `${objectKey(service)}:${port.name}` : objectKey(service);
    const checksHealth = spec.type === "LoadBalancer" && externalTrafficPolicy === "Local";
    return {
      key,
      service: objectKey(service),
      protocol: PROTOCOLS[port.protocol],
      family,
      clusterIP,
      port: port.port,
      nodePort: port.nodePort,
      externalIPs,
      loadBalancerVIPs,
      sourceRanges: (spec.loadBalancerSourceRanges ?? [])
        .map((text) => parsePrefix(text.trim()))
        .filter((range) => range.family === family),
      healthCheckNodePort: checksHealth ? (spec.healthCheckNodePort ?? null) : null,
      internalTrafficPolicy,
      externalTrafficPolicy,
      affinityNs: spec.sessionAffinity === "ClientIP" ? spec.sessionAffinityTimeoutNs : null,
      cluster,
      local,
      all,
      hasAny,
      serving:
        port.protocol === "UDP" ? endpoints.filter(isServing).map(({ address }) => address) : [],
      position: this.#positionOf(`${key}/${port.protocol}`, family),
    };
  }

  /** Addresses of the other family get no rules. */
  #internAll(texts: readonly string[], family: 4 | 6): AddressId[] {
    return texts
      .map((text) => this.addresses.intern(text))
      .filter((address) => this.addresses.family(address) === family);
  }

  #positionOf(key: string, family: 4 | 6): number {
    const positions = this.#positions[family];
    let position = positions.get(key);
    if (position === undefined) positions.set(key, (position = positions.size + 1));
    return position;
  }

  /** Sorted by "ip:port"; of two with one text a local one wins, then one that is not terminating. */
  #endpointsOf(
    service: Service,
    port: ServicePort,
    slices: readonly EndpointSlice[],
    family: 4 | 6,
    nodeName: string,
  ): RuleEndpoint[] {
    const byText = new Map<string, RuleEndpoint>();
    const key = objectKey(service);
    for (const slice of slices) {
      if (sliceFamily(slice) !== family) continue;
      const target = slice.ports.find(
        ({ name, protocol }) => (name ?? "") === (port.name ?? "") && protocol === port.protocol,
      );
      if (target === undefined) continue;
      for (const endpoint of slice.endpoints) {
        const { podUid } = endpoint;
        const address = this.addresses.intern(endpoint.address);
        const ip = this.addresses.text(address);
        const text = family === 4 ? `${ip}:${target.port}` : `[${ip}]:${target.port}`;
        const isLocal = endpoint.nodeName === nodeName && nodeName !== "";
        const known = byText.get(text);
        if (known !== undefined && !isPreferred(known, isLocal, endpoint.conditions)) continue;
        byText.set(text, {
          text,
          isLocal,
          ...endpoint.conditions,
          zoneHints: endpoint.zoneHints ?? null,
          nodeHints: endpoint.nodeHints ?? null,
          address,
          port: target.port,
          podUid,
          index: this.#ledger.endpointIndex(key, podUid, slice.addressType),
        });
      }
    }
    return [...byText.values()].sort((a, b) => (a.text < b.text ? -1 : 1));
  }
}

function isServing({ serving }: ProxyEndpoint): boolean {
  return serving;
}

/** Whether a second entry of one "ip:port" takes the place of the first. */
function isPreferred(
  known: RuleEndpoint,
  isLocal: boolean,
  { terminating }: Endpoint["conditions"],
): boolean {
  if (known.isLocal !== isLocal) return isLocal;
  return known.terminating && !terminating;
}

function placeThatMatters({ spec }: Service, slices: readonly EndpointSlice[]): PlaceThatMatters {
  if (spec.internalTrafficPolicy === "Local" || spec.externalTrafficPolicy === "Local") {
    return "node";
  }
  let isZoneHinted = false;
  for (const { endpoints } of slices) {
    for (const { nodeHints, zoneHints } of endpoints) {
      if (nodeHints !== undefined) return "node";
      if (zoneHints !== undefined) isZoneHinted = true;
    }
  }
  return isZoneHinted ? "zone" : "nothing";
}

/** Whether nodes make different rules of a Service. */
export function isNodeSpecific(service: Service, slices: readonly EndpointSlice[]): boolean {
  return placeThatMatters(service, slices) !== "nothing";
}

/** What one node's kernel holds: the versions in force, by destination. */
export class RuleTable {
  readonly #byDestination: OverlayMap<number, Destination>;
  /** Ports of the load balancers' health checks, with how many Service ports name each. */
  readonly #healthCheckPorts = new Map<number, number>();
  /** Active ClusterIPs, with their number of ports. */
  readonly #clusterIPs: OverlayMap<AddressId, number>;
  readonly #udp: OverlayMap<number, ServicePortRules>;
  #servicePorts: number;
  #nodePorts: number;

  /** @param base the versions that every node starts from */
  constructor(base: TableBase) {
    this.#byDestination = new OverlayMap(base.destinations);
    this.#clusterIPs = new OverlayMap(base.clusterIPs);
    this.#udp = new OverlayMap(base.udp);
    this.#servicePorts = base.servicePorts;
    this.#nodePorts = base.nodePorts;
    for (const [port, count] of base.healthCheckPorts) this.#healthCheckPorts.set(port, count);
  }

  /** Destinations by an address of their own: a rule each in KUBE-SERVICES. */
  get listed(): number {
    return this.#byDestination.size - this.#nodePorts;
  }

  /** Node ports: a rule each in KUBE-NODEPORTS. */
  get nodePorts(): number {
    return this.#nodePorts;
  }

  get servicePorts(): number {
    return this.#servicePorts;
  }

  atAddress(address: AddressId, protocol: number, port: number): Destination | undefined {
    return this.#byDestination.get(destinationKey(address, protocol, port));
  }

  atNodePort(protocol: number, port: number, family: 4 | 6 = 4): Destination | undefined {
    return this.#byDestination.get(destinationKey(nodeKey(family), protocol, port));
  }

  isClusterIP(address: AddressId): boolean {
    return (this.#clusterIPs.get(address) ?? 0) > 0;
  }

  hasHealthCheckPort(port: number): boolean {
    return (this.#healthCheckPorts.get(port) ?? 0) > 0;
  }

  put(rules: ServicePortRules): void {
    this.#place(rules);
    this.#count(rules, 1);
  }

  remove(rules: ServicePortRules): void {
    this.#displace(rules);
    this.#count(rules, -1);
  }

  /** Versions of a Service take the place of earlier ones. Mostly they differ in their endpoints only. */
  replace(before: readonly ServicePortRules[], after: readonly ServicePortRules[]): void {
    const isAlike =
      before.length === after.length && before.every((old, i) => isAt(old, after[i]!));
    if (isAlike) {
      for (const rules of after) this.#place(rules);
      return;
    }
    for (const old of before) this.remove(old);
    for (const rules of after) this.put(rules);
  }

  #place(rules: ServicePortRules): void {
    for (const [key, destination] of destinationsOf(rules)) {
      this.#byDestination.set(key, destination);
    }
    if (rules.protocol === TransportProtocol.UDP) this.#udp.set(rules.position, rules);
  }

  #displace(rules: ServicePortRules): void {
    for (const [key] of destinationsOf(rules)) {
      // Another Service may have taken the address or port over meanwhile.
      if (this.#byDestination.get(key)?.rules === rules) this.#byDestination.delete(key);
    }
    if (rules.protocol === TransportProtocol.UDP) this.#udp.delete(rules.position);
  }

  /** All destinations in force, in no order that means anything. */
  destinations(): IterableIterator<Destination> {
    return this.#byDestination.values();
  }

  /** The Service ports of UDP in force: those whose flows a sync has to clean up after. */
  udp(): IterableIterator<ServicePortRules> {
    return this.#udp.values();
  }

  #count(rules: ServicePortRules, sign: 1 | -1): void {
    const { clusterIP, nodePort, healthCheckNodePort } = rules;
    this.#servicePorts += sign;
    if (nodePort !== null) this.#nodePorts += sign;
    this.#clusterIPs.set(clusterIP, (this.#clusterIPs.get(clusterIP) ?? 0) + sign);
    if (healthCheckNodePort === null) return;
    const count = (this.#healthCheckPorts.get(healthCheckNodePort) ?? 0) + sign;
    this.#healthCheckPorts.set(healthCheckNodePort, count);
  }
}

/** What nodes that begin at rest share. */
export interface TableBase {
  readonly destinations: ReadonlyMap<number, Destination>;
  readonly clusterIPs: ReadonlyMap<AddressId, number>;
  readonly healthCheckPorts: ReadonlyMap<number, number>;
  readonly servicePorts: number;
  readonly nodePorts: number;
  readonly udp: ReadonlyMap<number, ServicePortRules>;
}

export function tableBase(all: Iterable<ServicePortRules>): TableBase {
  const destinations = new Map<number, Destination>();
  const clusterIPs = new Map<AddressId, number>();
  const healthCheckPorts = new Map<number, number>();
  const udp = new Map<number, ServicePortRules>();
  let servicePorts = 0;
  let nodePorts = 0;
  for (const rules of all) {
    servicePorts++;
    if (rules.protocol === TransportProtocol.UDP) udp.set(rules.position, rules);
    if (rules.nodePort !== null) nodePorts++;
    for (const [key, destination] of destinationsOf(rules)) destinations.set(key, destination);
    clusterIPs.set(rules.clusterIP, (clusterIPs.get(rules.clusterIP) ?? 0) + 1);
    const port = rules.healthCheckNodePort;
    if (port !== null) healthCheckPorts.set(port, (healthCheckPorts.get(port) ?? 0) + 1);
  }
  return { destinations, clusterIPs, healthCheckPorts, servicePorts, nodePorts, udp };
}

/** Stands for "any address of the node" of that family in a key; address ids count from 0. */
function nodeKey(family: 4 | 6): number {
  return family === 4 ? -1 : -2;
}

/** Whether a version holds the place of another: at the same addresses and ports, and counted alike. */
function isAt(one: ServicePortRules, other: ServicePortRules): boolean {
  const [places, others] = [destinationsOf(one), destinationsOf(other)];
  return (
    one.position === other.position &&
    one.protocol === other.protocol &&
    one.nodePort === other.nodePort &&
    one.healthCheckNodePort === other.healthCheckNodePort &&
    places.length === others.length &&
    places.every(([key], i) => key === others[i]![0])
  );
}

type Place = readonly [key: number, destination: Destination];

/** All nodes hold the same versions. */
const placesOf = new WeakMap<ServicePortRules, readonly Place[]>();

function destinationsOf(rules: ServicePortRules): readonly Place[] {
  let places = placesOf.get(rules);
  if (places === undefined) placesOf.set(rules, (places = findDestinations(rules)));
  return places;
}

function findDestinations(rules: ServicePortRules): Place[] {
  const { protocol, port, family, nodePort } = rules;
  const at = (address: AddressId, onPort: number, kind: DestinationKindCode) =>
    [destinationKey(address, protocol, onPort), { rules, kind }] as const;
  const found: Place[] = [at(rules.clusterIP, port, DestinationKind.clusterIP)];
  for (const address of rules.externalIPs)
    found.push(at(address, port, DestinationKind.externalIP));
  for (const vip of rules.loadBalancerVIPs) found.push(at(vip, port, DestinationKind.loadBalancer));
  if (nodePort !== null) found.push(at(nodeKey(family), nodePort, DestinationKind.nodePort));
  return found;
}

/** Address, protocol and port in one exact number: ports and protocols take 24 bits. */
export function destinationKey(address: AddressId, protocol: number, port: number): number {
  return (address + 2) * 2 ** 24 + protocol * 2 ** 16 + port;
}
