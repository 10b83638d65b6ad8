/**
 * Packets that a line has sent twice, as the kernels at its ends see them.
 *
 * Owns: that of two such packets of a connection the receiver takes the first that comes, knowing the other by
 * its sequence number, and that the sender's timer runs only when both are lost.
 */
import type { Packet } from "./packet.ts";

interface Pair {
  /** Of the packets: on their way. */
  left: number;
  hasArrived: boolean;
}

export class Twins {
  readonly #pairs = new Map<number, Pair>();
  #numbers = 0;

  add(packet: Packet, copy: Packet): void {
    // A copy of a copy is one of the same.
    if (packet.twin === 0) {
      packet.twin = ++this.#numbers;
      this.#pairs.set(packet.twin, { left: 1, hasArrived: false });
    }
    copy.twin = packet.twin;
    this.#pairs.get(packet.twin)!.left++;
  }

  /** One of them has arrived: whether another had before it. */
  isSecond(packet: Packet): boolean {
    const pair = this.#leave(packet);
    const isSecond = pair.hasArrived;
    pair.hasArrived = true;
    // What becomes of it now is this packet's own affair.
    packet.twin = 0;
    return isSecond;
  }

  /** One of them is lost: whether another has arrived or may yet. */
  otherCounts(packet: Packet): boolean {
    const pair = this.#leave(packet);
    return pair.hasArrived || pair.left > 0;
  }

  #leave({ twin }: Packet): Pair {
    const pair = this.#pairs.get(twin)!;
    if (--pair.left === 0) this.#pairs.delete(twin);
    return pair;
  }
}
