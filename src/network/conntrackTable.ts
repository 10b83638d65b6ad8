/**
 * Storage of conntrack entries: the entries of all hosts in one pool of typed arrays, with one index.
 *
 * Owns: the fields of an entry, both its tuples, and finding an entry by either. Refuses to own: what an
 * entry means and when it ends (conntrack.ts). A busy cluster has a million entries that are looked at
 * twice and then wait to time out: as objects they would be a garbage collector's main business.
 */
import type { AddressId } from "./address.ts";
import type { Egress } from "./host.ts";
import type { SimTimeNs } from "../engine/index.ts";

/** Index of an entry. Used again after the entry's end, with another generation. */
export type EntryId = number;

export const NO_ENTRY: EntryId = -1;

/** Direction of a packet through an entry: as the first one, or as its replies. */
export const Direction = { original: 0, reply: 1 } as const;
export type DirectionCode = (typeof Direction)[keyof typeof Direction];

/** The tuple as packets of a direction come: addresses, and both ports in one number. */
export interface Tuple {
  readonly source: AddressId;
  readonly sourcePort: number;
  readonly destination: AddressId;
  readonly destinationPort: number;
}

/** Fields of an entry, by offset in its words. */
const HOST = 0;
const PROTOCOL = 1;
/** source, ports, destination; the reply's stand behind the original's. */
const TUPLE = 2;
const TUPLE_WORDS = 3;
const STATE = 8;
const FLAGS = 9;
const GENERATION = 10;
const PLACE = 11;
const WORDS = 12;
/** State of a slot without an entry. */
const FREE = -1;

/** What an entry remembers besides its state, as IPS_* of nf_conntrack_common.h. */
export const EntryFlag = {
  /** A FIN has come from the originator; from the other end. */
  finOriginal: 1,
  finReply: 2,
  seenReply: 4,
  /** Not taken to make room (IPS_ASSURED). */
  assured: 8,
  /** Its first packet is between nat and POSTROUTING: no other packet sees it yet. */
  unconfirmed: 16,
  /** Lost the race for its original tuple: only its replies find it (IPS_NAT_CLASH). */
  clash: 32,
  sourceNat: 64,
} as const;

/** Assured and not unconfirmed: every packet of the connection may pass. */
const SETTLED = EntryFlag.assured | EntryFlag.unconfirmed;

/** Per slot of the index: hash, and 2 * entry + direction + 1 (0: empty). */
const SLOT_WORDS = 2;

export class ConntrackTables {
  /** When each entry times out. */
  expiresAtNs = new Float64Array(1024);
  /** When each entry's first packet has left POSTROUTING. */
  confirmsAtNs = new Float64Array(1024);
  /**
   * Next hop each way, at 2 * entry + direction, as found at that generation of the host's routes; -1: not
   * yet for this entry.
   */
  readonly egress: (Egress | null)[] = [];
  egressGenerations = new Int32Array(2048);

  private words = new Int32Array(1024 * WORDS);
  private readonly free: EntryId[] = [];
  private created = 0;
  /**
   * The entry taken out last, whose tuples are still in the index: a connection that takes the place of a
   * closed one has the same. Nobody finds it.
   */
  private parted: EntryId = NO_ENTRY;
  private slots = new Int32Array(4096 * SLOT_WORDS);
  private mask = 4095;
  private used = 0;

  /** Entries and free places: ids are below this. */
  get size(): number {
    return this.created;
  }

  hostOf(id: EntryId): number {
    return this.words[id * WORDS + HOST]!;
  }

  generationOf(id: EntryId): number {
    return this.words[id * WORDS + GENERATION]!;
  }

  isAlive(id: EntryId): boolean {
    return this.words[id * WORDS + STATE] !== FREE;
  }

  stateOf(id: EntryId): number {
    return this.words[id * WORDS + STATE]!;
  }

  setState(id: EntryId, state: number): void {
    this.words[id * WORDS + STATE] = state;
  }

  protocolOf(id: EntryId): number {
    return this.words[id * WORDS + PROTOCOL]!;
  }

  flagsOf(id: EntryId): number {
    return this.words[id * WORDS + FLAGS]!;
  }

  setFlags(id: EntryId, flags: number): void {
    this.words[id * WORDS + FLAGS] = flags;
  }

  /** Where its host keeps it in the list of its own entries. */
  placeOf(id: EntryId): number {
    return this.words[id * WORDS + PLACE]!;
  }

  setPlace(id: EntryId, place: number): void {
    this.words[id * WORDS + PLACE] = place;
  }

  sourceOf(id: EntryId, direction: DirectionCode): AddressId {
    return this.words[id * WORDS + TUPLE + direction * TUPLE_WORDS]!;
  }

  sourcePortOf(id: EntryId, direction: DirectionCode): number {
    return this.words[id * WORDS + TUPLE + direction * TUPLE_WORDS + 1]! >>> 16;
  }

  destinationPortOf(id: EntryId, direction: DirectionCode): number {
    return this.words[id * WORDS + TUPLE + direction * TUPLE_WORDS + 1]! & 0xffff;
  }

  destinationOf(id: EntryId, direction: DirectionCode): AddressId {
    return this.words[id * WORDS + TUPLE + direction * TUPLE_WORDS + 2]!;
  }

  /** Whether packets with this tuple belong to the entry, in that direction. */
  matches(
    id: EntryId,
    direction: DirectionCode,
    host: number,
    protocol: number,
    tuple: Tuple,
  ): boolean {
    return this.holds(id, direction, host, protocol, tuple) && this.isAlive(id);
  }

  /** Gives a packet what the packets of the other direction come with, turned round. */
  translate(
    id: EntryId,
    direction: DirectionCode,
    packet: { -readonly [K in keyof Tuple]: Tuple[K] },
  ): void {
    const { words } = this;
    const at = id * WORDS + TUPLE + (1 - direction) * TUPLE_WORDS;
    const ports = words[at + 1]!;
    packet.source = words[at + 2]!;
    packet.sourcePort = ports & 0xffff;
    packet.destination = words[at]!;
    packet.destinationPort = ports >>> 16;
  }

  /**
   * Translates a packet if `way`, 2 * entry + direction, is its own, and the entry in that state and assured.
   * translate() and holds() in one go: this is asked of most packets.
   */
  passes(
    way: number,
    state: number,
    host: number,
    protocol: number,
    packet: { -readonly [K in keyof Tuple]: Tuple[K] },
    nowNs: SimTimeNs,
  ): boolean {
    const { words } = this;
    const base = (way >> 1) * WORDS;
    const isReply = way & 1;
    const at = base + TUPLE + isReply * TUPLE_WORDS;
    if (
      words[at + 1] !== portsOf(packet) ||
      words[at] !== packet.source ||
      words[at + 2] !== packet.destination ||
      words[base + HOST] !== host ||
      words[base + PROTOCOL] !== protocol ||
      words[base + STATE] !== state ||
      (words[base + FLAGS]! & SETTLED) !== EntryFlag.assured ||
      this.expiresAtNs[way >> 1]! <= nowNs
    ) {
      return false;
    }
    const other = base + TUPLE + (1 - isReply) * TUPLE_WORDS;
    const ports = words[other + 1]!;
    packet.source = words[other + 2]!;
    packet.sourcePort = ports & 0xffff;
    packet.destination = words[other]!;
    packet.destinationPort = ports >>> 16;
    return true;
  }

  /** Whether the entry's replies have that tuple. */
  matchesReply(id: EntryId, reply: Tuple): boolean {
    const at = id * WORDS + TUPLE + TUPLE_WORDS;
    const { words } = this;
    return (
      words[at + 1] === portsOf(reply) &&
      words[at] === reply.source &&
      words[at + 2] === reply.destination
    );
  }

  hashOfTuple(host: number, protocol: number, tuple: Tuple): number {
    return hashTuple(host, protocol, tuple.source, portsOf(tuple), tuple.destination) >>> 0;
  }

  /** 2 * entry + direction of the entry with that tuple, or NO_ENTRY. */
  find(host: number, protocol: number, tuple: Tuple): number {
    if (this.parted !== NO_ENTRY && this.hasParted(host, protocol, tuple)) return NO_ENTRY;
    const { source, destination } = tuple;
    return this.findTuple(host, protocol, source, portsOf(tuple), destination);
  }

  /**
   * A new entry with both its tuples, or with EntryFlag.clash with the reply's alone. The caller has made
   * sure that none of them is taken.
   */
  insert(host: number, protocol: number, original: Tuple, reply: Tuple, flags: number): EntryId {
    const { parted } = this;
    const either = parted === NO_ENTRY ? flags : flags | this.flagsOf(parted);
    const isAgain =
      parted !== NO_ENTRY &&
      (either & EntryFlag.clash) === 0 &&
      this.holds(parted, Direction.original, host, protocol, original);
    const id = isAgain
      ? this.takePlace(reply)
      : this.insertAnew(host, protocol, original, reply, flags);
    const { words, egressGenerations } = this;
    words[id * WORDS + STATE] = 0;
    words[id * WORDS + FLAGS] = flags;
    egressGenerations[2 * id] = -1;
    egressGenerations[2 * id + 1] = -1;
    return id;
  }

  remove(id: EntryId): void {
    this.settle();
    this.words[id * WORDS + STATE] = FREE;
    this.words[id * WORDS + GENERATION]!++;
    this.parted = id;
  }

  /** In the place of the entry taken out last, whose original tuple the new one has. */
  private takePlace(reply: Tuple): EntryId {
    const id = this.parted;
    this.parted = NO_ENTRY;
    if (!this.matchesReply(id, reply)) {
      this.unindex(id, Direction.reply);
      this.setTuple(id, Direction.reply, reply);
      this.index(id, Direction.reply);
    }
    return id;
  }

  private insertAnew(
    host: number,
    protocol: number,
    original: Tuple,
    reply: Tuple,
    flags: number,
  ): EntryId {
    this.settle();
    const id = this.free.pop() ?? this.create();
    this.words[id * WORDS + HOST] = host;
    this.words[id * WORDS + PROTOCOL] = protocol;
    this.setTuple(id, Direction.original, original);
    this.setTuple(id, Direction.reply, reply);
    if ((flags & EntryFlag.clash) === 0) this.index(id, Direction.original);
    this.index(id, Direction.reply);
    return id;
  }

  /** The entry taken out last leaves the index as well. */
  private settle(): void {
    const id = this.parted;
    if (id === NO_ENTRY) return;
    this.parted = NO_ENTRY;
    if ((this.flagsOf(id) & EntryFlag.clash) === 0) this.unindex(id, Direction.original);
    this.unindex(id, Direction.reply);
    this.free.push(id);
  }

  /** Whether only the entry taken out last has that tuple. */
  private hasParted(host: number, protocol: number, tuple: Tuple): boolean {
    const { parted } = this;
    const { original, reply } = Direction;
    return (
      this.holds(parted, reply, host, protocol, tuple) ||
      ((this.flagsOf(parted) & EntryFlag.clash) === 0 &&
        this.holds(parted, original, host, protocol, tuple))
    );
  }

  /** Whether it has the tuple, alive or not. */
  private holds(
    id: EntryId,
    direction: DirectionCode,
    host: number,
    protocol: number,
    tuple: Tuple,
  ): boolean {
    const { words } = this;
    const base = id * WORDS;
    const at = base + TUPLE + direction * TUPLE_WORDS;
    return (
      words[at + 1] === portsOf(tuple) &&
      words[at] === tuple.source &&
      words[at + 2] === tuple.destination &&
      words[base + HOST] === host &&
      words[base + PROTOCOL] === protocol
    );
  }

  private create(): EntryId {
    const id = this.created++;
    if (id === this.expiresAtNs.length) {
      this.expiresAtNs = doubled(this.expiresAtNs, new Float64Array(2 * id));
      this.confirmsAtNs = doubled(this.confirmsAtNs, new Float64Array(2 * id));
      this.egressGenerations = doubled(this.egressGenerations, new Int32Array(4 * id));
      this.words = doubled(this.words, new Int32Array(2 * id * WORDS));
    }
    this.egress.push(null, null);
    return id;
  }

  private setTuple(id: EntryId, direction: DirectionCode, tuple: Tuple): void {
    const { words } = this;
    const at = id * WORDS + TUPLE + direction * TUPLE_WORDS;
    words[at] = tuple.source;
    words[at + 1] = portsOf(tuple);
    words[at + 2] = tuple.destination;
  }

  private index(id: EntryId, direction: DirectionCode): void {
    if (2 * (this.used + 1) > this.mask) this.growIndex();
    const hash = this.hashOf(id, direction);
    this.used++;
    this.place(hash, 2 * id + direction + 1);
  }

  private place(hash: number, value: number): void {
    const { slots, mask } = this;
    let slot = hash & mask;
    while (slots[SLOT_WORDS * slot + 1] !== 0) slot = (slot + 1) & mask;
    slots[SLOT_WORDS * slot] = hash;
    slots[SLOT_WORDS * slot + 1] = value;
  }

  private findTuple(
    host: number,
    protocol: number,
    source: AddressId,
    ports: number,
    destination: AddressId,
  ): number {
    const { slots, mask, words } = this;
    const hash = slotHash(host, protocol, source, ports, destination);
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const value = slots[SLOT_WORDS * slot + 1]!;
      if (value === 0) return NO_ENTRY;
      if (slots[SLOT_WORDS * slot] !== hash) continue;
      const base = ((value - 1) >> 1) * WORDS;
      const at = base + TUPLE + ((value - 1) & 1) * TUPLE_WORDS;
      if (
        words[at + 1] === ports &&
        words[at] === source &&
        words[at + 2] === destination &&
        words[base + HOST] === host &&
        words[base + PROTOCOL] === protocol
      ) {
        return value - 1;
      }
    }
  }

  /** Takes an entry's tuple out, and moves later members of its probe chain back. */
  private unindex(id: EntryId, direction: DirectionCode): void {
    const { slots, mask } = this;
    const wanted = 2 * id + direction + 1;
    let gap = this.hashOf(id, direction) & mask;
    while (slots[SLOT_WORDS * gap + 1] !== wanted) gap = (gap + 1) & mask;
    this.used--;
    let next = (gap + 1) & mask;
    while (slots[SLOT_WORDS * next + 1] !== 0) {
      const home = slots[SLOT_WORDS * next]! & mask;
      if (((next - home) & mask) >= ((next - gap) & mask)) {
        slots[SLOT_WORDS * gap] = slots[SLOT_WORDS * next]!;
        slots[SLOT_WORDS * gap + 1] = slots[SLOT_WORDS * next + 1]!;
        gap = next;
      }
      next = (next + 1) & mask;
    }
    slots[SLOT_WORDS * gap + 1] = 0;
  }

  private growIndex(): void {
    const old = this.slots;
    const count = this.mask + 1;
    this.mask = 2 * count - 1;
    this.slots = new Int32Array(2 * count * SLOT_WORDS);
    for (let at = 0; at < count * SLOT_WORDS; at += SLOT_WORDS) {
      if (old[at + 1] !== 0) this.place(old[at]!, old[at + 1]!);
    }
  }

  private hashOf(id: EntryId, direction: DirectionCode): number {
    const { words } = this;
    const base = id * WORDS;
    const at = base + TUPLE + direction * TUPLE_WORDS;
    const host = words[base + HOST]!;
    const protocol = words[base + PROTOCOL]!;
    return slotHash(host, protocol, words[at]!, words[at + 1]!, words[at + 2]!);
  }
}

function portsOf({ sourcePort, destinationPort }: Tuple): number {
  return (sourcePort << 16) | destinationPort;
}

function doubled<T extends Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Slots of the index in a cache line. */
const LINE = 8;
const LINE_MASK = LINE - 1;

/**
 * Where a tuple stands in the index. A namespace's connections have ports one after another: eight of them
 * share a cache line, whichever of the two ports it is.
 */
function slotHash(
  host: number,
  protocol: number,
  source: AddressId,
  ports: number,
  destination: AddressId,
): number {
  const near = (ports ^ (ports >>> 16)) & LINE_MASK;
  const far = ports & ~(LINE_MASK | (LINE_MASK << 16));
  return (hashTuple(host, protocol, source, far, destination) & ~LINE_MASK) | near;
}

/** Multiplicative mixing with the constants of MurmurHash3's finaliser. */
function hashTuple(
  host: number,
  protocol: number,
  source: AddressId,
  ports: number,
  destination: AddressId,
): number {
  let h = Math.imul(host ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(source + protocol, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15) ^ ports, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13) ^ destination, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
