/**
 * eBPF mode: Cilium's replacement of kube-proxy. A pod's connect() is given its endpoint before there is a
 * packet; what comes from outside is translated where it comes in, at the NIC.
 *
 * Owns: the two places, Maglev and the random choice, what is masqueraded at the NIC, and costs. Refuses to
 * own: which endpoints may be chosen (route.ts), Maglev's table (maglev.ts). Source: Cilium's
 * "Kubernetes Without kube-proxy" (stable), bpf/bpf_sock.c, bpf/lib/nodeport.h, pkg/maglev.
 *
 * Not modelled: DSR, XDP, the LRU limits of the maps, a pod's connect() to the node port of another node
 * (which its own node could translate; here that node does), and Cilium's own hash functions.
 */
import type { AddressTable } from "../../../network/address.ts";
import {
  NatVerdict,
  type FirstPacket,
  type NatDecision,
  type NatHookPoint,
} from "../../../network/nat.ts";
import { AffinityLists } from "../affinity.ts";
import { AffineChooser, type Draw } from "../choosers.ts";
import type { DataPlane, ProxyMode } from "../contract.ts";
import { maglevTable } from "../maglev.ts";
import { RoutedRules, type Chooser } from "../natRules.ts";
import type { RouteTraits } from "../route.ts";
import { DestinationKind, type RuleEndpoint } from "../rules.ts";

export const ebpfTraits: RouteTraits = {
  localhostNodePorts: true,
  acceptsHealthChecks: false,
  refusesExternalAtOutput: true,
  refusesOnAllAddresses: false,
  rejectsUnknownPorts: false,
  dropsUnknownAddresses: false,
  dropsInvalid: false,
  sourceRangesFirst: true,
  // service-no-backend-response: reject.
  withoutLocal: "reject",
};

/** connect(): the socket talks to the endpoint itself, so nothing is masqueraded and nothing tracked. */
class SocketRules extends RoutedRules {
  override decide(point: NatHookPoint, packet: FirstPacket, decision: NatDecision): void {
    super.decide(point, packet, decision);
    decision.masquerade = false;
    // What only the NIC knows how to judge goes there as it is.
    if (decision.verdict === NatVerdict.drop) decision.verdict = NatVerdict.accept;
  }
}

/** At the NIC: the client's address is hidden only from endpoints on other nodes, whose replies must come back here. */
class NicRules extends RoutedRules {
  readonly #plane: DataPlane;

  constructor(plane: DataPlane, chooser: Chooser) {
    super(plane, ebpfTraits, chooser);
    this.#plane = plane;
  }

  override decide(point: NatHookPoint, packet: FirstPacket, decision: NatDecision): void {
    const { isHere } = this.#plane.view;
    if (this.#isForeignToClusterIP(packet)) return;
    super.decide(point, packet, decision);
    if (packet.source !== decision.dnatAddress && isHere(decision.dnatAddress)) {
      decision.masquerade = false;
    }
  }

  /** bpf.lbExternalClusterIP is off: a ClusterIP means nothing to what comes from outside. */
  #isForeignToClusterIP({ destination, destinationPort, protocol, source }: FirstPacket): boolean {
    const { table, view } = this.#plane;
    const found = table.atAddress(destination, protocol, destinationPort);
    if (found?.kind !== DestinationKind.clusterIP || view.isOwn(source)) return false;
    return this.isForeign(source);
  }
}

/** Nodes that hold one version of the endpoints hold one table. */
const tables = new WeakMap<readonly RuleEndpoint[], Int32Array>();

export function maglevTableOf(candidates: readonly RuleEndpoint[], size: number): Int32Array {
  let table = tables.get(candidates);
  if (table?.length !== size) {
    const permutations = candidates.map(({ text }) => ({
      offset: hashText(text, 0x9747b28c) % size,
      skip: (hashText(text, 0x3c6ef372) % (size - 1)) + 1,
      turns: 1,
    }));
    tables.set(candidates, (table = maglevTable(size, permutations)));
  }
  return table;
}

/** By the hash of the whole tuple: equal on every node, whatever else it has seen. */
function maglevDraw(addresses: AddressTable, size: number): Draw {
  return (candidates, packet) =>
    maglevTableOf(candidates, size)[hashTuple(addresses, packet) % size]!;
}

function hashTuple(addresses: AddressTable, packet: FirstPacket): number {
  const { source, sourcePort, destination, destinationPort, protocol } = packet;
  let hash = mix(0x9e3779b9, addresses.fold(source));
  hash = mix(hash, (sourcePort << 16) | destinationPort);
  hash = mix(hash, addresses.fold(destination));
  return finish(mix(hash, protocol));
}

function hashText(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = mix(hash, text.charCodeAt(i));
  return finish(hash);
}

/** One word into the hash, and its end, as MurmurHash3 does it. */
function mix(hash: number, word: number): number {
  const k = Math.imul(word, 0xcc9e2d51);
  const h = hash ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  return Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64;
}

function finish(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export const ebpf: ProxyMode = {
  settings: ({ ebpf: own }) => ({
    ...own,
    masqueradeAll: false,
    localhostNodePorts: true,
    defaultNodePortAddresses: [],
  }),
  hasLargeClusterMode: false,
  syncNs({ ebpf: own }, { size, changedServices, changedEndpoints, full }) {
    const services = full ? size.services : changedServices;
    const endpoints = full ? size.endpoints : changedEndpoints;
    const tablesNs = own.algorithm === "maglev" ? services * own.maglevTableNs : 0;
    return (services + endpoints) * own.mapUpdateNs + tablesNs;
  },
  rules(plane) {
    const { algorithm, maglevTableSize, socketLB, lookupNs } = plane.profile.ebpf;
    const affinity = new AffinityLists(Infinity);
    const random: Draw = (candidates) => plane.stream.below(candidates.length);
    const atNic =
      algorithm === "maglev" ? maglevDraw(plane.view.addresses, maglevTableSize) : random;
    const chooserWith = (draw: Draw): Chooser => new AffineChooser(plane, affinity, draw, costOf);
    const costOf = (route: { readonly destination: unknown }): number =>
      route.destination === null ? 0 : lookupNs;
    return {
      nat: new NicRules(plane, chooserWith(atNic)),
      socketNat: socketLB ? new SocketRules(plane, ebpfTraits, chooserWith(random)) : null,
      watcher: null,
      changed: (before, after) => affinity.changed(before, after),
    };
  },
};
