/**
 * IPVS mode: every Service address is a virtual server of the kernel, with a scheduler and connection counts.
 *
 * Owns: a node's virtual servers and their connections, graceful termination, port reuse, and costs.
 * Refuses to own: the schedulers (ipvs/) and which endpoints a virtual server has (route.ts). Source:
 * pkg/proxy/ipvs/proxier.go, graceful_termination.go, kernel net/netfilter/ipvs; rules of kube-proxy,
 * section 10.
 *
 * A virtual server is made when its first packet comes: before that nothing could tell it from one that
 * was there. A TCP connection that has been silent for longer than IPVS' own time-out is forgotten, its
 * conntrack entry with it; its next packet is no SYN, so nothing schedules it, and the node, whose address the
 * Service's is (kube-ipvs0), answers with a RST. Not modelled: UDP's own time-out of 300 s, by which a flow keeps its server
 * when conntrack has forgotten it, and persistence that outlives its time-out because a connection does.
 */
import { Phase, seconds, type DurationNs } from "../../../engine/index.ts";
import type { AddressId } from "../../../network/address.ts";
import type { EntryId } from "../../../network/conntrackTable.ts";
import { CtState, type CtStateCode } from "../../../network/conntrackStates.ts";
import {
  NatVerdict,
  TransportProtocol,
  type ConnectionWatcher,
  type FirstPacket,
  type NatDecision,
  type NatHookPoint,
} from "../../../network/nat.ts";
import type { DataPlane, ProxyMode } from "../contract.ts";
import type { Hashed, RealServer } from "../ipvs/schedulers.ts";
import { VirtualServer } from "../ipvs/virtualServer.ts";
import { RoutedRules, type Chooser } from "../natRules.ts";
import { virtualServerEndpoints, type Route, type RouteTraits } from "../route.ts";
import {
  DestinationKind,
  destinationKey,
  type RuleEndpoint,
  type ServicePortRules,
} from "../rules.ts";

/** tcp_timeouts[] of ip_vs_proto_tcp.c, where conntrack's differ and nothing sets them. */
const CLOSE_WAIT_NS = seconds(60);

export const ipvsTraits: RouteTraits = {
  localhostNodePorts: false,
  acceptsHealthChecks: true,
  refusesExternalAtOutput: true,
  refusesOnAllAddresses: false,
  // KUBE-IPVS-FILTER rejects what is aimed at a Service's address and no Service's port.
  rejectsUnknownPorts: true,
  dropsUnknownAddresses: false,
  dropsInvalid: false,
  sourceRangesFirst: true,
  withoutLocal: "virtualServer",
};

/** Only a SYN is scheduled (sloppy_tcp is off); what else comes for a virtual server is for the host itself. */
class IpvsRules extends RoutedRules {
  override decide(point: NatHookPoint, packet: FirstPacket, decision: NatDecision): void {
    super.decide(point, packet, decision);
    const isServed = this.route.verdict === "endpoints";
    if (isServed && packet.isMidstream === true) decision.verdict = NatVerdict.local;
  }
}

export class Ipvs implements Chooser, ConnectionWatcher {
  readonly establishedNs: DurationNs;
  readonly #plane: DataPlane;
  readonly #servers = new Map<number, VirtualServer>();
  readonly #byPort = new Map<number, VirtualServer[]>();
  readonly #connections = new Map<EntryId, RealServer>();
  /** Those of them that are no longer active. */
  readonly #inactive = new Set<EntryId>();
  /** Servers at weight 0 that still have connections, with the virtual server of each. */
  readonly #draining = new Map<RealServer, VirtualServer>();
  readonly #hashed: { -readonly [K in keyof Hashed]: Hashed[K] } = {
    source: 0,
    sourcePort: 0,
    destination: 0,
  };
  /** Chosen for the packet that is being judged; whose entry comes next, if one does. */
  #chosen: RealServer | null = null;
  #chosenIsTcp = true;
  /** Where the connection went whose tuple the packet uses again. */
  #reused: RealServer | null = null;

  constructor(plane: DataPlane) {
    this.#plane = plane;
    this.establishedNs = plane.profile.ipvs.tcpTimeoutNs;
  }

  /** Real servers of the virtual one that listens there; null before its first packet. */
  serversAt(address: AddressId, protocol: number, port: number): readonly RealServer[] | null {
    return this.#servers.get(destinationKey(address, protocol, port))?.servers ?? null;
  }

  choose(route: Route, packet: FirstPacket): RuleEndpoint | null {
    if (packet.isMidstream === true) return null;
    const server = this.#pick(this.#serverFor(route, packet), route, packet);
    this.#chosen = server;
    this.#chosenIsTcp = packet.protocol === TransportProtocol.TCP;
    return server?.endpoint ?? null;
  }

  walkNs(_route: Route, chosen: RuleEndpoint | null): number {
    if (chosen === null) this.#chosen = null;
    this.#reused = null;
    return this.#plane.profile.ipvs.lookupNs;
  }

  changed(before: readonly ServicePortRules[], after: readonly ServicePortRules[]): void {
    for (const old of before) {
      const { position } = old;
      const servers = this.#byPort.get(position);
      if (servers === undefined) continue;
      const rules = after.find((each) => each.position === position);
      const kept = servers.filter((server) => this.#sync(server, rules));
      if (kept.length > 0) this.#byPort.set(position, kept);
      else this.#byPort.delete(position);
    }
  }

  /** ip_vs_conn_expire() drops the conntrack entry too. */
  lifeNs(entry: EntryId, state: CtStateCode): DurationNs {
    if (!this.#connections.has(entry)) return Infinity;
    if (state === CtState.established) return this.establishedNs;
    if (state === CtState.finWait) return this.#plane.profile.ipvs.tcpFinTimeoutNs;
    return state === CtState.closeWait ? CLOSE_WAIT_NS : Infinity;
  }

  keeps(entry: EntryId): boolean {
    return this.#connections.has(entry);
  }

  began(entry: EntryId): void {
    const server = this.#chosen;
    if (server === null) return;
    this.#chosen = null;
    this.#connections.set(entry, server);
    if (this.#chosenIsTcp) {
      server.active++;
      return;
    }
    server.inactive++;
    this.#inactive.add(entry);
  }

  activity(entry: EntryId, isActive: boolean): void {
    const server = this.#connections.get(entry);
    if (server === undefined || isActive !== this.#inactive.has(entry)) return;
    server.active += isActive ? 1 : -1;
    server.inactive += isActive ? -1 : 1;
    if (isActive) this.#inactive.delete(entry);
    else this.#inactive.add(entry);
  }

  reopened(entry: EntryId): void {
    this.#reused = this.#connections.get(entry) ?? null;
  }

  ended(entry: EntryId): void {
    const server = this.#connections.get(entry);
    if (server === undefined) return;
    this.#connections.delete(entry);
    if (this.#inactive.delete(entry)) server.inactive--;
    else server.active--;
  }

  #serverFor({ destination, candidates }: Route, packet: FirstPacket): VirtualServer {
    const { destination: address, destinationPort: port, protocol } = packet;
    const key = destinationKey(address, protocol, port);
    let server = this.#servers.get(key);
    if (server !== undefined) return server;
    const { addresses } = this.#plane.view;
    const { rules, kind } = destination!;
    const { scheduler } = this.#plane.profile.ipvs;
    server = new VirtualServer({ address, port, protocol, kind }, scheduler, (endpoint) => {
      return (addresses.fold(endpoint.address) + endpoint.port) >>> 0;
    });
    server.sync(candidates);
    this.#servers.set(key, server);
    const { position } = rules;
    this.#byPort.set(position, [...(this.#byPort.get(position) ?? []), server]);
    return server;
  }

  #pick(
    server: VirtualServer,
    route: Route,
    { source, sourcePort }: FirstPacket,
  ): RealServer | null {
    const reused = this.#reused;
    const { sim, profile, view } = this.#plane;
    if (reused !== null && profile.ipvs.connReuseMode === 0 && server.servers.includes(reused)) {
      return reused;
    }
    const { affinityNs } = route.destination!.rules;
    const bound = affinityNs === null ? null : server.boundTo(source, sim.nowNs);
    this.#hashed.source = view.addresses.fold(source);
    this.#hashed.sourcePort = sourcePort;
    this.#hashed.destination = view.addresses.fold(server.at.address);
    const chosen = bound ?? server.schedule(this.#hashed);
    if (affinityNs !== null && chosen !== null) {
      server.bind(source, chosen, sim.nowNs + affinityNs);
    }
    return chosen;
  }

  /** @returns whether the Service still has a virtual server there */
  #sync(server: VirtualServer, rules: ServicePortRules | undefined): boolean {
    const { address, port, protocol, kind } = server.at;
    const { table } = this.#plane;
    const now =
      kind === DestinationKind.nodePort
        ? table.atNodePort(protocol, port, rules?.family)
        : table.atAddress(address, protocol, port);
    if (rules === undefined || now?.rules !== rules) {
      this.#servers.delete(destinationKey(address, protocol, port));
      return false;
    }
    for (const gone of server.sync(virtualServerEndpoints(rules, kind))) {
      this.#drain(gone, server);
    }
    return true;
  }

  /** GracefulDeleteRS: gone at once without connections, else looked at again each minute. */
  #drain(server: RealServer, of: VirtualServer): void {
    if (this.#deleteIfIdle(server, of)) return;
    if (this.#draining.size === 0) this.#lookLater();
    this.#draining.set(server, of);
  }

  #lookLater(): void {
    const { sim, profile } = this.#plane;
    const { drainCheckNs } = profile.ipvs;
    const nextNs = (Math.floor(sim.nowNs / drainCheckNs) + 1) * drainCheckNs;
    sim.callAt(nextNs, Phase.topology, () => {
      for (const [server, of] of this.#draining) {
        if (server.weight > 0 || this.#deleteIfIdle(server, of)) this.#draining.delete(server);
      }
      if (this.#draining.size > 0) this.#lookLater();
    });
  }

  /** UDP and SCTP servers do not wait, and their flows are scheduled anew (expire_nodest_conn). */
  #deleteIfIdle(server: RealServer, of: VirtualServer): boolean {
    const waits = of.at.protocol === TransportProtocol.TCP;
    const mayBeBusy = server.active + server.inactive > 0;
    if (mayBeBusy && !this.#isFree(server, waits)) return false;
    of.delete(server);
    return true;
  }

  #isFree(server: RealServer, waits: boolean): boolean {
    const { connections } = this.#plane;
    for (const [entry, each] of this.#connections) {
      if (each !== server) continue;
      if (!waits) connections?.forget(entry);
      else if (connections?.isExpired(entry) !== true) return false;
    }
    return true;
  }
}

export const ipvs: ProxyMode = {
  // The flag for masquerading is iptables', also in this mode.
  settings: ({ ipvs: own, iptables }) => ({
    ...own,
    masqueradeAll: iptables.masqueradeAll,
    localhostNodePorts: false,
    defaultNodePortAddresses: [],
  }),
  hasLargeClusterMode: false,
  syncNs({ ipvs: own }, { size, changedEndpoints, full }) {
    const endpoints = full ? size.endpoints : changedEndpoints;
    return own.syncNs + size.services * own.serviceNs + endpoints * own.endpointNs;
  },
  rules(plane) {
    const state = new Ipvs(plane);
    return {
      nat: new IpvsRules(plane, ipvsTraits, state),
      socketNat: null,
      watcher: state,
      changed: (before, after) => state.changed(before, after),
    };
  },
};
