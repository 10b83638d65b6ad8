/**
 * Connection tracking and NAT of every host.
 *
 * Owns: the entries (one a connection and host), their TCP state and time-out, and the translation of
 * each later packet as the first one was translated. Refuses to own: which endpoint a new connection
 * gets (NatRules) and where a packet goes next (stack.ts).
 *
 * Not modelled: the race of two inserts for one tuple, expectations, zones.
 */
import type { RandomStream, Simulation } from "../engine/index.ts";
import { NO_ADDRESS, type AddressId } from "./address.ts";
import {
  Direction,
  NO_ENTRY,
  type ConntrackTables,
  type DirectionCode,
  type EntryId,
  type Tuple,
} from "./conntrackTable.ts";
import {
  NatVerdict,
  type FirstPacket,
  type NatDecision,
  type NatHookPoint,
  type NatRules,
} from "./nat.ts";
import { Flag, ICMP_FLAGS, type Packet } from "./packet.ts";
import type { LinuxProfile } from "./profile.ts";
import { DueQueue } from "./dueQueue.ts";

/** TCP states as nf_conntrack names them. */
export const CtState = {
  synSent: 0,
  synRecv: 1,
  established: 2,
  finWait: 3,
  timeWait: 4,
  close: 5,
} as const;
type CtStateCode = (typeof CtState)[keyof typeof CtState];

/** What track() decided about the packet. */
export const Track = { pass: 0, drop: 1, reject: 2 } as const;
export type TrackVerdict = (typeof Track)[keyof typeof Track];

export class Conntrack {
  /** Entry and direction of the packet last tracked; NO_ENTRY for one that passes untracked. */
  entry: EntryId = NO_ENTRY;
  direction: DirectionCode = Direction.original;
  /** Time its rules took, beyond an established connection's nothing; and why it was dropped. */
  walkNs = 0;
  cause = "";
  /** Whether the last packet made its entry. */
  isNew = false;
  count = 0;
  inserted = 0;

  private readonly sim: Simulation;
  private readonly host: number;
  private readonly hostAddress: AddressId;
  private readonly tables: ConntrackTables;
  private readonly profile: LinuxProfile["conntrack"];
  private readonly limit: number;
  private readonly natNsPerPacket: number;
  private readonly timeouts: readonly number[];
  private readonly snatStream: RandomStream;
  /** Entries in the order in which the collector looks at them. */
  private readonly collector = new DueQueue();
  private readonly decision: NatDecision = {
    verdict: NatVerdict.accept,
    dnatAddress: NO_ADDRESS,
    dnatPort: 0,
    masquerade: false,
    walkNs: 0,
    rule: "",
  };
  private readonly first: { -readonly [K in keyof FirstPacket]: FirstPacket[K] } = {
    protocol: 6,
    source: NO_ADDRESS,
    sourcePort: 0,
    destination: NO_ADDRESS,
    destinationPort: 0,
    destinationIsLocal: false,
    originSocket: -1,
  };
  private readonly reply: { -readonly [K in keyof Tuple]: Tuple[K] } = {
    source: NO_ADDRESS,
    sourcePort: 0,
    destination: NO_ADDRESS,
    destinationPort: 0,
  };

  constructor(
    sim: Simulation,
    options: {
      readonly host: number;
      readonly hostName: string;
      readonly address: AddressId;
      readonly cores: number;
      readonly profile: LinuxProfile["conntrack"];
      readonly tables: ConntrackTables;
      readonly natNsPerPacket?: number;
    },
  ) {
    const { profile } = options;
    this.sim = sim;
    this.host = options.host;
    this.hostAddress = options.address;
    this.tables = options.tables;
    this.natNsPerPacket = options.natNsPerPacket ?? 0;
    this.profile = profile;
    this.limit = Math.min(
      profile.maxEntries,
      Math.max(profile.minEntries, profile.maxPerCore * options.cores),
    );
    this.timeouts = [
      profile.synSentNs,
      profile.synRecvNs,
      profile.establishedNs,
      profile.finWaitNs,
      profile.timeWaitNs,
      profile.closeNs,
    ];
    this.snatStream = sim.streams.get(`conntrack/${options.hostName}`);
  }

  /**
   * Takes a packet through conntrack and nat: translates it in place and sets entry, direction, walkNs.
   * @param local addresses of the host itself
   * @param hints the origin socket's memory of entries, by tables met: twice the
   *   entry, plus the direction; checked, never trusted
   */
  track(
    packet: Packet,
    point: NatHookPoint,
    local: ReadonlySet<AddressId>,
    rules: NatRules | null,
    hints: Int32Array | null,
  ): TrackVerdict {
    this.walkNs = 0;
    this.isNew = false;
    if (this.find(packet, hints) && !this.reopens(packet.flags)) {
      this.follow(this.entry, packet);
      return Track.pass;
    }
    if ((packet.flags & ICMP_FLAGS) !== 0) return Track.pass;
    if ((packet.flags & Flag.rst) !== 0) {
      this.cause = "conntrack_invalid";
      return Track.drop;
    }
    const verdict = this.begin(packet, point, local.has(packet.destination), rules);
    const slot = packet.tables - 1;
    if (verdict === Track.pass && hints !== null && slot < hints.length) {
      hints[slot] = 2 * this.entry;
    }
    return verdict;
  }

  /** Takes back an entry whose first packet this host itself did not pass on (never confirmed). */
  unconfirm(): void {
    if (this.isNew && this.entry !== NO_ENTRY) this.remove(this.entry);
  }

  /** Looks at every entry, as the kernel does when the table is full, and forgets what timed out. */
  sweep(): void {
    const { tables } = this;
    const { nowNs } = this.sim;
    for (let id = 0; id < tables.size; id++) {
      if (tables.hostOf(id) !== this.host || !tables.isAlive(id)) continue;
      if (tables.expiresAtNs[id]! <= nowNs) this.remove(id);
    }
  }

  /** The collector in the background: each entry is looked at once an interval until it has expired. */
  private collect(): void {
    const { nowNs } = this.sim;
    const { collector, tables } = this;
    while (collector.nextDueNs <= nowNs) {
      const generation = collector.nextTag;
      const id = collector.take();
      if (!tables.isAlive(id) || tables.generationOf(id) !== generation) continue;
      if (tables.expiresAtNs[id]! <= nowNs) this.remove(id);
      else collector.push(id, generation, nowNs + this.profile.collectIntervalNs);
    }
  }

  private find(packet: Packet, hints: Int32Array | null): boolean {
    const slot = packet.tables++;
    const { tables } = this;
    if (hints !== null && slot < hints.length) {
      const hint = hints[slot]!;
      if (hint >= 0 && this.accept(hint >> 1, (hint & 1) as DirectionCode, packet)) return true;
    }
    this.entry = NO_ENTRY;
    const found = tables.find(this.host, packet.protocol, packet);
    if (found === NO_ENTRY) return false;
    const id = found >> 1;
    if (tables.expiresAtNs[id]! <= this.sim.nowNs) {
      this.remove(id);
      return false;
    }
    this.entry = id;
    this.direction = (found & 1) as DirectionCode;
    if (hints !== null && slot < hints.length) hints[slot] = found;
    return true;
  }

  private accept(id: EntryId, direction: DirectionCode, packet: Packet): boolean {
    const { tables } = this;
    if (!tables.matches(id, direction, this.host, packet.protocol, packet)) return false;
    if (tables.expiresAtNs[id]! <= this.sim.nowNs) return false;
    this.direction = direction;
    this.entry = id;
    return true;
  }

  /** The packet leaves as the other direction's packets come, turned round. */
  private follow(id: EntryId, packet: Packet): void {
    if ((packet.flags & ICMP_FLAGS) === 0) this.advance(id, packet.flags);
    const { tables } = this;
    const other = (1 - this.direction) as DirectionCode;
    if (this.natNsPerPacket > 0) this.chargeNat(id, packet, other);
    packet.source = tables.destinationOf(id, other);
    packet.sourcePort = tables.destinationPortOf(id, other);
    packet.destination = tables.sourceOf(id, other);
    packet.destinationPort = tables.sourcePortOf(id, other);
  }

  /** A packet whose addresses or ports change takes longer: headers, checksums, the mangled tuple. */
  private chargeNat(id: EntryId, packet: Packet, other: DirectionCode): void {
    const { tables } = this;
    const isSame =
      packet.source === tables.destinationOf(id, other) &&
      packet.sourcePort === tables.destinationPortOf(id, other) &&
      packet.destination === tables.sourceOf(id, other) &&
      packet.destinationPort === tables.sourcePortOf(id, other);
    if (!isSame) this.walkNs += Math.round(packet.packets * this.natNsPerPacket);
  }

  /** nf_conntrack_proto_tcp's states, as far as trains carry the flags. */
  private advance(id: EntryId, flags: number): void {
    const { tables } = this;
    let state = tables.stateOf(id) as CtStateCode;
    if ((flags & Flag.rst) !== 0) {
      if (state === CtState.synSent && this.direction === Direction.reply) {
        // Refused: its only answer is a RST, and nothing is remembered of it.
        this.remove(id);
        return;
      }
      state = CtState.close;
    } else if ((flags & Flag.syn) !== 0) {
      if ((flags & Flag.ack) !== 0 && state === CtState.synSent) state = CtState.synRecv;
    } else if ((flags & Flag.fin) !== 0) {
      const finSeen = tables.finSeenOf(id) | (1 << this.direction);
      tables.setFinSeen(id, finSeen);
      state = finSeen === 3 ? CtState.timeWait : CtState.finWait;
    } else if (state === CtState.synRecv) state = CtState.established;
    this.setState(id, state);
  }

  /** A SYN on a connection that has closed: the kernel forgets the entry, and decides anew. */
  private reopens(flags: number): boolean {
    if ((flags & (Flag.syn | Flag.ack)) !== Flag.syn) return false;
    const state = this.tables.stateOf(this.entry);
    if (state !== CtState.timeWait && state !== CtState.close) return false;
    this.remove(this.entry);
    return true;
  }

  private setState(id: EntryId, state: CtStateCode): void {
    this.tables.setState(id, state);
    this.tables.expiresAtNs[id] = this.sim.nowNs + this.timeouts[state]!;
  }

  private begin(
    packet: Packet,
    point: NatHookPoint,
    isLocal: boolean,
    rules: NatRules | null,
  ): TrackVerdict {
    const decision = this.decide(packet, point, isLocal, rules);
    this.walkNs = decision.walkNs;
    if (decision.verdict !== NatVerdict.accept) {
      this.cause = decision.rule;
      return decision.verdict === NatVerdict.reject ? Track.reject : Track.drop;
    }
    this.collect();
    if (this.count >= this.limit) this.sweep();
    if (this.count >= this.limit) {
      this.cause = "conntrack_full";
      return Track.drop;
    }
    const id = this.insert(packet, decision);
    if (id === NO_ENTRY) {
      this.cause = "snat_ports_exhausted";
      return Track.drop;
    }
    this.entry = id;
    this.direction = Direction.original;
    this.isNew = true;
    this.setState(id, (packet.flags & Flag.syn) !== 0 ? CtState.synSent : CtState.established);
    this.follow(id, packet);
    return Track.pass;
  }

  private decide(
    packet: Packet,
    point: NatHookPoint,
    isLocal: boolean,
    rules: NatRules | null,
  ): NatDecision {
    const { first, decision } = this;
    first.protocol = packet.protocol;
    first.source = packet.source;
    first.sourcePort = packet.sourcePort;
    first.destination = packet.destination;
    first.destinationPort = packet.destinationPort;
    first.destinationIsLocal = isLocal;
    first.originSocket = packet.originSocket;
    decision.verdict = NatVerdict.accept;
    decision.dnatAddress = NO_ADDRESS;
    decision.dnatPort = 0;
    decision.masquerade = false;
    decision.walkNs = 0;
    decision.rule = "";
    rules?.decide(point, first, decision);
    return decision;
  }

  private insert(packet: Packet, decision: NatDecision): EntryId {
    const { reply, tables, host } = this;
    const isTranslated = decision.dnatAddress !== NO_ADDRESS;
    reply.source = isTranslated ? decision.dnatAddress : packet.destination;
    reply.sourcePort = isTranslated ? decision.dnatPort : packet.destinationPort;
    reply.destination = decision.masquerade ? this.hostAddress : packet.source;
    // Two connections that would look the same to the endpoint: nat changes the source port.
    reply.destinationPort = packet.sourcePort;
    if (decision.masquerade || this.isReplyTaken(packet.protocol, packet.sourcePort)) {
      reply.destinationPort = this.pickSnatPort(packet.protocol);
      if (reply.destinationPort < 0) return NO_ENTRY;
    }
    const id = tables.insert(host, packet.protocol, packet, reply);
    const collectAtNs = this.sim.nowNs + this.profile.collectIntervalNs;
    this.collector.push(id, tables.generationOf(id), collectAtNs);
    this.count++;
    this.inserted++;
    return id;
  }

  private isReplyTaken(protocol: number, port: number): boolean {
    const { reply } = this;
    const { source, sourcePort, destination } = reply;
    return this.tables.isTaken(this.host, protocol, source, sourcePort, destination, port);
  }

  /** --random-fully: a random free port, then the next free ones; -1 when all are in use. */
  private pickSnatPort(protocol: number): number {
    const { snatPortFirst: first, snatPortLast: last } = this.profile;
    const ports = last - first + 1;
    const start = this.snatStream.below(ports);
    for (let i = 0; i < ports; i++) {
      const port = first + ((start + i) % ports);
      if (!this.isReplyTaken(protocol, port)) return port;
    }
    return -1;
  }

  private remove(id: EntryId): void {
    this.tables.remove(id);
    if (this.entry === id) this.entry = NO_ENTRY;
    this.count--;
  }
}
