/**
 * client-go's rate-limited work queue with its workers.
 *
 * Owns: that a key waits at most once, is never worked on twice at a time, and comes back when it was
 * asked for meanwhile; back-off by key and by a common bucket. Refuses to own: what a sync does.
 */
import { Phase, type DurationNs, type SimTimeNs, type Simulation } from "../../engine/index.ts";
import { TokenBucket } from "../api/tokenBucket.ts";

export interface WorkQueueOptions {
  readonly workers: number;
  readonly retryBaseNs: DurationNs;
  readonly retryMaxNs: DurationNs;
  readonly retryQps: number;
  readonly retryBurst: number;
  /** A key that has failed this often in a row is let go until something asks for it again. */
  readonly maxRetries: number;
}

/** The caches of a process: `then` is called once each has its first list (cache.WaitForCacheSync). */
export interface Caches {
  whenSynced(then: () => void): void;
}

/** Works on a key; calls `done` once, with whether the key is to be tried again. */
export type Sync = (key: string, done: (retry: boolean) => void) => void;

export class WorkQueue {
  readonly #sim: Simulation;
  readonly #options: WorkQueueOptions;
  readonly #sync: Sync;
  readonly #bucket: TokenBucket;
  /** Insertion-ordered: a set is a FIFO without duplicates. */
  readonly #waiting = new Set<string>();
  readonly #working = new Set<string>();
  readonly #askedMeanwhile = new Set<string>();
  readonly #failures = new Map<string, number>();
  /** When each key that waits for its time is due. */
  readonly #dueNs = new Map<string, SimTimeNs>();
  #areWorkersStarted = false;

  /** @param caches the workers start when they have synced; before that, keys only wait */
  constructor(sim: Simulation, options: WorkQueueOptions, caches: Caches, sync: Sync) {
    this.#sim = sim;
    this.#options = options;
    this.#sync = sync;
    this.#bucket = new TokenBucket(options.retryQps, options.retryBurst);
    caches.whenSynced(() => {
      this.#areWorkersStarted = true;
      this.#work();
    });
  }

  /** Nothing waits, now or later, and nothing is worked on. */
  get isIdle(): boolean {
    return this.#waiting.size + this.#working.size + this.#dueNs.size === 0;
  }

  /** Nothing is to be done now, whatever is to be done later. */
  get isResting(): boolean {
    return this.#waiting.size + this.#working.size === 0;
  }

  add(key: string): void {
    if (this.#working.has(key)) {
      this.#askedMeanwhile.add(key);
      return;
    }
    this.#waiting.add(key);
    this.#work();
  }

  /** A key that waits already keeps the earlier of its two times (delaying_queue.go). */
  addAfter(key: string, delayNs: DurationNs): void {
    if (delayNs <= 0) {
      this.add(key);
      return;
    }
    const dueNs = this.#sim.nowNs + delayNs;
    if ((this.#dueNs.get(key) ?? Infinity) <= dueNs) return;
    this.#dueNs.set(key, dueNs);
    this.#sim.callAt(dueNs, Phase.start, () => {
      if (this.#dueNs.get(key) !== dueNs) return;
      this.#dueNs.delete(key);
      this.add(key);
    });
  }

  #work(): void {
    if (!this.#areWorkersStarted) return;
    while (this.#working.size < this.#options.workers) {
      const [key] = this.#waiting;
      if (key === undefined) return;
      this.#waiting.delete(key);
      this.#working.add(key);
      this.#sync(key, (retry) => this.#done(key, retry));
    }
  }

  #done(key: string, retry: boolean): void {
    this.#working.delete(key);
    if (retry && (this.#failures.get(key) ?? 0) < this.#options.maxRetries) {
      this.addAfter(key, this.#backoff(key));
    } else {
      this.#failures.delete(key);
    }
    if (this.#askedMeanwhile.delete(key)) this.#waiting.add(key);
    this.#work();
  }

  /** The longer of the key's own exponential wait and its turn in the common bucket. */
  #backoff(key: string): DurationNs {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const { retryBaseNs, retryMaxNs } = this.#options;
    const ownNs = Math.min(retryMaxNs, retryBaseNs * 2 ** Math.min(failures, 40));
    return Math.max(ownNs, this.#bucket.take(this.#sim.nowNs));
  }
}
