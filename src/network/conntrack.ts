/**
 * Connection tracking and NAT of every host.
 *
 * Owns: the entries (one a connection and host), their state and time-out, the translation of each later
 * packet as the first one was translated, and what becomes of first packets that clash. Refuses to own:
 * which endpoint a new connection gets (NatRules), the states' order (conntrackStates.ts), which entries
 * go (conntrackEviction.ts), the choice of a masqueraded port (snatPorts.ts) and where a packet goes next
 * (stack.ts).
 *
 * A first packet's entry is seen by nobody else until it has left POSTROUTING (__nf_conntrack_confirm).
 * Another that comes in between is decided by itself, and who confirms second meets the first one's
 * entry. They are taken to run on different cores, and to confirm in the order in which they came.
 *
 * Not modelled: expectations, zones, the limit on a bucket's length (chaintoolong).
 */
import type { Simulation } from "../engine/index.ts";
import { NO_ADDRESS, type AddressId } from "./address.ts";
import {
  CtState,
  firstState,
  isActiveState,
  isInvalidFirst,
  nextSctpState,
  nextTcpState,
  timeoutsOf,
  type CtStateCode,
} from "./conntrackStates.ts";
import {
  Direction,
  EntryFlag,
  NO_ENTRY,
  type ConntrackTables,
  type DirectionCode,
  type EntryId,
  type Tuple,
} from "./conntrackTable.ts";
import {
  blankFirstPacket,
  emptyDecision,
  NatVerdict,
  type ConnectionWatcher,
  TransportProtocol,
  type NatDecision,
  type NatHookPoint,
  type NatRules,
  type TransportProtocolNumber,
} from "./nat.ts";
import { Flag, ICMP_FLAGS, type Packet } from "./packet.ts";
import type { LinuxProfile } from "./profile.ts";
import { ConntrackCounters } from "./conntrackCounters.ts";
import { Eviction } from "./conntrackEviction.ts";
import { NO_PORT, SnatPorts } from "./snatPorts.ts";

/** Of a packet. `invalid`: it belongs to nothing and passes untranslated. `local`: the host itself answers. */
export const Track = { pass: 0, drop: 1, reject: 2, invalid: 3, local: 4 } as const;
const REFUSALS = [Track.pass, Track.drop, Track.reject, Track.local] as const;
export type TrackVerdict = (typeof Track)[keyof typeof Track];

/** An entry as `conntrack -L` shows it: both tuples. */
export interface ConntrackEntry {
  protocol: TransportProtocolNumber;
  originalSource: AddressId;
  originalSourcePort: number;
  originalDestination: AddressId;
  originalDestinationPort: number;
  replySource: AddressId;
  replySourcePort: number;
  replyDestination: AddressId;
  replyDestinationPort: number;
}

/** Of packets that may change a connection's state. */
const NOT_PLAIN = Flag.syn | Flag.fin | Flag.rst | ICMP_FLAGS;

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
  /** Is told of every connection; null where nobody asks. */
  watcher: ConnectionWatcher | null = null;
  readonly counters = new ConntrackCounters();
  /** nf_conntrack_max. */
  readonly limit: number;

  private readonly sim: Simulation;
  private readonly host: number;
  private readonly masqueradeAddress: (destination: AddressId) => AddressId;
  private readonly tables: ConntrackTables;
  private readonly profile: LinuxProfile["conntrack"];
  private readonly natNsPerPacket: number;
  private readonly timeouts: readonly number[];
  private readonly establishedNs: number;
  private readonly snatPorts: SnatPorts;
  private readonly eviction: Eviction;
  /** The host's own entries, in no order: the first `count` of them. */
  private own = new Int32Array(64);
  /** When the packet that is being tracked is here, later than `now` by what it carries along. */
  private atNs = 0;
  /** Unconfirmed entries that hold the packet's own tuple, and the tuple of its replies. */
  private hiddenOriginal: EntryId = NO_ENTRY;
  private hiddenReply: EntryId = NO_ENTRY;
  private readonly decision = emptyDecision();
  private readonly first = blankFirstPacket();
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
      /**
       * The address that MASQUERADE gives a packet for `destination`: that of the device it leaves by.
       * NO_ADDRESS for one that does not leave, for POSTROUTING does not see it.
       */
      readonly masqueradeAddress: (destination: AddressId) => AddressId;
      readonly cores: number;
      readonly profile: LinuxProfile["conntrack"];
      readonly tables: ConntrackTables;
      readonly natNsPerPacket?: number;
    },
  ) {
    const { profile } = options;
    this.sim = sim;
    this.host = options.host;
    this.masqueradeAddress = options.masqueradeAddress;
    this.tables = options.tables;
    this.natNsPerPacket = options.natNsPerPacket ?? 0;
    this.profile = profile;
    this.limit = Math.min(
      profile.maxEntries,
      Math.max(profile.minEntries, profile.maxPerCore * options.cores),
    );
    this.timeouts = timeoutsOf(profile);
    this.establishedNs = profile.establishedNs;
    this.snatPorts = new SnatPorts(
      sim.streams.get(`conntrack/${options.hostName}`),
      profile.snat,
      this.reply,
      (protocol, evict) => this.isReplyTaken(protocol, evict),
    );
    // Hosts were not booted at one instant.
    const phase = sim.streams.get(`conntrack/${options.hostName}/collector`).uniform();
    const firstPassNs = Math.floor(phase * profile.collectIntervalNs);
    this.eviction = new Eviction(this, options.tables, profile, firstPassNs);
  }

  /**
   * Takes a packet through conntrack and nat: translates it in place and sets entry, direction, walkNs.
   * @param local addresses of the host itself
   * @param hints the origin socket's memory of entries, by tables met: twice the
   *   entry, plus the direction; checked, never trusted
   * @param atNs when the packet enters netfilter
   */
  track(
    packet: Packet,
    point: NatHookPoint,
    local: ReadonlySet<AddressId>,
    rules: NatRules | null,
    hints: Int32Array | null,
    atNs = this.sim.nowNs,
  ): TrackVerdict {
    this.walkNs = 0;
    this.isNew = false;
    this.atNs = atNs;
    if (this.find(packet, hints) && !this.reopens(packet.flags)) {
      this.follow(this.entry, packet);
      return Track.pass;
    }
    if ((packet.flags & ICMP_FLAGS) !== 0) return Track.pass;
    if (isInvalidFirst(packet.protocol, packet.flags, packet.payloadBytes)) {
      this.counters.invalid++;
      return Track.invalid;
    }
    const verdict = this.begin(packet, point, local.has(packet.destination), rules);
    const slot = packet.tables - 1;
    if (verdict === Track.pass && hints !== null && slot < hints.length) {
      hints[slot] = 2 * this.entry;
    }
    return verdict;
  }

  /**
   * The short way of track(), for a packet of a connection that stands: what decides is known, and nothing
   * changes but the translated packet and the entry's time-out.
   * @returns false where that is not so; nothing has changed then
   */
  passes(packet: Packet, hints: Int32Array): boolean {
    const slot = packet.tables;
    if (slot >= hints.length || (packet.flags & NOT_PLAIN) !== 0) return false;
    if (this.watcher !== null || this.natNsPerPacket > 0) return false;
    const hint = hints[slot]!;
    if (hint < 0) return false;
    const { tables, host } = this;
    const { nowNs } = this.sim;
    const { established } = CtState;
    if (!tables.passes(hint, established, host, packet.protocol, packet, nowNs)) return false;
    tables.expiresAtNs[hint >> 1] = nowNs + this.establishedNs;
    packet.tables = slot + 1;
    this.entry = hint >> 1;
    this.direction = (hint & 1) as DirectionCode;
    return true;
  }

  isExpired(id: EntryId): boolean {
    return this.tables.expiresAtNs[id]! <= this.sim.nowNs;
  }

  /** Takes an entry out, as `conntrack -D` does: the flow's next packet is a first packet. */
  forget(id: EntryId): void {
    this.remove(id);
  }

  /** `conntrack -L -p`: every entry of a protocol, but those that only replies find. */
  *entries(protocol: TransportProtocolNumber): Generator<ConntrackEntry> {
    for (let place = 0; place < this.count; place++) {
      const id = this.own[place]!;
      if (this.isListed(id, protocol)) yield this.describe(id, {} as ConntrackEntry);
    }
  }

  /**
   * `conntrack -D -p`: deletes the entries of a protocol for which `wanted` is true. Their next packets are
   * first packets again.
   * @param wanted is handed one object again and again
   * @returns how many were deleted
   */
  deleteEntries(
    protocol: TransportProtocolNumber,
    wanted: (entry: ConntrackEntry) => boolean,
  ): number {
    const view = {} as ConntrackEntry;
    let deleted = 0;
    // From the end: remove() fills the gap with the last one.
    for (let place = this.count - 1; place >= 0; place--) {
      const id = this.own[place]!;
      if (!this.isListed(id, protocol) || !wanted(this.describe(id, view))) continue;
      this.remove(id);
      deleted++;
    }
    this.counters.deleted += deleted;
    return deleted;
  }

  /** `conntrack -F`: every entry goes. */
  flush(): void {
    this.counters.flushes++;
    this.counters.deleted += this.count;
    while (this.count > 0) this.remove(this.own[this.count - 1]!);
  }

  private isListed(id: EntryId, protocol: number): boolean {
    const { tables } = this;
    return (
      tables.protocolOf(id) === protocol &&
      tables.expiresAtNs[id]! > this.sim.nowNs &&
      (tables.flagsOf(id) & EntryFlag.clash) === 0
    );
  }

  private describe(id: EntryId, view: ConntrackEntry): ConntrackEntry {
    const { tables } = this;
    const { original, reply } = Direction;
    view.protocol = tables.protocolOf(id) as TransportProtocolNumber;
    view.originalSource = tables.sourceOf(id, original);
    view.originalSourcePort = tables.sourcePortOf(id, original);
    view.originalDestination = tables.destinationOf(id, original);
    view.originalDestinationPort = tables.destinationPortOf(id, original);
    view.replySource = tables.sourceOf(id, reply);
    view.replySourcePort = tables.sourcePortOf(id, reply);
    view.replyDestination = tables.destinationOf(id, reply);
    view.replyDestinationPort = tables.destinationPortOf(id, reply);
    return view;
  }

  /** The host's entries by place, below `count`. */
  entryAt(place: number): EntryId {
    return this.own[place]!;
  }

  /** Whether an entry's first packet is still on its way through netfilter; forgets that it was. */
  isHidden(id: EntryId, flags: number): boolean {
    if ((flags & EntryFlag.unconfirmed) === 0) return false;
    if (this.tables.confirmsAtNs[id]! > this.atNs) return true;
    this.tables.setFlags(id, flags & ~EntryFlag.unconfirmed);
    return false;
  }

  private find(packet: Packet, hints: Int32Array | null): boolean {
    const slot = packet.tables++;
    const { tables } = this;
    this.hiddenOriginal = NO_ENTRY;
    if (hints !== null && slot < hints.length) {
      const hint = hints[slot]!;
      if (hint >= 0 && this.accept(hint >> 1, (hint & 1) as DirectionCode, packet)) return true;
    }
    this.entry = NO_ENTRY;
    const found = tables.find(this.host, packet.protocol, packet);
    if (found === NO_ENTRY) return false;
    const id = found >> 1;
    const direction = (found & 1) as DirectionCode;
    if (tables.expiresAtNs[id]! <= this.sim.nowNs) {
      this.remove(id);
      return false;
    }
    if (direction === Direction.original && this.isHidden(id, tables.flagsOf(id))) {
      this.hiddenOriginal = id;
      return false;
    }
    this.entry = id;
    this.direction = direction;
    if (hints !== null && slot < hints.length) hints[slot] = found;
    return true;
  }

  private accept(id: EntryId, direction: DirectionCode, packet: Packet): boolean {
    const { tables } = this;
    if (!tables.matches(id, direction, this.host, packet.protocol, packet)) return false;
    if (tables.expiresAtNs[id]! <= this.sim.nowNs) return false;
    if (direction === Direction.original) {
      const flags = tables.flagsOf(id);
      if ((flags & EntryFlag.clash) !== 0 || this.isHidden(id, flags)) return false;
    }
    this.direction = direction;
    this.entry = id;
    return true;
  }

  /** The packet leaves as the other direction's packets come, turned round. */
  private follow(id: EntryId, packet: Packet): void {
    if ((packet.flags & ICMP_FLAGS) === 0) {
      if (packet.protocol === TransportProtocol.UDP) this.refreshUdp(id);
      else this.advance(id, packet);
    }
    const { tables } = this;
    if (this.natNsPerPacket > 0) {
      this.chargeNat(id, packet, (1 - this.direction) as DirectionCode);
    }
    tables.translate(id, this.direction, packet);
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

  private advance(id: EntryId, { protocol, flags }: Packet): void {
    const { tables, direction } = this;
    const was = tables.stateOf(id) as CtStateCode;
    const isTcp = protocol === TransportProtocol.TCP;
    const before = tables.flagsOf(id);
    let after = before;
    if ((flags & Flag.fin) !== 0) after |= 1 << direction;
    if (direction === Direction.reply) after = answered(after);
    const state = isTcp
      ? nextTcpState(was, flags, after)
      : nextSctpState(was, flags, direction, after);
    if ((flags & Flag.rst) !== 0 && was === CtState.synSent && direction === Direction.reply) {
      // Refused: its only answer is a RST, and nothing is remembered of it.
      this.remove(id);
      return;
    }
    const stands = state === CtState.established || state === CtState.sctpEstablished;
    if (stands && (after & EntryFlag.seenReply) !== 0) after |= EntryFlag.assured;
    if (after !== before) tables.setFlags(id, after);
    this.setState(id, state);
  }

  /** nf_conntrack_udp_packet(): answered and still alive after two seconds, it is a stream. */
  private refreshUdp(id: EntryId): void {
    const { tables } = this;
    const flags = tables.flagsOf(id);
    if ((flags & EntryFlag.clash) !== 0) return;
    if ((flags & EntryFlag.seenReply) === 0) {
      if (this.direction === Direction.reply) tables.setFlags(id, answered(flags));
      this.setState(id, CtState.udpUnreplied);
      return;
    }
    const isStream = this.sim.nowNs > tables.confirmsAtNs[id]! + this.profile.udpStreamAfterNs;
    if (isStream && (flags & EntryFlag.assured) === 0) {
      tables.setFlags(id, flags | EntryFlag.assured);
    }
    this.setState(id, isStream ? CtState.udpStream : CtState.udpUnreplied);
  }

  /** A SYN on a connection that has closed: the kernel forgets the entry, and decides anew. */
  private reopens(flags: number): boolean {
    if ((flags & (Flag.syn | Flag.ack)) !== Flag.syn) return false;
    const state = this.tables.stateOf(this.entry);
    if (state !== CtState.timeWait && state !== CtState.close && state !== CtState.sctpClosed) {
      return false;
    }
    this.watcher?.reopened(this.entry);
    this.remove(this.entry);
    return true;
  }

  private setState(id: EntryId, state: CtStateCode): void {
    let lifeNs = this.timeouts[state]!;
    if (this.watcher !== null) {
      this.tellOfState(this.watcher, id, state);
      lifeNs = Math.min(lifeNs, this.watcher.lifeNs(id, state));
    }
    this.tables.setState(id, state);
    this.tables.expiresAtNs[id] = this.sim.nowNs + lifeNs;
  }

  private tellOfState(watcher: ConnectionWatcher, id: EntryId, state: CtStateCode): void {
    const isActive = isActiveState(state);
    if (isActive !== isActiveState(this.tables.stateOf(id))) watcher.activity(id, isActive);
  }

  private begin(
    packet: Packet,
    point: NatHookPoint,
    isLocal: boolean,
    rules: NatRules | null,
  ): TrackVerdict {
    const { eviction, sim } = this;
    eviction.collect(sim.nowNs);
    if (this.count >= this.limit && !eviction.earlyDrop(this.host, packet, sim.nowNs)) {
      return this.refuse("conntrack_full");
    }
    const decision = this.decide(packet, point, isLocal, rules);
    this.walkNs = decision.walkNs;
    if (decision.verdict !== NatVerdict.accept) {
      this.cause = decision.rule;
      return REFUSALS[decision.verdict];
    }
    const sourceNat = this.setReply(packet, decision);
    if (this.reply.destinationPort === NO_PORT) {
      // The last tuple tried is taken, as the confirmation finds out.
      this.counters.insertFailed++;
      return this.refuse("snat_ports_exhausted");
    }
    if (this.hiddenOriginal !== NO_ENTRY || this.hiddenReply !== NO_ENTRY) {
      return this.resolveClash(packet, sourceNat);
    }
    this.insert(packet, EntryFlag.unconfirmed | sourceNat);
    this.setState(this.entry, firstState(packet.protocol, packet.flags));
    this.follow(this.entry, packet);
    return Track.pass;
  }

  private refuse(cause: string): TrackVerdict {
    this.counters.dropped++;
    this.cause = cause;
    return Track.drop;
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
    first.isMidstream =
      packet.protocol === TransportProtocol.TCP && (packet.flags & Flag.syn) === 0;
    first.originSocket = packet.originSocket;
    first.originGeneration = packet.originGeneration;
    decision.verdict = NatVerdict.accept;
    decision.dnatAddress = NO_ADDRESS;
    decision.dnatPort = 0;
    decision.masquerade = false;
    decision.randomFully = true;
    decision.walkNs = 0;
    decision.rule = "";
    rules?.decide(point, first, decision);
    return decision;
  }

  /**
   * The tuple of the replies, in `reply`: what the rules have decided, and a source port that makes it the
   * only one of its kind, or NO_PORT.
   * @returns EntryFlag.sourceNat if the source is translated
   */
  private setReply(packet: Packet, decision: NatDecision): number {
    const { reply } = this;
    const isTranslated = decision.dnatAddress !== NO_ADDRESS;
    reply.source = isTranslated ? decision.dnatAddress : packet.destination;
    reply.sourcePort = isTranslated ? decision.dnatPort : packet.destinationPort;
    reply.destination = packet.source;
    reply.destinationPort = packet.sourcePort;
    const address = decision.masquerade ? this.masqueradeAddress(reply.source) : NO_ADDRESS;
    const masquerade = address !== NO_ADDRESS;
    if (masquerade) reply.destination = address;
    // Without --random-fully the port stays if it can. Two connections that would look the same to the
    // endpoint get different ports in any case.
    const keeps = !(masquerade && decision.randomFully);
    if (!keeps || this.isReplyTaken(packet.protocol, false)) {
      reply.destinationPort = this.snatPorts.pick(packet.protocol, packet.sourcePort, keeps);
      return EntryFlag.sourceNat;
    }
    return masquerade ? EntryFlag.sourceNat : 0;
  }

  /**
   * nf_nat_used_tuple(_harder): whether a confirmed entry has `reply` as one of its tuples.
   * @param evict a TCP connection that has closed gives its translated port up
   */
  private isReplyTaken(protocol: number, evict: boolean): boolean {
    const { tables } = this;
    this.hiddenReply = NO_ENTRY;
    const found = tables.find(this.host, protocol, this.reply);
    if (found === NO_ENTRY) return false;
    const id = found >> 1;
    const flags = tables.flagsOf(id);
    if (tables.expiresAtNs[id]! <= this.sim.nowNs) {
      this.remove(id);
      return false;
    }
    if (this.isHidden(id, flags)) {
      this.hiddenReply = id;
      return false;
    }
    const state = tables.stateOf(id);
    const isClosed = state === CtState.timeWait || state === CtState.close;
    if (!evict || !isClosed || (flags & EntryFlag.sourceNat) === 0) return true;
    this.remove(id);
    return false;
  }

  /**
   * nf_ct_resolve_clash(): another first packet has taken a tuple of this one and confirms before it.
   * Only UDP may go on: with the other's entry if both agree, else (Linux 5.7 on) with an entry of its own
   * that lives for a second and that only the replies find.
   */
  private resolveClash(packet: Packet, sourceNat: number): TrackVerdict {
    const { tables, counters } = this;
    const winner = this.hiddenOriginal;
    const mayGoOn = packet.protocol === TransportProtocol.UDP && winner !== NO_ENTRY;
    if (mayGoOn && tables.matchesReply(winner, this.reply)) {
      counters.clashResolved++;
      this.entry = winner;
      this.direction = Direction.original;
      this.follow(winner, packet);
      return Track.pass;
    }
    if (!mayGoOn || this.hiddenReply !== NO_ENTRY || !this.profile.insertsClashingEntries) {
      counters.insertFailed++;
      return this.refuse("conntrack_insert_failed");
    }
    counters.clashResolved++;
    this.insert(packet, EntryFlag.clash | sourceNat);
    this.setState(this.entry, CtState.udpUnreplied);
    tables.expiresAtNs[this.entry] = this.sim.nowNs + this.profile.clashNs;
    this.follow(this.entry, packet);
    return Track.pass;
  }

  private insert(packet: Packet, flags: number): void {
    const { tables } = this;
    const id = tables.insert(this.host, packet.protocol, packet, this.reply, flags);
    tables.confirmsAtNs[id] = this.atNs + this.walkNs + this.profile.confirmNs;
    this.eviction.added(id, this.sim.nowNs);
    if (this.count === this.own.length) {
      const longer = new Int32Array(2 * this.count);
      longer.set(this.own);
      this.own = longer;
    }
    tables.setPlace(id, this.count);
    this.own[this.count++] = id;
    this.counters.inserted++;
    this.entry = id;
    this.direction = Direction.original;
    this.isNew = true;
    this.watcher?.began(id);
  }

  private remove(id: EntryId): void {
    this.watcher?.ended(id);
    const { tables } = this;
    const place = tables.placeOf(id);
    const last = this.own[--this.count]!;
    this.own[place] = last;
    tables.setPlace(last, place);
    tables.remove(id);
    if (this.entry === id) this.entry = NO_ENTRY;
  }
}

/** An answer shows that the first packet has passed, however short the way. */
function answered(flags: number): number {
  return (flags | EntryFlag.seenReply) & ~EntryFlag.unconfirmed;
}
