/**
 * Packets: what travels. One Packet stands for a train of segments that leave together.
 *
 * Owns: the fields on the wire and the pool. Refuses to own: any decision about a packet.
 */
import { NO_ADDRESS, type AddressId } from "./address.ts";
import type { TransportProtocolNumber } from "./nat.ts";

/** Bits of Packet.flags. The ICMP bits mark an error message about the inverse flow. */
export const Flag = {
  syn: 1,
  ack: 2,
  fin: 4,
  rst: 8,
  /** Last train of a message. */
  push: 16,
  icmpPortUnreachable: 32,
  icmpHostUnreachable: 64,
  icmpNetUnreachable: 128,
} as const;

export const ICMP_FLAGS =
  Flag.icmpPortUnreachable | Flag.icmpHostUnreachable | Flag.icmpNetUnreachable;

/** No socket: a packet that no socket sent (ICMP, RST by a closed port). */
export const NO_SOCKET = -1;

export class Packet {
  readonly id: number;
  protocol: TransportProtocolNumber = 6;
  source: AddressId = NO_ADDRESS;
  sourcePort = 0;
  destination: AddressId = NO_ADDRESS;
  destinationPort = 0;
  flags = 0;
  /** Segments in the train, and their bytes with all headers. */
  packets = 0;
  wireBytes = 0;
  payloadBytes = 0;
  /** With a FIN: where in the sender's stream it stands. */
  streamBytes = 0;
  /** Size of the message that the payload belongs to, and the application's words about it. */
  messageBytes = 0;
  message = 0;
  messageInfo = 0;
  /** When it left its socket, and the how-manieth try it is. */
  sentAtNs = 0;
  attempt = 0;
  /** Socket that sent it: whose retransmission timer runs. */
  originSocket = NO_SOCKET;
  originGeneration = 0;
  /** Delay met since the last event and yet to be served: see stack.ts. */
  carriedNs = 0;
  /** Number of the pair that it and its copy are; 0 for a packet that nothing has sent twice. */
  twin = 0;
  /** Conntrack tables met so far: which of the origin's hints comes next. */
  tables = 0;
  inUse = false;

  constructor(id: number) {
    this.id = id;
  }
}

export class PacketPool {
  readonly all: Packet[] = [];
  sent = 0;
  delivered = 0;
  dropped = 0;
  /** Segments of the trains that were dropped: what hops and places count their drops in. */
  droppedSegments = 0;
  /** Those that are not on their way: the first `freeCount` of it. */
  private readonly free: Packet[] = [];
  private freeCount = 0;

  /** Packets on their way: sent = delivered + dropped + inFlight, always. */
  get inFlight(): number {
    return this.all.length - this.freeCount;
  }

  take(): Packet {
    this.sent++;
    const packet = this.freeCount > 0 ? this.free[--this.freeCount]! : this.create();
    packet.inUse = true;
    packet.tables = 0;
    packet.carriedNs = 0;
    packet.twin = 0;
    return packet;
  }

  /** One more packet, alike in all that travels. */
  copy(packet: Packet): Packet {
    const copy = this.take();
    const { id, inUse } = copy;
    Object.assign(copy, packet, { id, inUse });
    return copy;
  }

  drop(packet: Packet): void {
    this.dropped++;
    this.droppedSegments += packet.packets;
  }

  /** A packet that was counted as delivered is dropped by its receiver instead. */
  refuse(packet: Packet): void {
    this.delivered--;
    this.drop(packet);
  }

  release(packet: Packet): void {
    packet.inUse = false;
    this.free[this.freeCount++] = packet;
  }

  private create(): Packet {
    const packet = new Packet(this.all.length);
    this.all.push(packet);
    return packet;
  }
}
