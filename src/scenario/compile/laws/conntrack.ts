/**
 * Law 9, tracking: each host's table holds an entry for each connection that passes it, and no tuple twice,
 * so that no translated port is in use twice for one destination; families never mix.
 *
 * Owns: comparing the tables with the sockets and with themselves at the end of a run. What the table had no
 * room for, and what has been silent for longer than an entry lives, is not looked for.
 */
import type { Conntrack } from "../../../network/conntrack.ts";
import { EntryFlag, Direction, type ConntrackTables } from "../../../network/conntrackTable.ts";
import type { Host } from "../../../network/host.ts";
import type { Network } from "../../../network/network.ts";
import { SocketState, type Socket } from "../../../network/socket.ts";
import { TransportProtocol } from "../../../network/nat.ts";
import type { BrokenLaw } from "../../../observe/report.ts";
import type { LawContext } from "./contract.ts";

const LAW = "9 tracking";

type Context = Pick<LawContext, "network" | "transport" | "nowNs">;

export function* tracking({ network, transport, nowNs }: Context): Generator<BrokenLaw> {
  const found = (host: number, detail: string): BrokenLaw => ({
    law: LAW,
    entity: `node/${network.hosts[host]!.name}`,
    atNs: nowNs,
    detail,
  });
  const tuples = new Set<string>();
  const counts = network.hosts.map(() => 0);
  const { conntracks } = network;
  for (let id = 0; id < conntracks.size; id++) {
    if (!conntracks.isAlive(id)) continue;
    const host = conntracks.hostOf(id);
    counts[host]!++;
    for (const tuple of tuplesOf(conntracks, id)) {
      const text = `${host} ${tuple}`;
      if (tuples.has(text)) yield found(host, `two entries have the tuple ${tuple}`);
      tuples.add(text);
    }
    const mixed = families(network, id);
    if (mixed !== null) yield found(host, `an entry mixes families: ${mixed}`);
  }
  for (const [index, { conntrack }] of network.hosts.entries()) {
    if (conntrack !== null && conntrack.count !== counts[index]) {
      yield found(index, `counts ${conntrack.count} entries and has ${counts[index]}`);
    }
  }
  for (const socket of transport.sockets.all) {
    const host = passedHost(network, socket, transport.sockets.all, nowNs);
    if (host === null) continue;
    const tuple = tupleText(socket.protocol, [
      socket.localAddress,
      socket.localPort,
      socket.remoteAddress,
      socket.remotePort,
    ]);
    if (!tuples.has(`${host.index} ${tuple}`)) {
      yield found(host.index, `has no entry for the open connection ${tuple}`);
    }
  }
}

function tupleText(protocol: number, numbers: readonly number[]): string {
  return `${protocol} ${numbers.join(" ")}`;
}

/** The tuples by which packets find an entry. */
function* tuplesOf(tables: ConntrackTables, id: number): Generator<string> {
  const isClash = (tables.flagsOf(id) & EntryFlag.clash) !== 0;
  for (const direction of [Direction.original, Direction.reply] as const) {
    if (isClash && direction === Direction.original) continue;
    yield tupleText(tables.protocolOf(id), [
      tables.sourceOf(id, direction),
      tables.sourcePortOf(id, direction),
      tables.destinationOf(id, direction),
      tables.destinationPortOf(id, direction),
    ]);
  }
}

/** The addresses of an entry that mixes families, or null. */
function families({ conntracks, addresses }: Network, id: number): string | null {
  const { original, reply } = Direction;
  const all = [original, reply].flatMap((direction) => [
    conntracks.sourceOf(id, direction),
    conntracks.destinationOf(id, direction),
  ]);
  const isMixed = new Set(all.map((address) => addresses.family(address))).size > 1;
  return isMixed ? all.map((address) => addresses.text(address)).join(" ") : null;
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
  if (!isWhole || nowNs >= network.profile.conntrack.establishedNs) return null;
  const host = network.hosts[namespace.host]!;
  return host.conntrack !== null && hasKeptAll(host.conntrack) ? host : null;
}

function hasKeptAll({ counters }: Conntrack): boolean {
  // What kube-proxy deletes is UDP's, and no open connection.
  return counters.earlyDropped === 0 && counters.dropped === 0;
}
