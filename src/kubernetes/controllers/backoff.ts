/**
 * An exponential back-off by key (client-go util/flowcontrol Backoff).
 *
 * Owns: how long each key still waits. A key that nobody has asked about for twice the longest wait begins
 * anew. Refuses to own: waking anybody.
 */
import type { DurationNs, SimTimeNs } from "../../engine/index.ts";

export class KeyedBackoff {
  readonly #baseNs: DurationNs;
  readonly #maxNs: DurationNs;
  readonly #entries = new Map<string, { waitNs: DurationNs; sinceNs: SimTimeNs }>();

  constructor(baseNs: DurationNs, maxNs: DurationNs) {
    this.#baseNs = baseNs;
    this.#maxNs = maxNs;
  }

  remainingNs(key: string, nowNs: SimTimeNs): DurationNs {
    const entry = this.#entries.get(key);
    if (entry === undefined || nowNs - entry.sinceNs > 2 * this.#maxNs) return 0;
    return Math.max(0, entry.sinceNs + entry.waitNs - nowNs);
  }

  /** The next wait begins now. */
  next(key: string, nowNs: SimTimeNs): void {
    const entry = this.#entries.get(key);
    const isFresh = entry === undefined || nowNs - entry.sinceNs > 2 * this.#maxNs;
    const waitNs = isFresh ? this.#baseNs : Math.min(this.#maxNs, 2 * entry.waitNs);
    this.#entries.set(key, { waitNs, sinceNs: nowNs });
  }
}
