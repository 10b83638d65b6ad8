/**
 * What stands between a host's own network stack and its NIC when faults have put something there.
 *
 * Owns: netem disciplines with the hosts whose traffic they take (tc filters), and which hosts the cables no
 * longer reach. A host without faults has none of this (Host.faults is null). Refuses to own: events (stack.ts).
 */
import type { Netem } from "./netem.ts";

/** A discipline on a host's NIC, for the traffic to some hosts. */
export interface Shaping {
  readonly netem: Netem;
  readonly targets: ReadonlySet<number>;
}

/** A packet that waits in a netem: which, and where it goes then. */
interface Waiting {
  readonly shaping: Shaping;
  readonly target: number;
}

export class EgressFaults {
  readonly #shapings: Shaping[] = [];
  /** Hosts that nothing reaches from here, and how many partitions say so. */
  readonly #cut = new Map<number, number>();
  readonly #waiting = new Map<number, Waiting>();

  /** Nothing is wrong here, and nothing waits. */
  get isEmpty(): boolean {
    return this.#shapings.length === 0 && this.#cut.size === 0 && this.#waiting.size === 0;
  }

  shape(shaping: Shaping): void {
    this.#shapings.push(shaping);
  }

  unshape(shaping: Shaping): void {
    const at = this.#shapings.indexOf(shaping);
    if (at >= 0) this.#shapings.splice(at, 1);
  }

  cut(target: number): void {
    this.#cut.set(target, (this.#cut.get(target) ?? 0) + 1);
  }

  mend(target: number): void {
    const left = this.#cut.get(target)! - 1;
    if (left === 0) this.#cut.delete(target);
    else this.#cut.set(target, left);
  }

  isCut(target: number): boolean {
    return this.#cut.has(target);
  }

  /** The next discipline that takes traffic to `target`, after `last`; null for none, or no more. */
  next(target: number, last: Shaping | null): Shaping | null {
    const from = last === null ? 0 : this.#shapings.indexOf(last) + 1;
    // One that has been taken away meanwhile was the last for what waited in it.
    if (last !== null && from === 0) return null;
    return this.#shapings.find(({ targets }, i) => i >= from && targets.has(target)) ?? null;
  }

  hold(packet: number, waiting: Waiting): void {
    this.#waiting.set(packet, waiting);
  }

  take(packet: number): Waiting {
    const waiting = this.#waiting.get(packet)!;
    this.#waiting.delete(packet);
    return waiting;
  }
}
