/**
 * A log-linear histogram of non-negative integers: fixed relative error, exact merge, little memory.
 *
 * Owns: counts by bucket, and the exact count, sum, smallest and largest. Refuses to own: units and windows.
 *
 * Each octave [2^k, 2^(k+1)) is cut into 128 equal buckets; below 256 a bucket is one integer. A bucket is
 * thus at most 1/128 of its values wide, and its middle is within 1/256 of each of them. Memory is 1 KiB per
 * octave that was ever used (46 at most), however many values are recorded.
 */

const SUB_BUCKET_BITS = 7;
const SUB_BUCKETS = 2 ** SUB_BUCKET_BITS;
/** Octaves of buckets up to 2^53: the first covers 0..127, each further one doubles the bucket's width. */
const CHUNKS = 53 - SUB_BUCKET_BITS + 1;
const TWO_POW_MINUS_32 = 2 ** -32;
/** The sum is kept as `sumHigh * SUM_UNIT + sumLow`, both exact integers, so that merging is exact. */
const SUM_UNIT = 2 ** 52;

/** Chunks of a histogram that has recorded nothing: most of a large cluster's. */
const NO_CHUNKS: (Float64Array | undefined)[] = Array.from({ length: CHUNKS });

/** 2^-shift by shift. */
const inverseWidths = Float64Array.from({ length: CHUNKS }, (_, shift) => 2 ** -shift);

export class Histogram {
  private chunks = NO_CHUNKS;
  private total = 0;
  private sumHigh = 0;
  private sumLow = 0;
  private smallest = Infinity;
  private largest = -Infinity;

  /** Values recorded. */
  get count(): number {
    return this.total;
  }

  /** Smallest value, exact; NaN when empty. */
  get min(): number {
    return this.total === 0 ? NaN : this.smallest;
  }

  /** Largest value, exact; NaN when empty. */
  get max(): number {
    return this.total === 0 ? NaN : this.largest;
  }

  /** Mean of the values themselves, not of the buckets; NaN when empty. */
  get mean(): number {
    return (this.sumHigh * SUM_UNIT + this.sumLow) / this.total;
  }

  /** @throws RangeError unless value is an integer from 0 to 2^53 - 1 */
  record(value: number): void {
    this.checkValue(value);
    const chunk = chunkOf(value);
    const counts = this.chunks[chunk] ?? this.openChunk(chunk);
    counts[subBucketOf(value, chunk)]!++;
    this.total++;
    this.addToSum(value);
    if (value < this.smallest) this.smallest = value;
    if (value > this.largest) this.largest = value;
  }

  /** Records `value` `times` times. @throws RangeError as `record`, or unless times is an integer from 0 */
  recordN(value: number, times: number): void {
    this.checkValue(value);
    if (!Number.isSafeInteger(times) || times < 0) {
      throw new RangeError(`Histogram.recordN: times is ${times}; allowed: an integer from 0`);
    }
    if (times === 0) return;
    const chunk = chunkOf(value);
    const counts = this.chunks[chunk] ?? this.openChunk(chunk);
    counts[subBucketOf(value, chunk)]! += times;
    this.total += times;
    this.addProductToSum(value, times);
    this.smallest = Math.min(this.smallest, value);
    this.largest = Math.max(this.largest, value);
  }

  /**
   * The value below or at which a share `q` of the values lies: the middle of its bucket, within 1/256 of the
   * value of rank ceil(q * count). quantile(0) and quantile(1) are exact. NaN when empty.
   * @throws RangeError unless 0 <= q <= 1
   */
  quantile(q: number): number {
    if (!(q >= 0 && q <= 1)) {
      throw new RangeError(`Histogram.quantile: q is ${q}; allowed: 0 to 1`);
    }
    if (this.total === 0) return NaN;
    if (q === 0) return this.smallest;
    let rank = Math.ceil(q * this.total);
    if (rank >= this.total) return this.largest;
    for (const [low, width, count] of this.buckets()) {
      rank -= count;
      if (rank > 0) continue;
      const middle = low + Math.floor((width - 1) / 2);
      return Math.min(Math.max(middle, this.smallest), this.largest);
    }
    return this.largest;
  }

  /**
   * As quantile(), of the values alone that were recorded since `earlier` was a copy of this; within 1/256 of the
   * value also at its ends. NaN when there are none.
   */
  quantileSince(earlier: Histogram, q: number): number {
    let rank = Math.max(1, Math.ceil(q * (this.total - earlier.total)));
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      const counts = this.chunks[chunk];
      if (counts === undefined) continue;
      const before = earlier.chunks[chunk];
      const width = chunk === 0 ? 1 : 2 ** (chunk - 1);
      const base = chunk === 0 ? 0 : SUB_BUCKETS;
      for (let i = 0; i < SUB_BUCKETS; i++) {
        rank -= counts[i]! - (before === undefined ? 0 : before[i]!);
        if (rank <= 0) return (base + i) * width + Math.floor((width - 1) / 2);
      }
    }
    return NaN;
  }

  /** The used buckets in increasing order: lowest value, width in integers, count. */
  *buckets(): Generator<readonly [low: number, width: number, count: number]> {
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      const counts = this.chunks[chunk];
      if (counts === undefined) continue;
      const width = chunk === 0 ? 1 : 2 ** (chunk - 1);
      const base = chunk === 0 ? 0 : SUB_BUCKETS;
      for (let i = 0; i < SUB_BUCKETS; i++) {
        const count = counts[i]!;
        if (count > 0) yield [(base + i) * width, width, count];
      }
    }
  }

  /** Adds another histogram's values; the result is exactly as if they had been recorded here. */
  merge(other: Histogram): void {
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      const from = other.chunks[chunk];
      if (from === undefined) continue;
      const counts = this.chunks[chunk] ?? this.openChunk(chunk);
      for (let i = 0; i < SUB_BUCKETS; i++) counts[i]! += from[i]!;
    }
    this.total += other.total;
    this.addParts(other.sumHigh, other.sumLow);
    this.smallest = Math.min(this.smallest, other.smallest);
    this.largest = Math.max(this.largest, other.largest);
  }

  /** Forgets all values; keeps the memory for the next window. */
  reset(): void {
    for (const counts of this.chunks) counts?.fill(0);
    this.total = 0;
    this.sumHigh = 0;
    this.sumLow = 0;
    this.smallest = Infinity;
    this.largest = -Infinity;
  }

  private checkValue(value: number): void {
    if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER) || value !== Math.floor(value)) {
      throw new RangeError(`Histogram: value is ${value}; allowed: an integer from 0 to 2^53 - 1`);
    }
  }

  private openChunk(chunk: number): Float64Array {
    const counts = new Float64Array(SUB_BUCKETS);
    if (this.chunks === NO_CHUNKS) this.chunks = [...NO_CHUNKS];
    this.chunks[chunk] = counts;
    return counts;
  }

  private addToSum(value: number): void {
    if (value >= SUM_UNIT) this.addParts(1, value - SUM_UNIT);
    else this.addParts(0, value);
  }

  /** `low` is below SUM_UNIT, as `sumLow` is, so their sum is exact. */
  private addParts(high: number, low: number): void {
    const sum = this.sumLow + low;
    const carry = sum >= SUM_UNIT ? 1 : 0;
    this.sumLow = sum - carry * SUM_UNIT;
    this.sumHigh += high + carry;
  }

  /** Adds value * times by doubling, since the product itself may not be exact. */
  private addProductToSum(value: number, times: number): void {
    let high = value >= SUM_UNIT ? 1 : 0;
    let low = value - high * SUM_UNIT;
    for (let left = times; left > 0; left = Math.floor(left / 2)) {
      if (left % 2 === 1) this.addParts(high, low);
      const carry = 2 * low >= SUM_UNIT ? 1 : 0;
      low = 2 * low - carry * SUM_UNIT;
      high = 2 * high + carry;
    }
  }
}

/** 0 for 0..127, then 1 + log2(value) - 7: the octave. */
function chunkOf(value: number): number {
  const bits =
    value < 2 ** 32
      ? 32 - Math.clz32(value)
      : 64 - Math.clz32(Math.floor(value * TWO_POW_MINUS_32));
  return bits > SUB_BUCKET_BITS ? bits - SUB_BUCKET_BITS : 0;
}

function subBucketOf(value: number, chunk: number): number {
  return chunk === 0 ? value : Math.floor(value * inverseWidths[chunk - 1]!) - SUB_BUCKETS;
}
