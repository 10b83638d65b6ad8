/**
 * TCP sequence and acknowledgement numbers, which the simulated connections do not have.
 *
 * Owns: what each end has sent and received, by its own addresses and ports, told from the packets that pass: a byte has one
 * number however often it is sent. Refuses to own: the connections themselves (network/transport.ts).
 */
import { Flag, type Packet } from "../../network/packet.ts";

export interface Numbers {
  readonly seq: number;
  readonly ack: number;
  /** Of the timestamps option: milliseconds, and what the other end's last was. */
  readonly timestamp: number;
  readonly echo: number;
}

/** Sent once and lost on its way: it will be sent again. */
interface Lost {
  readonly seq: number;
  readonly payloadBytes: number;
  readonly flags: number;
}

/** One end of a connection. */
interface End {
  generation: number;
  first: number;
  next: number;
  /** The next byte that is expected from the other end; -1: nothing came yet. */
  expected: number;
  /** Came before what precedes them. */
  readonly early: { readonly seq: number; readonly length: number }[];
  readonly lost: Lost[];
  heard: number;
  last: { readonly sentAtNs: number; readonly flags: number; readonly seq: number } | null;
}

/** What a closed port answers. */
interface Answered {
  readonly flow: string;
  readonly flags: number;
  readonly numbers: Numbers;
  readonly length: number;
}

const NONE: Numbers = { seq: 0, ack: 0, timestamp: 0, echo: 0 };

export class Sequences {
  readonly #namespaceOf: (socket: number) => number;
  readonly #ends = new Map<string, End>();
  /** By the packet's id, while it is under way. */
  readonly #numbers: (Numbers | undefined)[] = [];
  #delivered: Answered | null = null;

  constructor(namespaceOf: (socket: number) => number) {
    this.#namespaceOf = namespaceOf;
  }

  /** To be asked at each packet's first step, while it is as it left its socket. */
  of(packet: Packet): Numbers {
    return (this.#numbers[packet.id] ??= this.#assigned(packet));
  }

  /** At the other end, in a namespace. */
  delivered(packet: Packet, namespace: number): void {
    const numbers = this.of(packet);
    const length = lengthOf(packet);
    this.#delivered = { flow: flowOf(packet), flags: packet.flags, numbers, length };
    const key = `${namespace} ${backOf(packet)}`;
    const end = this.#ends.get(key) ?? this.#open(key, packet.originGeneration);
    if (isSyn(packet)) {
      end.expected = add(numbers.seq, 1);
      end.early.length = 0;
    } else if (length > 0) receive(end, numbers.seq, length);
    end.heard = numbers.timestamp;
    this.#numbers[packet.id] = undefined;
  }

  lost(packet: Packet): void {
    const numbers = this.of(packet);
    this.#numbers[packet.id] = undefined;
    if (packet.originSocket < 0 || isSyn(packet) || lengthOf(packet) === 0) return;
    // Translated meanwhile, perhaps: found by the socket's own view of the connection.
    const end = this.#bySocket.get(packet.originSocket);
    const { payloadBytes, flags } = packet;
    if (end?.generation === packet.originGeneration) {
      end.lost.push({ seq: numbers.seq, payloadBytes, flags });
    }
  }

  readonly #bySocket = new Map<number, End>();

  #assigned(packet: Packet): Numbers {
    const { originSocket, originGeneration, flags, sentAtNs } = packet;
    if (originSocket < 0) return this.#answer(packet);
    const key = `${this.#namespaceOf(originSocket)} ${flowOf(packet)}`;
    let end = this.#ends.get(key) ?? this.#open(key, originGeneration);
    if (isSyn(packet) && packet.attempt === 0 && (flags & Flag.ack) === 0) {
      end = this.#open(key, originGeneration);
    }
    end.generation = originGeneration;
    this.#bySocket.set(originSocket, end);
    const seq = sequenceOf(end, packet);
    end.last = { sentAtNs, flags, seq };
    const ack = Math.max(0, end.expected);
    return { seq, ack, timestamp: Math.floor(sentAtNs / 1e6) + 1, echo: end.heard };
  }

  /** A RST that no socket sends answers the packet that has just come: RFC 9293, 3.10.7.1. */
  #answer(packet: Packet): Numbers {
    const about = this.#delivered;
    if (about === null || about.flow !== backOf(packet)) return NONE;
    const { seq, ack } = about.numbers;
    if ((about.flags & Flag.ack) !== 0) return { ...NONE, seq: ack };
    return { ...NONE, ack: add(seq, about.length) };
  }

  #open(key: string, generation: number): End {
    const first = hash(`${key} ${generation}`);
    const end: End = {
      generation,
      first,
      next: add(first, 1),
      expected: -1,
      early: [],
      lost: [],
      heard: 0,
      last: null,
    };
    this.#ends.set(key, end);
    return end;
  }
}

function sequenceOf(end: End, packet: Packet): number {
  const { flags, payloadBytes, sentAtNs, attempt, twin } = packet;
  if (isSyn(packet)) return end.first;
  // The line sends it twice: it is the same.
  if (twin !== 0 && end.last?.sentAtNs === sentAtNs && end.last.flags === flags)
    return end.last.seq;
  const again =
    attempt === 0
      ? -1
      : end.lost.findIndex((each) => each.payloadBytes === payloadBytes && each.flags === flags);
  if (again >= 0) return end.lost.splice(again, 1)[0]!.seq;
  const seq = end.next;
  end.next = add(seq, lengthOf(packet));
  return seq;
}

/** Takes in what came, and what had come too early. */
function receive(end: End, seq: number, length: number): void {
  end.early.push({ seq, length });
  for (let i = 0; i < end.early.length; i++) {
    const { seq: from, length: more } = end.early[i]!;
    if (from !== end.expected) continue;
    end.expected = add(from, more);
    end.early.splice(i, 1);
    i = -1;
  }
}

function isSyn({ flags }: Packet): boolean {
  return (flags & Flag.syn) !== 0;
}

/** In sequence numbers: SYN and FIN have one each. */
function lengthOf({ flags, payloadBytes }: Packet): number {
  return payloadBytes + ((flags & (Flag.syn | Flag.fin)) !== 0 ? 1 : 0);
}

function flowOf({ protocol, source, sourcePort, destination, destinationPort }: Packet): string {
  return `${protocol} ${source} ${sourcePort} ${destination} ${destinationPort}`;
}

/** The same connection from the other end. */
function backOf({ protocol, source, sourcePort, destination, destinationPort }: Packet): string {
  return `${protocol} ${destination} ${destinationPort} ${source} ${sourcePort}`;
}

function add(a: number, b: number): number {
  return (a + b) % 2 ** 32;
}

/** FNV-1a. */
function hash(text: string): number {
  let word = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    word = Math.imul(word ^ text.charCodeAt(i), 0x01000193);
  }
  return word >>> 0;
}
