/**
 * Confidence intervals: worked by hand, and how often they hold the true mean.
 *
 * The number of intervals that do is binomial if they are what they claim; it must lie in the central part of
 * that distribution that test/helpers/confidence.ts states.
 *
 * Seen to fail: with the normal quantile for Student's (coverage of five samples), with n for n - 1 (coverage
 * of five samples, the worked example), with the left-over values dropped at the end (the batches).
 */
import { describe, expect, it } from "vitest";
import { normalQuantile, RandomStreams, type RandomStream } from "../../src/engine/index.ts";
import { batchMeans, studentTInterval, type Interval } from "../../src/stats/index.ts";
import { binomialRange } from "../helpers/confidence.ts";

const INTERVALS = 2000;
const MEAN = 3;

/** Correlated normal series x(i) = a x(i - 1) + noise, begun in its steady state, with mean MEAN. */
function autoregressive(stream: RandomStream, length: number, a: number): Float64Array {
  const values = new Float64Array(length);
  let x = normalQuantile(stream.uniform()) / Math.sqrt(1 - a * a);
  for (let i = 0; i < length; i++) {
    values[i] = MEAN + x;
    x = a * x + normalQuantile(stream.uniform());
  }
  return values;
}

function covering(name: string, count: number, make: (stream: RandomStream) => Interval): number {
  const stream = new RandomStreams("coverage").get(name);
  let covered = 0;
  for (let i = 0; i < count; i++) {
    const { low, high } = make(stream);
    if (low <= MEAN && MEAN <= high) covered++;
  }
  return covered;
}

function expectBetween(value: number, [low, high]: readonly [number, number]): void {
  expect(value).toBeGreaterThanOrEqual(low);
  expect(value).toBeLessThanOrEqual(high);
}

describe("Student's t interval", () => {
  it("of 4, 6, 8: mean 6, s = 2, t(0.975, 2) = 4.303", () => {
    const interval = studentTInterval([4, 6, 8]);
    expect(interval).toMatchObject({ mean: 6, count: 3, confidence: 0.95 });
    const exact = (0.95 / Math.sqrt(2 * 0.975 * 0.025)) * (2 / Math.sqrt(3));
    expect(Math.abs(interval.halfWidth - exact)).toBeLessThan(1e-12);
    expect(interval.low).toBe(6 - interval.halfWidth);
    expect(interval.high).toBe(6 + interval.halfWidth);
  });

  it.each([0.5, 0.9, 0.99])("of five normal samples holds the mean with probability %s", (p) => {
    const covered = covering(`t ${p}`, INTERVALS, (stream) =>
      studentTInterval(autoregressive(stream, 5, 0), p),
    );
    expectBetween(covered, binomialRange(INTERVALS, p));
  });

  it("refuses less than two samples, and what is no confidence", () => {
    expect(() => studentTInterval([])).toThrow(RangeError);
    expect(() => studentTInterval([1])).toThrow(RangeError);
    for (const confidence of [0, 1, -1, NaN]) {
      expect(() => studentTInterval([1, 2], confidence)).toThrow(RangeError);
    }
  });
});

describe("batch means", () => {
  it("are the interval of the batches' means; what is left over is left out at the beginning", () => {
    const means = studentTInterval([2, 5, 8], 0.9);
    const options = { batches: 3, confidence: 0.9 };
    expect(batchMeans([1, 2, 3, 4, 5, 6, 7, 8, 9], options)).toEqual(means);
    expect(batchMeans([900, 900, 1, 2, 3, 4, 5, 6, 7, 8, 9], options)).toEqual(means);
  });

  it("hold the mean of a correlated series, where an interval of its values does not", () => {
    // 200 values a batch and a correlation that falls by 0.6 a value: two batches' means correlate by about
    // a / (200 (1 - a^2)) < 0.005, which moves the coverage by far less than the binomial range is wide.
    const count = 500;
    const range = binomialRange(count, 0.9);
    const series = (stream: RandomStream): Float64Array => autoregressive(stream, 20 * 200, 0.6);
    const covered = covering("batches", count, (stream) =>
      batchMeans(series(stream), { batches: 20, confidence: 0.9 }),
    );
    expectBetween(covered, range);
    const naive = covering("naive", count, (stream) => studentTInterval(series(stream), 0.9));
    expect(naive).toBeLessThan(range[0]);
  });

  it("refuse fewer values than batches, and fewer than two batches", () => {
    for (const batches of [0, 1, 1.5, NaN]) {
      expect(() => batchMeans([1, 2, 3], { batches })).toThrow(RangeError);
    }
    expect(() => batchMeans([1, 2, 3], { batches: 4 })).toThrow(RangeError);
    expect(() => batchMeans([1, 2, 3])).toThrow(RangeError);
  });
});

describe("the binomial range that these checks use", () => {
  it("is that of ten throws of a coin: P(0) = P(10) = 1/1024, P(1) = P(9) = 10/1024", () => {
    expect(binomialRange(10, 0.5, 1 - 2 / 1100)).toEqual([0, 10]);
    expect(binomialRange(10, 0.5, 1 - 2 / 1000)).toEqual([1, 9]);
    expect(binomialRange(10, 0.5, 1 - 22 / 1000)).toEqual([2, 8]);
  });
});
