/**
 * Deadlines that are all equally far away.
 *
 * Owns: remembering which tries are due, in the order in which they were begun, so that a whole
 * client needs one pending event however many tries are out. Most tries are over before they are
 * due: they are skipped when their turn comes, not cancelled when they end.
 */
import type { SimTimeNs } from "../engine/index.ts";

/** Below this many forgotten entries the queue is not compacted. */
const COMPACT_FROM = 1024;

export class Deadlines {
  readonly #entries: {
    readonly request: number;
    readonly serial: number;
    readonly dueNs: SimTimeNs;
  }[] = [];
  #head = 0;
  /** Whether an event for the head is pending. */
  armed = false;

  /** Calls must come in order of `dueNs`. */
  push(request: number, serial: number, dueNs: SimTimeNs): void {
    this.#entries.push({ request, serial, dueNs });
  }

  /** The next entry that is still `live`; forgets those before it that are not. */
  peek(live: (request: number, serial: number) => boolean): SimTimeNs | null {
    const entries = this.#entries;
    while (this.#head < entries.length) {
      const { request, serial, dueNs } = entries[this.#head]!;
      if (live(request, serial)) return dueNs;
      this.#head++;
    }
    entries.length = 0;
    this.#head = 0;
    return null;
  }

  /** Takes the head. Only after peek() has found it. */
  take(): number {
    const { request } = this.#entries[this.#head++]!;
    if (this.#head >= COMPACT_FROM && 2 * this.#head > this.#entries.length) {
      this.#entries.splice(0, this.#head);
      this.#head = 0;
    }
    return request;
  }
}
