/**
 * What a node has programmed for each Service port, as immutable versions.
 *
 * Owns: building a version from a Service and its slices, sharing it between the nodes that see the
 * same, and a node's table of them. Refuses to own: how a packet is decided (modes/) and when a
 * version comes into force (kubeProxy.ts).
 */
import type { AddressId, AddressTable } from "../../network/address.ts";
import { TransportProtocol, type TransportProtocolNumber } from "../../network/nat.ts";
import { OverlayMap } from "../api/overlayMap.ts";
import {
  objectKey,
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

/** One Service port as programmed: it never changes, a new version takes its place. */
export interface ServicePortRules {
  /** "namespace/name:port". */
  readonly key: string;
  readonly service: string;
  readonly protocol: TransportProtocolNumber;
  readonly clusterIP: AddressId;
  readonly port: number;
  readonly nodePort: number | null;
  readonly internalTrafficPolicy: TrafficPolicy;
  readonly externalTrafficPolicy: TrafficPolicy;
  readonly cluster: readonly RuleEndpoint[] | null;
  readonly local: readonly RuleEndpoint[] | null;
  readonly hasAny: boolean;
  /** Rules that a packet walks in KUBE-SERVICES up to this one: its place in the list. */
  readonly position: number;
}

const PROTOCOLS = {
  TCP: TransportProtocol.TCP,
  UDP: TransportProtocol.UDP,
  SCTP: TransportProtocol.SCTP,
};

/** Builds versions. Nodes that see the same Service and slices get the same object. */
export class RuleBuilder {
  readonly #addresses: AddressTable;
  readonly #ledger: ChangeLedger;
  readonly #shared = new Map<
    string,
    { readonly seen: string; readonly rules: ServicePortRules[] }
  >();
  readonly #positions = new Map<string, number>();

  constructor(addresses: AddressTable, ledger: ChangeLedger) {
    this.#addresses = addresses;
    this.#ledger = ledger;
  }

  /** One version for each port; none for a Service that kube-proxy leaves alone. */
  build(service: Service, slices: readonly EndpointSlice[], nodeName: string): ServicePortRules[] {
    if (service.spec.clusterIP === "None" || service.spec.type === "ExternalName") return [];
    if (differsByNode(service)) return this.#build(service, slices, nodeName);
    const key = objectKey(service);
    const seen = [service, ...slices].map((each) => each.metadata.resourceVersion).join(" ");
    const shared = this.#shared.get(key);
    if (shared?.seen === seen) return shared.rules;
    const rules = this.#build(service, slices, nodeName);
    this.#shared.set(key, { seen, rules });
    return rules;
  }

  #build(service: Service, slices: readonly EndpointSlice[], nodeName: string): ServicePortRules[] {
    return service.spec.ports.map((port) => {
      const endpoints = this.#endpointsOf(service, port, slices, nodeName);
      const { internalTrafficPolicy, externalTrafficPolicy } = service.spec;
      const { cluster, local, hasAny } = categorizeEndpoints(endpoints, {
        nodeName,
        zone: null,
        internalTrafficPolicy,
        externalTrafficPolicy,
        externallyAccessible: port.nodePort !== null,
        preferSameTrafficDistribution: true,
      });
      const key = `${objectKey(service)}:${port.name ?? port.port}`;
      return {
        key,
        service: objectKey(service),
        protocol: PROTOCOLS[port.protocol],
        clusterIP: this.#addresses.intern(service.spec.clusterIP),
        port: port.port,
        nodePort: port.nodePort,
        internalTrafficPolicy,
        externalTrafficPolicy,
        cluster,
        local,
        hasAny,
        position: this.#positionOf(key),
      };
    });
  }

  #positionOf(key: string): number {
    let position = this.#positions.get(key);
    if (position === undefined) this.#positions.set(key, (position = this.#positions.size + 1));
    return position;
  }

  /** Sorted by "ip:port"; of two with one text the one that is not terminating stays. */
  #endpointsOf(
    service: Service,
    port: ServicePort,
    slices: readonly EndpointSlice[],
    nodeName: string,
  ): RuleEndpoint[] {
    const byText = new Map<string, RuleEndpoint>();
    for (const slice of slices) {
      const target = slice.ports.find(
        ({ name, protocol }) => name === port.name && protocol === port.protocol,
      );
      if (target === undefined) continue;
      for (const endpoint of slice.endpoints) {
        const text = `${endpoint.address}:${target.port}`;
        const known = byText.get(text);
        if (known !== undefined && (!known.terminating || endpoint.conditions.terminating))
          continue;
        byText.set(text, {
          text,
          isLocal: endpoint.nodeName === nodeName,
          ...endpoint.conditions,
          zoneHints: null,
          nodeHints: null,
          address: this.#addresses.intern(endpoint.address),
          port: target.port,
          podUid: endpoint.podUid,
          index: this.#ledger.endpointIndex(objectKey(service), endpoint.podUid),
        });
      }
    }
    return [...byText.values()].sort((a, b) => (a.text < b.text ? -1 : 1));
  }
}

/** Whether the nodes' versions of a Service are not one: some endpoints are local to some node. */
export function differsByNode({ spec }: Service): boolean {
  return spec.internalTrafficPolicy === "Local" || spec.externalTrafficPolicy === "Local";
}

/** What one node's kernel holds: the versions in force, by destination. */
export class RuleTable {
  readonly #byDestination: OverlayMap<number, ServicePortRules>;
  /** Rules of the nat table that a packet which matches none of them walks. */
  #services: number;

  /** @param base the versions that every node starts from */
  constructor(base: ReadonlyMap<number, ServicePortRules>) {
    this.#byDestination = new OverlayMap(base);
    this.#services = base.size;
  }

  get size(): number {
    return this.#services;
  }

  atAddress(address: AddressId, protocol: number, port: number): ServicePortRules | undefined {
    return this.#byDestination.get(destinationKey(address, protocol, port));
  }

  atNodePort(protocol: number, port: number): ServicePortRules | undefined {
    return this.#byDestination.get(destinationKey(NODE, protocol, port));
  }

  put(rules: ServicePortRules): void {
    for (const key of destinationsOf(rules)) this.#byDestination.set(key, rules);
    this.#services = this.#byDestination.size;
  }

  remove(rules: ServicePortRules): void {
    for (const key of destinationsOf(rules)) this.#byDestination.delete(key);
    this.#services = this.#byDestination.size;
  }
}

/** The base table of nodes that begin at rest. */
export function baseTable(all: Iterable<ServicePortRules>): Map<number, ServicePortRules> {
  const base = new Map<number, ServicePortRules>();
  for (const rules of all) for (const key of destinationsOf(rules)) base.set(key, rules);
  return base;
}

/** Stands for "any address of the node" in a key; address ids count from 0. */
const NODE = -1;

function destinationsOf(rules: ServicePortRules): number[] {
  const keys = [destinationKey(rules.clusterIP, rules.protocol, rules.port)];
  if (rules.nodePort !== null) keys.push(destinationKey(NODE, rules.protocol, rules.nodePort));
  return keys;
}

/** Address, protocol and port in one exact number: ports and protocols take 24 bits. */
function destinationKey(address: AddressId, protocol: number, port: number): number {
  return (address + 1) * 2 ** 24 + protocol * 2 ** 16 + port;
}
