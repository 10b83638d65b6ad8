/**
 * A range of slots of which the lower band is kept for callers who ask for a slot by number.
 *
 * Owns: the rule that ClusterIPs and node ports share: dynamic allocation starts at a random slot of the
 * upper band, scans upwards with wrap-around, and takes the lower band only when the upper one is full.
 * A freed slot may be given again at once. Refuses to own: what a slot means.
 */
import type { RandomStream } from "../../engine/index.ts";

/** min(max(min, size / step), max) slots for static use, or 0 for a range that is too small to split. */
export interface BandRule {
  readonly min: number;
  readonly max: number;
  readonly step: number;
}

export class BandedRange {
  readonly size: number;
  /** Slots below this one are given dynamically only when no other is free. */
  readonly staticSlots: number;
  readonly #stream: RandomStream;
  readonly #taken = new Set<number>();

  /** @param ruleSize size that the band rule is applied to; a CIDR counts its two unusable addresses */
  constructor(size: number, ruleSize: number, rule: BandRule, stream: RandomStream) {
    this.size = size;
    this.staticSlots = Math.min(size, bandSize(ruleSize, rule));
    this.#stream = stream;
  }

  get free(): number {
    return this.size - this.#taken.size;
  }

  /** Takes that slot; false if it is taken already. @throws RangeError outside the range */
  take(slot: number): boolean {
    if (!Number.isInteger(slot) || slot < 0 || slot >= this.size) {
      throw new RangeError(`slot ${slot} lies outside 0..${this.size - 1}`);
    }
    if (this.#taken.has(slot)) return false;
    this.#taken.add(slot);
    return true;
  }

  /** Takes a free slot, or returns -1 when there is none. */
  takeNext(): number {
    const upper = this.#scan(this.staticSlots, this.size - this.staticSlots);
    return upper >= 0 ? upper : this.#scan(0, this.staticSlots);
  }

  /** False if the slot was free. */
  release(slot: number): boolean {
    return this.#taken.delete(slot);
  }

  #scan(first: number, count: number): number {
    if (count <= 0) return -1;
    const start = this.#stream.below(count);
    for (let step = 0; step < count; step++) {
      const slot = first + ((start + step) % count);
      if (this.take(slot)) return slot;
    }
    return -1;
  }
}

function bandSize(size: number, { min, max, step }: BandRule): number {
  if (size <= min) return 0;
  return Math.min(Math.max(min, Math.floor(size / step)), max);
}
