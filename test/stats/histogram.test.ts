/**
 * The histogram against exact arithmetic: sorted arrays for ranks, BigInt for sums.
 *
 * Seen to fail: with 64 buckets an octave (the relative error), with the middle of a bucket taken at its low
 * end (the relative error), with a rank floored instead of rounded up (the relative error), with the carry of
 * the sum dropped (the mean), with merge() leaving out the high part of the sum (the merge), with reset()
 * keeping the largest value (the reset).
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Histogram } from "../../src/stats/index.ts";

/** Of every size, and often beside a power of two, where the buckets' width changes. */
const value = fc.oneof(
  fc.nat(300),
  fc.nat(),
  fc.maxSafeNat(),
  fc
    .tuple(fc.integer({ min: 5, max: 52 }), fc.integer({ min: -2, max: 2 }))
    .map(([exponent, step]) => 2 ** exponent + step),
);
const values = fc.array(value, { maxLength: 200 });
const someValues = fc.array(value, { minLength: 1, maxLength: 200 });
/** Alike all over 0..1, where fc.double alone would be all but 0. */
const share = fc.oneof(
  fc.nat(1000).map((n) => n / 1000),
  fc.double({ min: 0, max: 1, noNaN: true }),
);

function histogramOf(list: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const each of list) histogram.record(each);
  return histogram;
}

/** All that can be seen of a histogram; its quantiles follow from this. */
function contents(histogram: Histogram): unknown {
  const { count, min, max, mean } = histogram;
  return { count, min, max, mean, buckets: [...histogram.buckets()] };
}

function exactMean(list: readonly number[]): number {
  return Number(list.reduce((sum, each) => sum + BigInt(each), 0n)) / list.length;
}

describe("Histogram", () => {
  it("gives each quantile within 1/256 of the value of its rank", () => {
    fc.assert(
      fc.property(someValues, share, (list, q) => {
        const sorted = list.toSorted((a, b) => a - b);
        const exact = sorted[Math.max(1, Math.ceil(q * list.length)) - 1]!;
        const error = Math.abs(histogramOf(list).quantile(q) - exact);
        expect(error).toBeLessThanOrEqual(exact / 256);
      }),
    );
  });

  it("gives every rank of small values exactly, the first and the last of any", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(255), { minLength: 1 }), someValues, (small, any) => {
        const histogram = histogramOf(small);
        const sorted = small.toSorted((a, b) => a - b);
        sorted.forEach((exact, i) => {
          // A share in the middle of the rank's own, clear of rounding.
          expect(histogram.quantile((i + 0.5) / sorted.length)).toBe(exact);
        });
        expect(histogramOf(any).quantile(0)).toBe(Math.min(...any));
        expect(histogramOf(any).quantile(1)).toBe(Math.max(...any));
      }),
    );
  });

  it("never gives a smaller value for a larger share, nor one outside the extremes", () => {
    fc.assert(
      fc.property(someValues, share, share, (list, p, q) => {
        const histogram = histogramOf(list);
        const low = histogram.quantile(Math.min(p, q));
        const high = histogram.quantile(Math.max(p, q));
        expect(low).toBeLessThanOrEqual(high);
        expect(low).toBeGreaterThanOrEqual(histogram.min);
        expect(high).toBeLessThanOrEqual(histogram.max);
      }),
    );
  });

  it("has count, mean, min and max exact, however large the sum", () => {
    fc.assert(
      fc.property(someValues, (list) => {
        const { count, mean, min, max } = histogramOf(list);
        expect({ count, mean, min, max }).toEqual({
          count: list.length,
          mean: exactMean(list),
          min: Math.min(...list),
          max: Math.max(...list),
        });
      }),
    );
  });

  it("keeps the ones that a double would lose from a sum beyond 2^53", () => {
    const largest = Number.MAX_SAFE_INTEGER;
    const histogram = histogramOf([largest, 1, 1]);
    histogram.recordN(1, 2 ** 20);
    // 2^53 - 1 + 2 + 2^20 = 2^53 + 2^20 + 1: even, were the ones added to 2^53 one by one.
    const ones = 2n + 2n ** 20n;
    expect(histogram.mean).toBe(Number(BigInt(largest) + ones) / (3 + 2 ** 20));
    let naive = largest;
    for (let i = 0n; i < ones; i++) naive += 1;
    expect(naive).toBe(2 ** 53);
  });

  it("holds each value in a bucket at most 1/128 of it wide, and none twice", () => {
    fc.assert(
      fc.property(values, (list) => {
        const buckets = [...histogramOf(list).buckets()];
        let end = 0;
        for (const [low, width, count] of buckets) {
          expect(low).toBeGreaterThanOrEqual(end);
          expect(width).toBeLessThanOrEqual(Math.max(1, low / 128));
          expect(count).toBe(list.filter((each) => each >= low && each - low < width).length);
          end = low + width;
        }
        expect(buckets.reduce((sum, [, , count]) => sum + count, 0)).toBe(list.length);
      }),
    );
  });

  it("merges into what recording everything in one would have given", () => {
    fc.assert(
      fc.property(values, values, values, (a, b, c) => {
        const merged = histogramOf(a);
        const right = histogramOf(b);
        merged.merge(right);
        merged.merge(histogramOf(c));
        expect(contents(merged)).toEqual(contents(histogramOf([...a, ...b, ...c])));
        expect(contents(right)).toEqual(contents(histogramOf(b)));
      }),
    );
  });

  it("records a value n times at once as n times alone", () => {
    fc.assert(
      fc.property(values, value, fc.nat(100), (list, each, times) => {
        const atOnce = histogramOf(list);
        atOnce.recordN(each, times);
        const alone = [...list, ...Array.from({ length: times }, () => each)];
        expect(contents(atOnce)).toEqual(contents(histogramOf(alone)));
      }),
    );
    fc.assert(
      fc.property(value, fc.integer({ min: 1, max: 2 ** 32 }), (each, times) => {
        const histogram = new Histogram();
        histogram.recordN(each, times);
        expect(histogram.mean).toBe(Number(BigInt(each) * BigInt(times)) / times);
        expect(histogram.count).toBe(times);
      }),
    );
  });

  it("forgets everything at a reset", () => {
    fc.assert(
      fc.property(values, values, (before, after) => {
        const histogram = histogramOf(before);
        histogram.reset();
        expect(contents(histogram)).toEqual(contents(new Histogram()));
        expect(histogram.quantile(0.5)).toBeNaN();
        for (const each of after) histogram.record(each);
        expect(contents(histogram)).toEqual(contents(histogramOf(after)));
      }),
    );
  });

  it("has no mean, extremes or quantiles when empty", () => {
    const { count, min, max, mean } = new Histogram();
    expect({ count, min, max, mean }).toEqual({ count: 0, min: NaN, max: NaN, mean: NaN });
    expect(new Histogram().quantile(1)).toBeNaN();
    expect([...new Histogram().buckets()]).toEqual([]);
  });

  it.each([-1, 0.5, NaN, Infinity, 2 ** 53])("refuses %s and stays as it was", (wrong) => {
    const histogram = histogramOf([7]);
    expect(() => histogram.record(wrong)).toThrow(RangeError);
    expect(() => histogram.recordN(wrong, 2)).toThrow(RangeError);
    expect(contents(histogram)).toEqual(contents(histogramOf([7])));
  });

  it("refuses a share outside 0..1 and a number of times that is none", () => {
    const histogram = histogramOf([7]);
    for (const q of [-0.1, 1.1, NaN]) expect(() => histogram.quantile(q)).toThrow(RangeError);
    for (const times of [-1, 0.5, NaN, 2 ** 53]) {
      expect(() => histogram.recordN(1, times)).toThrow(RangeError);
    }
    expect(histogram.count).toBe(1);
  });
});
