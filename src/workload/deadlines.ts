/**
 * Deadlines that are all equally far away.
 *
 * Owns: remembering which tries are due, in the order in which they were begun, so that a whole
 * client needs one pending event however many tries are out. Most tries are over before they are
 * due: they are skipped when their turn comes, not cancelled when they end.
 */
import type { SimTimeNs } from "../engine/index.ts";

const INITIAL = 64;

/** A ring of (request, serial, due time); its size is a power of two. */
export class Deadlines {
  /** Whether an event for the head is pending. */
  armed = false;
  #size = INITIAL;
  #requests = new Int32Array(INITIAL);
  #serials = new Int32Array(INITIAL);
  #dueNs = new Float64Array(INITIAL);
  #head = 0;
  #count = 0;

  /** Calls must come in order of `dueNs`. */
  push(request: number, serial: number, dueNs: SimTimeNs): void {
    if (this.#count === this.#size) this.#grow();
    const slot = (this.#head + this.#count++) & (this.#size - 1);
    this.#requests[slot] = request;
    this.#serials[slot] = serial;
    this.#dueNs[slot] = dueNs;
  }

  /** When the next try that is still `live` is due; forgets those before it that are not. */
  peek(live: (request: number, serial: number) => boolean): SimTimeNs | null {
    while (this.#count > 0) {
      const slot = this.#head;
      if (live(this.#requests[slot]!, this.#serials[slot]!)) return this.#dueNs[slot]!;
      this.#drop();
    }
    return null;
  }

  /** Takes the head. Only after peek() has found it. */
  take(): number {
    const request = this.#requests[this.#head]!;
    this.#drop();
    return request;
  }

  #drop(): void {
    this.#head = (this.#head + 1) & (this.#size - 1);
    this.#count--;
  }

  #grow(): void {
    const { length } = this.#requests;
    const turn = <T extends Int32Array | Float64Array>(from: T, to: T): T => {
      to.set(from.subarray(this.#head));
      to.set(from.subarray(0, this.#head), length - this.#head);
      return to;
    };
    this.#requests = turn(this.#requests, new Int32Array(2 * length));
    this.#serials = turn(this.#serials, new Int32Array(2 * length));
    this.#dueNs = turn(this.#dueNs, new Float64Array(2 * length));
    this.#head = 0;
    this.#size = 2 * length;
  }
}
