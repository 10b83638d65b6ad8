/**
 * Quantiles of Student's t and chi-square against printed tables and closed forms.
 *
 * Tables: NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.2 (Student's t) and 1.3.6.7.4
 * (chi-square, upper and lower). A printed value is right to half a unit of its third decimal.
 *
 * Seen to fail: with degrees + 1 in the t (the table), with the tail not halved (both t tests), with x for
 * x / 2 in the chi-square (its table), with I_x(a, b) above the mean not taken
 * from 1 (both t tests).
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  chiSquareCdf,
  chiSquareQuantile,
  normalQuantile,
  studentTCdf,
  studentTQuantile,
} from "../../src/stats/index.ts";

const HALF_A_UNIT = 0.0005 + 1e-9;
const ROUNDING = 1e-12;
/** In the middle as often as far out in either tail. */
const probability = fc.oneof(
  fc.integer({ min: 1, max: 999 }).map((n) => n / 1000),
  fc.double({ min: 1e-9, max: 1e-3, noNaN: true }),
  fc.double({ min: 1e-6, max: 1e-3, noNaN: true }).map((tail) => 1 - tail),
);

function expectRelative(actual: number, expected: number): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(
    ROUNDING * Math.max(1, Math.abs(expected)),
  );
}

describe("Student's t", () => {
  const shares = [0.9, 0.95, 0.975, 0.99, 0.995, 0.999];
  it.each([
    [2, [1.886, 2.92, 4.303, 6.965, 9.925, 22.327]],
    [3, [1.638, 2.353, 3.182, 4.541, 5.841, 10.215]],
    [4, [1.533, 2.132, 2.776, 3.747, 4.604, 7.173]],
    [5, [1.476, 2.015, 2.571, 3.365, 4.032, 5.893]],
    [10, [1.372, 1.812, 2.228, 2.764, 3.169, 4.144]],
    [19, [1.328, 1.729, 2.093, 2.539, 2.861, 3.579]],
    [29, [1.311, 1.699, 2.045, 2.462, 2.756, 3.396]],
    [60, [1.296, 1.671, 2.0, 2.39, 2.66, 3.232]],
    [100, [1.29, 1.66, 1.984, 2.364, 2.626, 3.174]],
  ])("with %i degrees of freedom is as printed", (degrees, row) => {
    row.forEach((printed, i) => {
      const t = studentTQuantile(shares[i]!, degrees);
      expect(Math.abs(t - printed), String(shares[i])).toBeLessThanOrEqual(HALF_A_UNIT);
    });
  });

  it("has its closed forms with one and two degrees of freedom", () => {
    for (const p of [1e-6, 0.01, 0.3, 0.5, 0.7, 0.99, 0.9995]) {
      expectRelative(studentTQuantile(p, 1), -1 / Math.tan(Math.PI * p));
      expectRelative(studentTQuantile(p, 2), (2 * p - 1) / Math.sqrt(2 * p * (1 - p)));
    }
  });

  it("keeps its digits close to the middle: 1/2 + t / (2 sqrt(2 + t^2)) with two degrees of freedom", () => {
    for (const t of [1e-9, 1e-6, 1e-3, 0.5, 0.999, 1, 1.001, 30]) {
      const expected = 0.5 + t / (2 * Math.sqrt(2 + t * t));
      expectRelative(studentTCdf(t, 2), expected);
      expectRelative(studentTCdf(-t, 2), 1 - expected);
    }
  });

  it("goes back and forth, is symmetric and approaches the normal", () => {
    fc.assert(
      fc.property(probability, fc.integer({ min: 1, max: 500 }), (p, degrees) => {
        const t = studentTQuantile(p, degrees);
        expect(Math.abs(studentTCdf(t, degrees) - p)).toBeLessThanOrEqual(ROUNDING);
        expectRelative(studentTCdf(-t, degrees), 1 - studentTCdf(t, degrees));
      }),
      { numRuns: 50 },
    );
    // t = z + (z^3 + z) / (4 n) + O(1 / n^2): Abramowitz and Stegun 26.7.5.
    const z = normalQuantile(0.975);
    const n = 10_000;
    const expected = z + (z ** 3 + z) / (4 * n);
    expect(Math.abs(studentTQuantile(0.975, n) - expected)).toBeLessThan(10 / n ** 2);
  });
});

describe("chi-square", () => {
  const shares = [0.001, 0.01, 0.025, 0.05, 0.1, 0.9, 0.95, 0.975, 0.99, 0.999];
  it.each([
    [1, [0.0, 0.0, 0.001, 0.004, 0.016, 2.706, 3.841, 5.024, 6.635, 10.828]],
    [2, [0.002, 0.02, 0.051, 0.103, 0.211, 4.605, 5.991, 7.378, 9.21, 13.816]],
    [5, [0.21, 0.554, 0.831, 1.145, 1.61, 9.236, 11.07, 12.833, 15.086, 20.515]],
    [10, [1.479, 2.558, 3.247, 3.94, 4.865, 15.987, 18.307, 20.483, 23.209, 29.588]],
    [20, [5.921, 8.26, 9.591, 10.851, 12.443, 28.412, 31.41, 34.17, 37.566, 45.315]],
    [100, [61.918, 70.065, 74.222, 77.929, 82.358, 118.498, 124.342, 129.561, 135.807, 149.449]],
  ])("with %i degrees of freedom is as printed", (degrees, row) => {
    row.forEach((printed, i) => {
      const x = chiSquareQuantile(shares[i]!, degrees);
      expect(Math.abs(x - printed), String(shares[i])).toBeLessThanOrEqual(HALF_A_UNIT);
    });
  });

  it("is an exponential with two degrees of freedom, a squared normal with one", () => {
    for (const p of [1e-6, 0.01, 0.3, 0.5, 0.7, 0.99, 0.9995]) {
      expectRelative(chiSquareQuantile(p, 2), -2 * Math.log1p(-p));
      expectRelative(Math.sqrt(chiSquareQuantile(p, 1)), normalQuantile((1 + p) / 2));
    }
  });

  it("goes back and forth", () => {
    fc.assert(
      fc.property(probability, fc.integer({ min: 1, max: 500 }), (p, degrees) => {
        const back = chiSquareCdf(chiSquareQuantile(p, degrees), degrees);
        expect(Math.abs(back - p)).toBeLessThanOrEqual(ROUNDING);
      }),
      { numRuns: 50 },
    );
    expect(chiSquareCdf(0, 3)).toBe(0);
    expect(chiSquareCdf(-1, 3)).toBe(0);
  });
});

describe("what is no probability and no number of degrees", () => {
  it.each([0, 1, -0.1, 1.1, NaN])("p = %s is refused", (p) => {
    expect(() => studentTQuantile(p, 5)).toThrow(RangeError);
    expect(() => chiSquareQuantile(p, 5)).toThrow(RangeError);
  });

  it.each([0, -1, NaN, Infinity])("%s degrees are refused", (degrees) => {
    expect(() => studentTQuantile(0.9, degrees)).toThrow(RangeError);
    expect(() => studentTCdf(1, degrees)).toThrow(RangeError);
    expect(() => chiSquareQuantile(0.9, degrees)).toThrow(RangeError);
    expect(() => chiSquareCdf(1, degrees)).toThrow(RangeError);
  });
});
