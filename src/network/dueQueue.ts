/**
 * A queue of small integers that all become due after the same wait.
 *
 * Owns: a ring without an allocation for each member. Used for what Linux keeps on timers that hardly
 * ever fire: lingering sockets, conntrack's collector.
 */
import type { SimTimeNs } from "../engine/index.ts";

const INITIAL = 64;

export class DueQueue {
  /** When the head is due; Infinity when nothing waits. */
  nextDueNs: SimTimeNs = Infinity;
  #values = new Int32Array(INITIAL);
  #tags = new Int32Array(INITIAL);
  #dueNs = new Float64Array(INITIAL);
  #head = 0;
  #count = 0;

  /** What was pushed with the head, to tell whether it still means the same. */
  get nextTag(): number {
    return this.#tags[this.#head]!;
  }

  get nextValue(): number {
    return this.#values[this.#head]!;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Calls must come in order of `dueNs`. */
  push(value: number, tag: number, dueNs: SimTimeNs): void {
    if (this.#count === this.#values.length) this.#grow();
    if (this.#count === 0) this.nextDueNs = dueNs;
    const slot = (this.#head + this.#count++) & (this.#values.length - 1);
    this.#values[slot] = value;
    this.#tags[slot] = tag;
    this.#dueNs[slot] = dueNs;
  }

  /** Takes the head out; the queue must not be empty. */
  take(): number {
    const value = this.#values[this.#head]!;
    this.#head = (this.#head + 1) & (this.#values.length - 1);
    this.#count--;
    this.nextDueNs = this.#count === 0 ? Infinity : this.#dueNs[this.#head]!;
    return value;
  }

  #grow(): void {
    const { length } = this.#values;
    this.#values = this.#unrolled(this.#values, new Int32Array(2 * length));
    this.#tags = this.#unrolled(this.#tags, new Int32Array(2 * length));
    this.#dueNs = this.#unrolled(this.#dueNs, new Float64Array(2 * length));
    this.#head = 0;
  }

  #unrolled<T extends Int32Array | Float64Array>(from: T, to: T): T {
    to.set(from.subarray(this.#head));
    to.set(from.subarray(0, this.#head), from.length - this.#head);
    return to;
  }
}
