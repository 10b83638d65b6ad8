/**
 * Follows chosen requests through a second run, the same as the first: their tries, and every packet of theirs.
 *
 * Owns: which packet belongs to which request. A packet is known by the socket that sent it, or as an answer to one that
 * was known: it comes from where that one went, whatever was translated on the way. Refuses to own: a packet's own way
 * (inspect/trace/recorder.ts) and the look of it (requests.ts).
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { HopPlaces } from "../../inspect/trace/hopPlaces.ts";
import { PacketRecorder, type RuleBook } from "../../inspect/trace/recorder.ts";
import type { TrackVerdict } from "../../network/conntrack.ts";
import { DROPPED, type Hop } from "../../network/hop.ts";
import type { Egress, Host, Namespace } from "../../network/host.ts";
import { TransportProtocol, type NatHookPoint } from "../../network/nat.ts";
import { Flag, ICMP_FLAGS, type Packet } from "../../network/packet.ts";
import type { PacketTap } from "../../network/tap.ts";
import { Directory } from "../../observe/directory.ts";
import type { Observer, OutcomeCode } from "../../observe/index.ts";
import type { Run } from "../../scenario/compile.ts";
import type { EndedRequest } from "./filter.ts";

export interface FollowedPacket {
  readonly recorder: PacketRecorder;
  /** From the client; else towards it. */
  readonly isOut: boolean;
  readonly flags: number;
  readonly protocol: Packet["protocol"];
  readonly payloadBytes: number;
  readonly segments: number;
  /** 0 for what is sent for the first time. */
  readonly attempt: number;
}

/** When each part of a try was over; absent: it did not come to that. */
export interface TryTimes {
  connected?: SimTimeNs;
  requestSent?: SimTimeNs;
  requestArrived?: SimTimeNs;
  serviceStarted?: SimTimeNs;
  answerSent?: SimTimeNs;
  answerArrived?: SimTimeNs;
}

export interface FollowedTry {
  readonly startedAtNs: SimTimeNs;
  /** It opened the connection. */
  readonly isNew: boolean;
  endedAtNs: SimTimeNs | null;
  outcome: OutcomeCode | null;
  endpoint: number;
  node: number;
  readonly times: TryTimes;
  readonly packets: FollowedPacket[];
}

export interface FollowedRequest {
  readonly request: EndedRequest;
  readonly tries: FollowedTry[];
}

/** A client's socket, and the try that uses it now. */
interface Connection {
  current: FollowedTry | null;
}

/** A span tells how long the rules took, not which they were. */
const NO_RULES: RuleBook = { matched: () => [], nameOf: (_host, point) => point };

export class RequestFollower implements Observer, PacketTap {
  readonly directory = new Directory();
  readonly followed = new Map<number, FollowedRequest>();
  #run!: Run;
  #newRecorder!: () => PacketRecorder;
  readonly #bySocket = new Map<number, Connection>();
  /** By the addresses and ports that its packets had anywhere on their way to the server. */
  readonly #byFlow = new Map<string, Connection>();
  /** By where a server sees its requests come from. */
  readonly #byPeer = new Map<string, Connection>();
  readonly #openSockets = new Map<number, number>();
  /** By the packet's id, while it is under way; null: of no request that is followed. */
  readonly #packets: (FollowedPacket | null | undefined)[] = [];
  /** By the packet's id too: whose it is. */
  readonly #owners: (Connection | undefined)[] = [];
  /** A SYN is sent before it is told for which request. */
  #fresh: { readonly packet: Packet; readonly socket: number; followed: FollowedPacket } | null =
    null;

  constructor(chosen: readonly EndedRequest[]) {
    for (const request of chosen) this.followed.set(request.number, { request, tries: [] });
  }

  get observers(): readonly Observer[] {
    return [this.directory, this];
  }

  /** Before it begins. */
  attach(run: Run, placeOf: (namespace: Namespace) => string): void {
    this.#run = run;
    const { network } = run.stack;
    const places = new HopPlaces(network, placeOf);
    const all = (): boolean => true;
    this.#newRecorder = () => new PacketRecorder(network, placeOf, NO_RULES, all, places);
    run.stack.tap = this;
  }

  attemptStarted(
    number: number,
    _client: number,
    _service: number,
    _attempt: number,
    socket: number,
    isNew: 0 | 1,
  ): void {
    const fresh = this.#fresh;
    this.#fresh = null;
    const followed = this.followed.get(number);
    if (followed === undefined) {
      if (fresh !== null) this.#letGo(fresh.packet, fresh.followed);
      return;
    }
    const own: FollowedTry = {
      startedAtNs: this.#run.nowNs,
      isNew: isNew === 1,
      endedAtNs: null,
      outcome: null,
      endpoint: -1,
      node: -1,
      times: {},
      packets: [],
    };
    followed.tries.push(own);
    if (socket < 0) return;
    const connection: Connection = { current: own };
    this.#bySocket.set(socket, connection);
    this.#openSockets.set(number, socket);
    if (fresh?.socket !== socket) return;
    own.packets.push(fresh.followed);
    this.#owners[fresh.packet.id] = connection;
    this.#byFlow.set(flowOf(fresh.packet), connection);
  }

  attemptEnded(number: number, outcome: OutcomeCode, endpoint: number, node: number): void {
    const followed = this.followed.get(number);
    if (followed === undefined) return;
    const last = followed.tries.at(-1);
    if (last === undefined || last.endedAtNs !== null) return;
    Object.assign(last, { endedAtNs: this.#run.nowNs, outcome, endpoint, node });
    const socket = this.#openSockets.get(number);
    if (socket === undefined) return;
    const connection = this.#bySocket.get(socket);
    if (connection?.current === last) connection.current = null;
    this.#bySocket.delete(socket);
    this.#openSockets.delete(number);
  }

  serviceStarted(id: number, peer: number, peerPort: number): void {
    const socket = this.#run.transport.sockets.all[id]!;
    const { protocol, remoteAddress, remotePort, localPort } = socket;
    const key =
      peer < 0
        ? peerKey(protocol, remoteAddress, remotePort, localPort)
        : peerKey(protocol, peer, peerPort, localPort);
    const own = this.#byPeer.get(key)?.current;
    if (own != null) own.times.serviceStarted ??= this.#run.nowNs;
  }

  crossed(packet: Packet, hop: Hop, atNs: SimTimeNs, waitNs: number, leftNs: number): void {
    this.#of(packet)?.recorder.crossed(packet, hop, atNs, waitNs, leftNs);
    if (leftNs === DROPPED) this.#ended(packet);
  }

  entering(packet: Packet, host: Host, point: NatHookPoint): void {
    this.#of(packet)?.recorder.entering(packet, host, point);
  }

  tracked(packet: Packet, host: Host, verdict: TrackVerdict): void {
    const followed = this.#of(packet);
    if (followed === null) return;
    followed.recorder.tracked(packet, host, verdict);
    const owner = this.#owners[packet.id];
    // Translated, perhaps: what answers it will come from there.
    if (followed.isOut && owner !== undefined) this.#byFlow.set(flowOf(packet), owner);
  }

  routed(packet: Packet, host: Host, egress: Egress): void {
    this.#of(packet)?.recorder.routed(packet, host, egress);
  }

  dropped(packet: Packet, place: string, cause: string): void {
    this.#of(packet)?.recorder.dropped(packet, place, cause);
    this.#ended(packet);
  }

  delivered(packet: Packet, namespace: Namespace): void {
    const followed = this.#of(packet);
    if (followed !== null) {
      followed.recorder.delivered(packet, namespace);
      this.#arrived(packet, followed);
    }
    this.#ended(packet);
  }

  #arrived(packet: Packet, { isOut, flags, payloadBytes }: FollowedPacket): void {
    const owner = this.#owners[packet.id];
    const times = owner?.current?.times;
    if (owner === undefined || times === undefined) return;
    const { nowNs } = this.#run;
    const isLast = packet.protocol === TransportProtocol.UDP || (flags & Flag.push) !== 0;
    if (!isOut && (flags & Flag.syn) !== 0) times.connected ??= nowNs;
    if (payloadBytes === 0 || !isLast) return;
    if (isOut) {
      times.requestArrived ??= nowNs;
      const { protocol, source, sourcePort, destinationPort } = packet;
      this.#byPeer.set(peerKey(protocol, source, sourcePort, destinationPort), owner);
    } else times.answerArrived ??= nowNs;
  }

  #of(packet: Packet): FollowedPacket | null {
    const known = this.#packets[packet.id];
    if (known !== undefined) return known;
    const found = this.#identified(packet);
    this.#packets[packet.id] = found;
    return found;
  }

  /** At its first step. */
  #identified(packet: Packet): FollowedPacket | null {
    const { originSocket, flags } = packet;
    const own = originSocket < 0 ? undefined : this.#bySocket.get(originSocket);
    const connection = own ?? this.#byFlow.get(answeredFlow(packet));
    if (connection?.current != null) {
      const followed = this.#newPacket(packet, own !== undefined);
      this.#owners[packet.id] = connection;
      if (own !== undefined) this.#byFlow.set(flowOf(packet), connection);
      connection.current.packets.push(followed);
      this.#sent(connection.current.times, followed);
      return followed;
    }
    const opens = (flags & (Flag.syn | Flag.ack)) === Flag.syn && originSocket >= 0;
    if (!opens || packet.attempt > 0) return null;
    const followed = this.#newPacket(packet, true);
    this.#fresh = { packet, socket: originSocket, followed };
    return followed;
  }

  #sent(times: TryTimes, { isOut, payloadBytes, flags }: FollowedPacket): void {
    if (payloadBytes === 0 || (flags & ICMP_FLAGS) !== 0) return;
    if (isOut) times.requestSent ??= this.#run.nowNs;
    else times.answerSent ??= this.#run.nowNs;
  }

  #newPacket(packet: Packet, isOut: boolean): FollowedPacket {
    const { flags, protocol, payloadBytes, packets: segments, attempt } = packet;
    const recorder = this.#newRecorder();
    return { recorder, isOut, flags, protocol, payloadBytes, segments, attempt };
  }

  #letGo(packet: Packet, followed: FollowedPacket): void {
    if (this.#packets[packet.id] === followed) this.#packets[packet.id] = null;
  }

  #ended({ id }: Packet): void {
    this.#packets[id] = undefined;
    this.#owners[id] = undefined;
  }
}

function flowOf({ protocol, source, sourcePort, destination, destinationPort }: Packet): string {
  return `${protocol} ${source}:${sourcePort} ${destination}:${destinationPort}`;
}

/** The flow that a packet answers. */
function answeredFlow(packet: Packet): string {
  const { protocol, source, sourcePort, destination, destinationPort } = packet;
  return `${protocol} ${destination}:${destinationPort} ${source}:${sourcePort}`;
}

function peerKey(protocol: number, peer: number, peerPort: number, ownPort: number): string {
  return `${protocol} ${peer}:${peerPort} ${ownPort}`;
}
