/**
 * kube-proxy's bounded-frequency runner.
 *
 * Owns: when a sync may start. An idle proxy reacts at once; requests during a sync or the pause after
 * it become one run, which starts minSyncPeriod after the end of the last. Since 1.34 there is no burst; before,
 * a token bucket let two runs go at once. A failed run is tried again after the retry period, or sooner on a new request. Source:
 * pkg/util/async (burst), pkg/proxy/runner/bounded_frequency_runner.go; timings §7.1.
 */
import {
  Phase,
  seconds,
  type DurationNs,
  type EventHandle,
  type SimTimeNs,
  type Simulation,
} from "../../engine/index.ts";
import { TokenBucket } from "../api/tokenBucket.ts";

export class BoundedFrequencyRunner {
  readonly #sim: Simulation;
  readonly #minPeriodNs: DurationNs;
  readonly #retryNs: DurationNs;
  readonly #start: () => void;
  readonly #bucket: TokenBucket | null;
  #running = false;
  #wanted = false;
  #lastEndNs = -Infinity;
  #timer: EventHandle = 0;

  /** @param start begins a run, which ends with a call of finished() */
  constructor(
    sim: Simulation,
    periods: {
      readonly minPeriodNs: DurationNs;
      readonly retryNs: DurationNs;
      /** 0 or absent: none. */
      readonly burst?: number;
    },
    start: () => void,
  ) {
    this.#sim = sim;
    this.#minPeriodNs = periods.minPeriodNs;
    this.#retryNs = periods.retryNs;
    const { minPeriodNs, burst = 0 } = periods;
    this.#bucket =
      burst > 0 && minPeriodNs > 0 ? new TokenBucket(seconds(1) / minPeriodNs, burst) : null;
    this.#start = start;
  }

  /** Neither runs nor will: no request waits, and no retry. */
  get isIdle(): boolean {
    return !this.#running && !this.#sim.isPending(this.#timer);
  }

  /** Asks for a run. */
  request(): void {
    this.#wanted = true;
    if (!this.#running) this.#arm(this.#soonestNs());
  }

  finished(success: boolean): void {
    this.#running = false;
    this.#lastEndNs = this.#sim.nowNs;
    if (this.#wanted) this.#arm(this.#soonestNs());
    else if (!success) this.#arm(this.#lastEndNs + this.#retryNs);
  }

  /** The process ends: nothing waits any more. */
  stop(): void {
    this.#sim.cancel(this.#timer);
    this.#running = false;
    this.#wanted = false;
    this.#lastEndNs = -Infinity;
  }

  #soonestNs(): SimTimeNs {
    const { nowNs } = this.#sim;
    if (this.#bucket?.has(nowNs) === true) return nowNs;
    return Math.max(nowNs, this.#lastEndNs + this.#minPeriodNs);
  }

  #arm(atNs: number): void {
    if (this.#sim.isPending(this.#timer)) {
      // A retry that waits gives way to a request that may run sooner.
      this.#sim.cancel(this.#timer);
    }
    this.#timer = this.#sim.callAt(atNs, Phase.start, () => {
      this.#running = true;
      this.#wanted = false;
      this.#bucket?.take(atNs);
      this.#start();
    });
  }
}
