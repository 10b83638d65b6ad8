/**
 * Deadlines that are all equally far away.
 *
 * Owns: remembering which tries are due, in the order in which they were begun, so that a whole
 * client needs one pending event however many tries are out. Most tries are over before they are
 * due: they are skipped when their turn comes, not cancelled when they end.
 */
import type { SimTimeNs } from "../engine/index.ts";
import { DueQueue } from "../network/dueQueue.ts";

export class Deadlines {
  /** Whether an event for the head is pending. */
  armed = false;
  readonly #queue = new DueQueue();

  /** Calls must come in order of `dueNs`. */
  push(request: number, serial: number, dueNs: SimTimeNs): void {
    this.#queue.push(request, serial, dueNs);
  }

  /** When the next try that is still `live` is due, or null; forgets those before it that are not. */
  peek(live: (request: number, serial: number) => boolean): SimTimeNs | null {
    const queue = this.#queue;
    while (!queue.isEmpty) {
      if (live(queue.nextValue, queue.nextTag)) return queue.nextDueNs;
      queue.take();
    }
    return null;
  }

  /** Takes the head. Only after peek() has found it. */
  take(): number {
    return this.#queue.take();
  }
}
