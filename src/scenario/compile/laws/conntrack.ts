/**
 * Law 9, tracking: each host's table holds an entry for each connection that passes it, and no tuple twice,
 * so that no translated port is in use twice for one destination; families never mix. And the other way round:
 * entries are those of live connections and of those that linger for the time-out of their state.
 *
 * Owns: comparing the tables with the sockets and with themselves at the end of a run. What the table had no
 * room for, what somebody flushed, and what has been silent for longer than an entry lives, is not looked for.
 */
import { seconds } from "../../../engine/index.ts";
import type { Conntrack } from "../../../network/conntrack.ts";
import { CtState, timeoutsOf } from "../../../network/conntrackStates.ts";
import {
  Direction,
  EntryFlag,
  NO_ENTRY,
  type ConntrackTables,
  type DirectionCode,
  type Tuple,
} from "../../../network/conntrackTable.ts";
import type { Host } from "../../../network/host.ts";
import type { Network } from "../../../network/network.ts";
import { SocketState, type Socket } from "../../../network/socket.ts";
import { TransportProtocol } from "../../../network/nat.ts";
import type { BrokenLaw } from "../../../observe/report.ts";
import type { LawContext } from "./contract.ts";

const LAW = "9 tracking";

const REPLY_ONLY = [Direction.reply] as const;
const BOTH = [Direction.original, Direction.reply] as const;

type Context = Pick<LawContext, "network" | "transport" | "nowNs">;

export function* tracking({ network, transport, nowNs }: Context): Generator<BrokenLaw> {
  const found = (host: number, detail: string): BrokenLaw => ({
    law: LAW,
    entity: `node/${network.hosts[host]!.name}`,
    atNs: nowNs,
    detail,
  });
  const counts = network.hosts.map(() => 0);
  const { conntracks } = network;
  const tuple = { source: 0, sourcePort: 0, destination: 0, destinationPort: 0 };
  for (let id = 0; id < conntracks.size; id++) {
    if (!conntracks.isAlive(id)) continue;
    const host = conntracks.hostOf(id);
    counts[host]!++;
    const isClash = (conntracks.flagsOf(id) & EntryFlag.clash) !== 0;
    for (const direction of isClash ? REPLY_ONLY : BOTH) {
      readTuple(conntracks, id, direction, tuple);
      // Of two entries with one tuple a lookup finds only one.
      if (conntracks.find(host, conntracks.protocolOf(id), tuple) === 2 * id + direction) continue;
      yield found(host, `two entries have the tuple ${textOf(network, tuple)}`);
    }
    const mixed = families(network, id);
    if (mixed !== null) yield found(host, `an entry mixes families: ${mixed}`);
  }
  yield* lingering({ network, transport, nowNs }, found);
  for (const [index, { conntrack }] of network.hosts.entries()) {
    if (conntrack !== null && conntrack.count !== counts[index]) {
      yield found(index, `counts ${conntrack.count} entries and has ${counts[index]}`);
    }
  }
  for (const socket of transport.sockets.all) {
    const host = passedHost(network, socket, transport.sockets.all, nowNs);
    if (host === null) continue;
    tuple.source = socket.localAddress;
    tuple.sourcePort = socket.localPort;
    tuple.destination = socket.remoteAddress;
    tuple.destinationPort = socket.remotePort;
    if (conntracks.find(host.index, socket.protocol, tuple) === NO_ENTRY) {
      yield found(host.index, `has no entry for the open connection ${textOf(network, tuple)}`);
    }
  }
}

type Found = (host: number, detail: string) => BrokenLaw;

/** Packets are under way for less, and their entries are made by the time at which they will be there. */
const SLACK_NS = seconds(1);

/** No entry without a connection outlives its time. */
function* lingering({ network, transport, nowNs }: Context, found: Found): Generator<BrokenLaw> {
  const { conntracks, profile } = network;
  const timeouts = timeoutsOf(profile.conntrack);
  const newestNs = network.hosts.map(() => -Infinity);
  for (let id = 0; id < conntracks.size; id++) {
    if (!conntracks.isAlive(id)) continue;
    const host = conntracks.hostOf(id);
    newestNs[host] = Math.max(newestNs[host]!, conntracks.confirmsAtNs[id]!);
  }
  const live = new LiveConnections(network, transport.sockets.all);
  const tuple = { source: 0, sourcePort: 0, destination: 0, destinationPort: 0 };
  for (let id = 0; id < conntracks.size; id++) {
    if (!conntracks.isAlive(id)) continue;
    const host = conntracks.hostOf(id);
    const expiresNs = conntracks.expiresAtNs[id]!;
    readTuple(conntracks, id, Direction.original, tuple);
    // Each first packet finds out whether the collector is due, and it passes each entry once an interval.
    const collectedNs = expiresNs + profile.conntrack.collectIntervalNs + SLACK_NS;
    if (collectedNs < newestNs[host]!) {
      yield found(host, `still holds ${textOf(network, tuple)}, which expired at ${expiresNs} ns`);
    }
    const state = conntracks.stateOf(id);
    if (expiresNs > nowNs + timeouts[state]!) {
      yield found(host, `holds ${textOf(network, tuple)} for longer than its state's time-out`);
    }
    const isOpen = state === CtState.established && expiresNs > nowNs;
    if (isOpen && hasKeptAll(network.hosts[host]!.conntrack!) && !live.mayHold(id)) {
      yield found(host, `holds ${textOf(network, tuple)} as open, and it has no socket`);
    }
  }
}

/** The sockets' connections, to be asked about entries. */
class LiveConnections {
  readonly #network: Network;
  /** Remote ends by local end. */
  readonly #sockets = new Map<number, Set<number>>();
  readonly #addresses = new Set<number>();

  constructor(network: Network, sockets: readonly Socket[]) {
    this.#network = network;
    for (const { addresses, alive } of network.namespaces) {
      if (alive) for (const address of addresses) this.#addresses.add(address);
    }
    for (const socket of sockets) {
      if (socket.state === SocketState.free || socket.protocol !== TransportProtocol.TCP) continue;
      const local = endOf(socket.localAddress, socket.localPort);
      let remotes = this.#sockets.get(local);
      if (remotes === undefined) this.#sockets.set(local, (remotes = new Set()));
      remotes.add(endOf(socket.remoteAddress, socket.remotePort));
    }
  }

  /** Whether one of its ends has a socket, or its end may have passed the host unseen: a packet lost, a pod gone, a node down. */
  mayHold(id: number): boolean {
    const { packets, conntracks } = this.#network;
    if (packets.dropped > 0) return true;
    const tuple = { source: 0, sourcePort: 0, destination: 0, destinationPort: 0 };
    return BOTH.some((direction) => {
      readTuple(conntracks, id, direction, tuple);
      if (!this.#addresses.has(tuple.source)) return true;
      const remotes = this.#sockets.get(endOf(tuple.source, tuple.sourcePort));
      return remotes?.has(endOf(tuple.destination, tuple.destinationPort)) === true;
    });
  }
}

function endOf(address: number, port: number): number {
  return 65_536 * address + port;
}

type MutableTuple = { -readonly [K in keyof Tuple]: Tuple[K] };

function textOf({ addresses }: Network, tuple: Tuple): string {
  const { source, sourcePort, destination, destinationPort } = tuple;
  return `${addresses.text(source)}:${sourcePort} ${addresses.text(destination)}:${destinationPort}`;
}

function readTuple(
  tables: ConntrackTables,
  id: number,
  direction: DirectionCode,
  into: MutableTuple,
): void {
  into.source = tables.sourceOf(id, direction);
  into.sourcePort = tables.sourcePortOf(id, direction);
  into.destination = tables.destinationOf(id, direction);
  into.destinationPort = tables.destinationPortOf(id, direction);
}

/** The addresses of an entry that mixes families, or null. */
function families({ conntracks, addresses }: Network, id: number): string | null {
  const family = addresses.family(conntracks.sourceOf(id, Direction.original));
  const isMixed = BOTH.some(
    (direction) =>
      addresses.family(conntracks.sourceOf(id, direction)) !== family ||
      addresses.family(conntracks.destinationOf(id, direction)) !== family,
  );
  if (!isMixed) return null;
  const all = BOTH.flatMap((each) => [
    conntracks.sourceOf(id, each),
    conntracks.destinationOf(id, each),
  ]);
  return all.map((address) => addresses.text(address)).join(" ");
}

/** The tracking host by which a client's open connection leaves, if its entry must still be there. */
function passedHost(
  network: Network,
  socket: Socket,
  sockets: readonly Socket[],
  nowNs: number,
): Host | null {
  const { namespace, remoteAddress, state, listener, protocol } = socket;
  if (state !== SocketState.established || protocol !== TransportProtocol.TCP) return null;
  if (listener !== null || namespace === null || namespace.addresses.has(remoteAddress))
    return null;
  const peer = sockets[socket.peer];
  const isWhole = peer?.state === SocketState.established && peer.peer === socket.id;
  if (!isWhole) return null;
  const host = network.hosts[namespace.host]!;
  const watchedNs = host.conntrack?.watcher?.establishedNs ?? Infinity;
  if (nowNs >= Math.min(watchedNs, network.profile.conntrack.establishedNs)) return null;
  return host.conntrack !== null && hasKeptAll(host.conntrack) ? host : null;
}

/** Whether no entry has left a host's table before its time. */
export function hasKeptAll({ counters }: Conntrack): boolean {
  // What kube-proxy deletes is UDP's, and no open connection.
  return counters.earlyDropped === 0 && counters.dropped === 0 && counters.flushes === 0;
}
