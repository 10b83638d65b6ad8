/**
 * Skew indices: closed forms, bounds, invariances, and each formula once more by another way.
 *
 * Seen to fail: with 2i - n for 2i - n - 1 in Gini (all of its checks), with n - 1 for n in the variance (the
 * closed forms, and Jain from the variation), with the load unsorted (the order of the places), with
 * (i + 1) / n turned into i / n (Kolmogorov's distance as a share moved).
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { skewIndices, type SkewIndices } from "../../src/stats/index.ts";

/** Sums of a hundred terms, each rounded to 2^-53 of it, stay within this of the exact ones. */
const ROUNDING = 1e-12;
const counts = fc
  .array(fc.oneof(fc.constant(0), fc.nat(10), fc.nat(1_000_000)), { minLength: 1, maxLength: 100 })
  .filter((list) => list.some((count) => count > 0));

const names = ["maxOverMean", "cv", "jain", "gini", "kolmogorov"] as const;

function expectSame(actual: SkewIndices, expected: SkewIndices): void {
  for (const name of names) {
    const tolerance = ROUNDING * Math.max(1, expected[name]);
    expect(Math.abs(actual[name] - expected[name]), name).toBeLessThanOrEqual(tolerance);
  }
}

const sumOf = (list: readonly number[]): number => list.reduce((sum, x) => sum + x, 0);

describe("closed forms", () => {
  it.each([1, 2, 3, 10, 1000])("%i equal loads", (n) => {
    expect(skewIndices(Array.from({ length: n }, () => 7))).toEqual({
      maxOverMean: 1,
      cv: 0,
      jain: 1,
      gini: 0,
      kolmogorov: 0,
    });
  });

  it.each([1, 2, 3, 10, 1000])("all of the load on one of %i places", (n) => {
    const list = Array.from({ length: n }, (_, i) => (i === 0 ? 12 : 0));
    expectSame(skewIndices(list), {
      maxOverMean: n,
      cv: Math.sqrt(n - 1),
      jain: 1 / n,
      gini: 1 - 1 / n,
      kolmogorov: 1 - 1 / n,
    });
  });

  it("1 and 3", () => {
    // Mean 2. Deviations 1 and 1. (1 + 3)^2 / (2 (1 + 9)). |1 - 3| / (2 * 2 * 2). One quarter has to move.
    const expected = { maxOverMean: 1.5, cv: 0.5, jain: 0.8, gini: 0.25, kolmogorov: 0.25 };
    expectSame(skewIndices([3, 1]), expected);
  });

  it.each([2, 10, 100])("1, 2, ... %i", (n) => {
    // Sum n(n+1)/2, sum of squares n(n+1)(2n+1)/6; Gini's sum of (2i - n - 1) i is n(n+1)(n-1)/6.
    // Lorenz: i/n - i(i+1)/(n(n+1)) = i(n-i)/(n(n+1)), largest at i = n/2 (n is even).
    expectSame(skewIndices(Array.from({ length: n }, (_, i) => i + 1)), {
      maxOverMean: (2 * n) / (n + 1),
      cv: Math.sqrt((n - 1) / (3 * (n + 1))),
      jain: (3 * (n + 1)) / (2 * (2 * n + 1)),
      gini: (n - 1) / (3 * n),
      kolmogorov: n / (4 * (n + 1)),
    });
  });
});

describe("by a second way", () => {
  it("Gini is the mean difference of two places over twice the mean", () => {
    fc.assert(
      fc.property(counts, (list) => {
        let differences = 0;
        for (const x of list) for (const y of list) differences += Math.abs(x - y);
        const expected = differences / (2 * list.length * sumOf(list));
        expect(Math.abs(skewIndices(list).gini - expected)).toBeLessThanOrEqual(ROUNDING);
      }),
    );
  });

  it("the coefficient of variation comes from exact sums of squares, and Jain from it", () => {
    fc.assert(
      fc.property(counts, (list) => {
        const n = BigInt(list.length);
        const sum = list.reduce((total, x) => total + BigInt(x), 0n);
        const squares = list.reduce((total, x) => total + BigInt(x) * BigInt(x), 0n);
        const cvSquared = Number(n * squares - sum * sum) / Number(sum * sum);
        const { cv, jain } = skewIndices(list);
        expect(Math.abs(cv * cv - cvSquared)).toBeLessThanOrEqual(
          ROUNDING * Math.max(1, cvSquared),
        );
        expect(Math.abs(jain - 1 / (1 + cvSquared))).toBeLessThanOrEqual(ROUNDING);
      }),
    );
  });

  it("Kolmogorov's distance is the share of the load that lies above the mean", () => {
    fc.assert(
      fc.property(counts, (list) => {
        const sum = sumOf(list);
        const mean = sum / list.length;
        const above = sumOf(list.map((x) => Math.max(0, x - mean)));
        expect(Math.abs(skewIndices(list).kolmogorov - above / sum)).toBeLessThanOrEqual(ROUNDING);
      }),
    );
  });
});

describe("properties", () => {
  it("each index stays in its bounds", () => {
    fc.assert(
      fc.property(counts, (list) => {
        const n = list.length;
        const { maxOverMean, cv, jain, gini, kolmogorov } = skewIndices(list);
        const within = (x: number, low: number, high: number): void => {
          expect(x).toBeGreaterThanOrEqual(low - ROUNDING);
          expect(x).toBeLessThanOrEqual(high * (1 + ROUNDING));
        };
        within(maxOverMean, 1, n);
        within(cv, 0, Math.sqrt(n - 1));
        within(jain, 1 / n, 1);
        within(gini, 0, 1 - 1 / n);
        within(kolmogorov, 0, gini);
      }),
    );
  });

  it("order, unit and number of copies of the places do not matter", () => {
    fc.assert(
      fc.property(counts, fc.integer({ min: 1, max: 1000 }), (list, factor) => {
        const plain = skewIndices(list);
        expect(skewIndices(list.toReversed())).toEqual(plain);
        expectSame(skewIndices(list.map((x) => x * factor)), plain);
        expectSame(skewIndices([...list, ...list]), plain);
      }),
    );
  });

  it("moving load from a fuller to an emptier place makes no index say less even", () => {
    fc.assert(
      fc.property(counts, fc.nat(), fc.nat(), fc.nat(100), (list, i, j, percent) => {
        const from = i % list.length;
        const to = j % list.length;
        const [fuller, emptier] = list[from]! >= list[to]! ? [from, to] : [to, from];
        const moved = Math.floor(((percent / 100) * (list[fuller]! - list[emptier]!)) / 2);
        const after = [...list];
        after[fuller]! -= moved;
        after[emptier]! += moved;
        const [before, now] = [skewIndices(list), skewIndices(after)];
        for (const name of ["maxOverMean", "cv", "gini", "kolmogorov"] as const) {
          expect(now[name], name).toBeLessThanOrEqual(before[name] + ROUNDING * before.maxOverMean);
        }
        expect(now.jain).toBeGreaterThanOrEqual(before.jain - ROUNDING);
      }),
    );
  });

  it("reads typed arrays and leaves them as they were", () => {
    const list = Uint32Array.of(5, 1, 3);
    expect(skewIndices(list)).toEqual(skewIndices([5, 1, 3]));
    expect([...list]).toEqual([5, 1, 3]);
  });

  it("nothing is spread where there is no load or no place", () => {
    const none = { maxOverMean: NaN, cv: NaN, jain: NaN, gini: NaN, kolmogorov: NaN };
    expect(skewIndices([])).toEqual(none);
    expect(skewIndices([0, 0, 0])).toEqual(none);
  });

  it.each([-1, NaN, Infinity])("a load of %s is refused", (wrong) => {
    expect(() => skewIndices([1, wrong, 2])).toThrow(RangeError);
  });
});
