/**
 * client-go's rate-limited work queue with its workers.
 *
 * Owns: that a key waits at most once, is never worked on twice at a time, and comes back when it was
 * asked for meanwhile; back-off by key and by a common bucket. Refuses to own: what a sync does.
 */
import { Phase, type DurationNs, type Simulation } from "../../engine/index.ts";
import { TokenBucket } from "../api/tokenBucket.ts";

export interface WorkQueueOptions {
  readonly workers: number;
  readonly retryBaseNs: DurationNs;
  readonly retryMaxNs: DurationNs;
  readonly retryQps: number;
  readonly retryBurst: number;
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
  #lastDueNs = 0;

  constructor(sim: Simulation, options: WorkQueueOptions, sync: Sync) {
    this.#sim = sim;
    this.#options = options;
    this.#sync = sync;
    this.#bucket = new TokenBucket(options.retryQps, options.retryBurst);
  }

  /** Nothing waits, now or later, and nothing is worked on. */
  get isIdle(): boolean {
    return this.#waiting.size + this.#working.size === 0 && this.#lastDueNs <= this.#sim.nowNs;
  }

  add(key: string): void {
    if (this.#working.has(key)) {
      this.#askedMeanwhile.add(key);
      return;
    }
    this.#waiting.add(key);
    this.#work();
  }

  addAfter(key: string, delayNs: DurationNs): void {
    if (delayNs <= 0) {
      this.add(key);
      return;
    }
    this.#lastDueNs = Math.max(this.#lastDueNs, this.#sim.nowNs + delayNs);
    this.#sim.callAfter(delayNs, Phase.start, () => this.add(key));
  }

  #work(): void {
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
    if (retry) this.addAfter(key, this.#backoff(key));
    else this.#failures.delete(key);
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
