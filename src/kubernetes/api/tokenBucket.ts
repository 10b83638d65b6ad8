/**
 * client-go's rate limiter: a token bucket that calls wait for, in call order.
 *
 * Owns: when each call may go. Source: client-go util/flowcontrol, golang.org/x/time/rate.
 */
import { seconds, type DurationNs, type SimTimeNs } from "../../engine/index.ts";

export class TokenBucket {
  readonly #intervalNs: number;
  readonly #burst: number;
  /** When the bucket was, or will be, empty but for what has been promised since. */
  #emptyAtNs = -Infinity;

  constructor(qps: number, burst: number) {
    this.#intervalNs = seconds(1) / qps;
    this.#burst = burst;
  }

  /** A token is there now. */
  has(nowNs: SimTimeNs): boolean {
    return this.#emptyAtNs + this.#intervalNs <= nowNs;
  }

  /** Takes a token, of the future if need be. @returns how long the caller waits for it */
  take(nowNs: SimTimeNs): DurationNs {
    // A bucket full at t holds `burst` tokens: it was empty burst intervals earlier.
    const sinceNs = Math.max(this.#emptyAtNs, nowNs - this.#burst * this.#intervalNs);
    this.#emptyAtNs = sinceNs + this.#intervalNs;
    return Math.max(0, Math.ceil(this.#emptyAtNs - nowNs));
  }

  /** Takes a token if there is one now: flowcontrol's TryAccept. */
  tryTake(nowNs: SimTimeNs): boolean {
    const sinceNs = Math.max(this.#emptyAtNs, nowNs - this.#burst * this.#intervalNs);
    if (sinceNs + this.#intervalNs > nowNs) return false;
    this.#emptyAtNs = sinceNs + this.#intervalNs;
    return true;
  }
}
