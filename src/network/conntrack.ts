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
  NatVerdict,
  type FirstPacket,
  type NatDecision,
  type NatHookPoint,
  type NatRules,
} from "./nat.ts";
import { Flag, ICMP_FLAGS, type Packet } from "./packet.ts";
import type { LinuxProfile } from "./profile.ts";
import { DueQueue } from "./dueQueue.ts";
import { ABSENT, TupleTable } from "./tupleTable.ts";
import type { Egress } from "./host.ts";

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

/** Direction of a packet through an entry: 0 as the first one, 1 as its replies. */
const ORIGINAL = 0;

export class ConntrackEntry {
  readonly id: number;
  host = 0;
  protocol = 6;
  alive = false;
  state: CtStateCode = CtState.synSent;
  expiresAtNs = 0;
  /** The tuple as the first packet came, and as replies come. */
  source: AddressId = NO_ADDRESS;
  sourcePort = 0;
  destination: AddressId = NO_ADDRESS;
  destinationPort = 0;
  replySource: AddressId = NO_ADDRESS;
  replySourcePort = 0;
  replyDestination: AddressId = NO_ADDRESS;
  replyDestinationPort = 0;
  finSeen = 0;
  /** Next hop each way, as found at `routeGeneration` of the host. */
  egress: [Egress | null, Egress | null] = [null, null];
  egressGeneration: [number, number] = [-1, -1];
  /** Goes up each time the object stands for another connection. */
  generation = 0;

  constructor(id: number) {
    this.id = id;
  }

  matches(direction: number, host: number, packet: Packet): boolean {
    if (this.host !== host || !this.alive) return false;
    return direction === ORIGINAL
      ? this.sourcePort === packet.sourcePort &&
          this.source === packet.source &&
          this.destination === packet.destination &&
          this.destinationPort === packet.destinationPort &&
          this.protocol === packet.protocol
      : this.replySourcePort === packet.sourcePort &&
          this.replySource === packet.source &&
          this.replyDestination === packet.destination &&
          this.replyDestinationPort === packet.destinationPort &&
          this.protocol === packet.protocol;
  }
}

/** All entries of all hosts: one pool and one table, scoped by host. */
export class ConntrackTables {
  readonly entries: ConntrackEntry[] = [];
  readonly table = new TupleTable();
  private readonly free: ConntrackEntry[] = [];

  take(): ConntrackEntry {
    let entry = this.free.pop();
    if (entry === undefined) {
      entry = new ConntrackEntry(this.entries.length);
      this.entries.push(entry);
    }
    return entry;
  }

  release(entry: ConntrackEntry): void {
    this.free.push(entry);
  }
}

/** What track() decided about the packet. */
export const Track = { pass: 0, drop: 1, reject: 2 } as const;
export type TrackVerdict = (typeof Track)[keyof typeof Track];

export class Conntrack {
  /** Entry and direction of the packet last tracked; null for one that passes untracked. */
  entry: ConntrackEntry | null = null;
  direction = ORIGINAL;
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

  constructor(
    sim: Simulation,
    options: {
      readonly host: number;
      readonly hostName: string;
      readonly address: AddressId;
      readonly cores: number;
      readonly profile: LinuxProfile["conntrack"];
      readonly tables: ConntrackTables;
    },
  ) {
    const { profile } = options;
    this.sim = sim;
    this.host = options.host;
    this.hostAddress = options.address;
    this.tables = options.tables;
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
      this.follow(this.entry!, packet);
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
      hints[slot] = 2 * this.entry!.id;
    }
    return verdict;
  }

  /** Takes back an entry whose first packet this host itself did not pass on (never confirmed). */
  unconfirm(): void {
    if (this.entry !== null && this.isNew) this.remove(this.entry);
  }

  /** Looks at every entry, as the kernel does when the table is full, and forgets what timed out. */
  sweep(): void {
    const { nowNs } = this.sim;
    for (const entry of this.tables.entries) {
      if (entry.alive && entry.host === this.host && entry.expiresAtNs <= nowNs) this.remove(entry);
    }
  }

  /** The collector in the background: each entry is looked at once an interval until it has expired. */
  private collect(): void {
    const { nowNs } = this.sim;
    const { collector } = this;
    while (collector.nextDueNs <= nowNs) {
      const generation = collector.nextTag;
      const entry = this.tables.entries[collector.take()]!;
      if (!entry.alive || entry.generation !== generation) continue;
      if (entry.expiresAtNs <= nowNs) this.remove(entry);
      else collector.push(entry.id, generation, nowNs + this.profile.collectIntervalNs);
    }
  }

  private find(packet: Packet, hints: Int32Array | null): boolean {
    const slot = packet.tables++;
    if (hints !== null && slot < hints.length) {
      const hint = hints[slot]!;
      if (hint >= 0 && this.accept(this.tables.entries[hint >> 1]!, hint & 1, packet)) return true;
    }
    const value = this.tables.table.get(
      this.host,
      packet.protocol,
      packet.source,
      packet.sourcePort,
      packet.destination,
      packet.destinationPort,
    );
    this.entry = null;
    if (value === ABSENT) return false;
    const entry = this.tables.entries[value >> 1]!;
    if (entry.expiresAtNs <= this.sim.nowNs) {
      this.remove(entry);
      return false;
    }
    this.entry = entry;
    this.direction = value & 1;
    if (hints !== null && slot < hints.length) hints[slot] = value;
    return true;
  }

  private accept(entry: ConntrackEntry, direction: number, packet: Packet): boolean {
    if (!entry.matches(direction, this.host, packet)) return false;
    if (entry.expiresAtNs <= this.sim.nowNs) return false;
    this.direction = direction;
    this.entry = entry;
    return true;
  }

  private follow(entry: ConntrackEntry, packet: Packet): void {
    if ((packet.flags & ICMP_FLAGS) === 0) this.advance(entry, packet.flags);
    if (this.direction === ORIGINAL) {
      packet.source = entry.replyDestination;
      packet.sourcePort = entry.replyDestinationPort;
      packet.destination = entry.replySource;
      packet.destinationPort = entry.replySourcePort;
    } else {
      packet.source = entry.destination;
      packet.sourcePort = entry.destinationPort;
      packet.destination = entry.source;
      packet.destinationPort = entry.sourcePort;
    }
  }

  /** nf_conntrack_proto_tcp's states, as far as trains carry the flags. */
  private advance(entry: ConntrackEntry, flags: number): void {
    let state: CtStateCode = entry.state;
    if ((flags & Flag.rst) !== 0) {
      if (state === CtState.synSent && this.direction !== ORIGINAL) {
        // Refused: its only answer is a RST, and nothing is remembered of it.
        this.remove(entry);
        return;
      }
      state = CtState.close;
    } else if ((flags & Flag.syn) !== 0) {
      if ((flags & Flag.ack) !== 0 && state === CtState.synSent) state = CtState.synRecv;
    } else if ((flags & Flag.fin) !== 0) {
      entry.finSeen |= 1 << this.direction;
      state = entry.finSeen === 3 ? CtState.timeWait : CtState.finWait;
    } else if (state === CtState.synRecv) state = CtState.established;
    this.setState(entry, state);
  }

  /** A SYN on a connection that has closed: the kernel forgets the entry, and decides anew. */
  private reopens(flags: number): boolean {
    if ((flags & (Flag.syn | Flag.ack)) !== Flag.syn) return false;
    const entry = this.entry!;
    if (entry.state !== CtState.timeWait && entry.state !== CtState.close) return false;
    this.remove(entry);
    return true;
  }

  private setState(entry: ConntrackEntry, state: CtStateCode): void {
    entry.state = state;
    entry.expiresAtNs = this.sim.nowNs + this.timeouts[state]!;
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
    const entry = this.insert(packet, decision);
    if (entry === null) {
      this.cause = "snat_ports_exhausted";
      return Track.drop;
    }
    this.entry = entry;
    this.direction = ORIGINAL;
    this.isNew = true;
    this.setState(entry, (packet.flags & Flag.syn) !== 0 ? CtState.synSent : CtState.established);
    this.follow(entry, packet);
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

  private insert(packet: Packet, decision: NatDecision): ConntrackEntry | null {
    const translated = decision.dnatAddress !== NO_ADDRESS;
    const replySource = translated ? decision.dnatAddress : packet.destination;
    const replySourcePort = translated ? decision.dnatPort : packet.destinationPort;
    const replyDestination = decision.masquerade ? this.hostAddress : packet.source;
    const inUse = (port: number): boolean =>
      this.tables.table.get(
        this.host,
        packet.protocol,
        replySource,
        replySourcePort,
        replyDestination,
        port,
      ) !== ABSENT;
    // Two connections that would look the same to the endpoint: nat changes the source port.
    const replyDestinationPort =
      decision.masquerade || inUse(packet.sourcePort)
        ? this.pickSnatPort(inUse)
        : packet.sourcePort;
    if (replyDestinationPort < 0) return null;
    const entry = this.tables.take();
    entry.host = this.host;
    entry.protocol = packet.protocol;
    entry.alive = true;
    entry.source = packet.source;
    entry.sourcePort = packet.sourcePort;
    entry.destination = packet.destination;
    entry.destinationPort = packet.destinationPort;
    entry.replySource = replySource;
    entry.replySourcePort = replySourcePort;
    entry.replyDestination = replyDestination;
    entry.replyDestinationPort = replyDestinationPort;
    entry.finSeen = 0;
    entry.egressGeneration[0] = -1;
    entry.egressGeneration[1] = -1;
    this.index(entry);
    this.collector.push(
      entry.id,
      entry.generation,
      this.sim.nowNs + this.profile.collectIntervalNs,
    );
    this.count++;
    this.inserted++;
    return entry;
  }

  /** --random-fully: a random free port, then the next free ones; -1 when all are in use. */
  private pickSnatPort(inUse: (port: number) => boolean): number {
    const { snatPortFirst: first, snatPortLast: last } = this.profile;
    const ports = last - first + 1;
    const start = this.snatStream.below(ports);
    for (let i = 0; i < ports; i++) {
      const port = first + ((start + i) % ports);
      if (!inUse(port)) return port;
    }
    return -1;
  }

  private index(entry: ConntrackEntry): void {
    const { table } = this.tables;
    table.set(
      this.host,
      entry.protocol,
      entry.source,
      entry.sourcePort,
      entry.destination,
      entry.destinationPort,
      2 * entry.id,
    );
    table.set(
      this.host,
      entry.protocol,
      entry.replySource,
      entry.replySourcePort,
      entry.replyDestination,
      entry.replyDestinationPort,
      2 * entry.id + 1,
    );
  }

  private remove(entry: ConntrackEntry): void {
    const { table } = this.tables;
    table.delete(
      this.host,
      entry.protocol,
      entry.source,
      entry.sourcePort,
      entry.destination,
      entry.destinationPort,
    );
    table.delete(
      this.host,
      entry.protocol,
      entry.replySource,
      entry.replySourcePort,
      entry.replyDestination,
      entry.replyDestinationPort,
    );
    entry.alive = false;
    entry.generation++;
    entry.egress[0] = null;
    entry.egress[1] = null;
    if (this.entry === entry) this.entry = null;
    this.count--;
    this.tables.release(entry);
  }
}
