/** Arrival times: exact where they are deterministic, Poisson where they are random; and deadlines. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ln, ms, RandomStreams, seconds } from "../../src/engine/index.ts";
import { chiSquareQuantile } from "../../src/stats/index.ts";
import { Deadlines } from "../../src/workload/deadlines.ts";
import { ArrivalTimes, type RateSegment } from "../../src/workload/rate.ts";
import { steadily } from "../helpers/programs.ts";

/** Arrivals after `work` expected ones each, until `untilNs`. */
function arrivals(
  profile: readonly RateSegment[],
  untilNs: number,
  work: () => number = () => 1,
  share = 1,
): number[] {
  const times = new ArrivalTimes(profile, share);
  const result: number[] = [];
  for (let atNs = times.next(0, work()); atNs < untilNs; atNs = times.next(atNs, work())) {
    result.push(atNs);
  }
  return result;
}

const segment = (from: number, startRps: number, endRps = startRps, ramp = 0): RateSegment => ({
  fromNs: seconds(from),
  startRps,
  endRps,
  rampNs: seconds(ramp),
});

describe("deterministic arrivals", () => {
  test("come one interval apart, the first after one", () => {
    expect(arrivals(steadily(10), seconds(0.45))).toEqual([ms(100), ms(200), ms(300), ms(400)]);
  });

  test("a share of the rate is that much slower", () => {
    expect(arrivals(steadily(10), seconds(1), () => 1, 0.25)).toEqual([ms(400), ms(800)]);
  });

  test("keep what has been waited for across a change of rate", () => {
    // Half an arrival by 0.5 s at 1/s, the other half in 0.05 s at 10/s.
    const profile = [segment(0, 1), segment(0.5, 10)];
    expect(arrivals(profile, seconds(0.7))).toEqual([ms(550), ms(650)]);
  });

  test("on a ramp the n-th comes where the integral of the rate is n", () => {
    // From 0 to 100/s over 10 s: 5 t^2 arrivals by t, so the n-th at sqrt(n / 5). A rounding each.
    // Broken on purpose: without the slope in the root every arrival is early.
    const times = arrivals([segment(0, 0, 100, 10)], seconds(10.005));
    expect(times).toHaveLength(500);
    for (const [i, atNs] of times.entries()) {
      expect(Math.abs(atNs - Math.sqrt((i + 1) / 5) * 1e9)).toBeLessThanOrEqual(i + 1);
    }
  });

  test("on a falling ramp too, and none where the rate is 0", () => {
    // 100/s falling to 0 over 2 s: 100 t - 25 t^2, in all 100; then nothing until 5 s.
    const times = arrivals([segment(0, 100, 0, 2), segment(5, 1)], seconds(7.5));
    expect(times.filter((atNs) => atNs <= seconds(2)).length).toBeGreaterThanOrEqual(99);
    expect(times.filter((atNs) => atNs > seconds(2) && atNs < seconds(5))).toEqual([]);
    expect(times.at(-1)! - times.at(-2)!).toBe(seconds(1));
  });

  test("never, when no more rate is to come", () => {
    expect(new ArrivalTimes([segment(0, 1), segment(1, 0)], 1).next(0, 2)).toBe(Infinity);
  });

  test("two waits in a row end where one of their sum does, on any profile", () => {
    const step = fc.record({
      startRps: fc.integer({ min: 0, max: 200 }),
      endRps: fc.integer({ min: 1, max: 200 }),
      ramp: fc.integer({ min: 0, max: 3 }),
      length: fc.integer({ min: 1, max: 5 }),
    });
    const work = fc.double({ min: 0.01, max: 300, noNaN: true });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 5 }), work, work, (steps, a, b) => {
        let from = 0;
        const profile = steps.map(({ startRps, endRps, ramp, length }) => {
          const each = segment(from, startRps, endRps, ramp);
          from += length;
          return each;
        });
        const split = new ArrivalTimes(profile, 1);
        const inTwo = split.next(split.next(0, a), b);
        const atOnce = new ArrivalTimes(profile, 1).next(0, a + b);
        // A rounding of the first arrival is worth rate x 0.5 ns, at most 200 to 1.
        expect(Math.abs(inTwo - atOnce)).toBeLessThanOrEqual(250);
      }),
      { numRuns: 200, seed: 1 },
    );
  });
});

describe("Poisson arrivals", () => {
  /** 200/s, a burst of 2000/s, a ramp down, and quiet. */
  const profile = [segment(0, 200), segment(10, 2000), segment(12, 2000, 100, 6), segment(20, 50)];
  /** Expected arrivals until t seconds. */
  function integral(t: number): number {
    const part = (from: number, to: number): number => Math.max(0, Math.min(t, to) - from);
    const ramp = part(12, 18);
    return (
      200 * part(0, 10) +
      2000 * part(10, 12) +
      ramp * (2000 - ((1900 / 6) * ramp) / 2) +
      100 * part(18, 20) +
      50 * part(20, 30)
    );
  }

  test("counts in windows of 0.5 s against the integral of the rate: chi-square, both sides at 0.1 %", () => {
    // Broken on purpose: deterministic arrivals fall below the lower bound, a forgotten ramp above the upper.
    const stream = new RandomStreams("arrivals").get("poisson");
    const times = arrivals(profile, seconds(30), () => -ln(stream.uniform()));
    const windows = 60;
    const counts = Array.from({ length: windows }, () => 0);
    for (const atNs of times) counts[Math.floor(atNs / ms(500))]!++;
    const chiSquare = counts.reduce((sum, count, i) => {
      const expected = integral((i + 1) / 2) - integral(i / 2);
      return sum + (count - expected) ** 2 / expected;
    }, 0);
    expect(chiSquare).toBeLessThan(chiSquareQuantile(0.999, windows));
    expect(chiSquare).toBeGreaterThan(chiSquareQuantile(0.001, windows));
  });
});

describe("deadlines", () => {
  test("are due in order; tries that are over are passed by and never taken", () => {
    const deadlines = new Deadlines();
    const over = new Set(["7/0", "9/0"]);
    const live = (request: number, serial: number): boolean => !over.has(`${request}/${serial}`);
    deadlines.push(7, 0, 10);
    deadlines.push(8, 0, 20);
    deadlines.push(9, 0, 30);
    deadlines.push(7, 1, 40);
    expect(deadlines.peek(live)).toBe(20);
    expect(deadlines.take()).toBe(8);
    expect(deadlines.peek(live)).toBe(40);
    expect(deadlines.take()).toBe(7);
    expect(deadlines.peek(live)).toBeNull();
  });

  test("grow to any number", () => {
    const deadlines = new Deadlines();
    for (let i = 0; i < 1000; i++) deadlines.push(i, 0, i);
    for (let i = 0; i < 1000; i++) {
      expect(deadlines.peek(() => true)).toBe(i);
      expect(deadlines.take()).toBe(i);
    }
  });
});
