/**
 * Streams: which numbers a name draws is frozen, and depends on nothing but seed, replication and name.
 *
 * Seen to fail: with all streams drawing from one generator, an unused stream moved the others; with the
 * lengths left out of the seed's text, ("1,2", 3) and ("1", "2,3") drew the same; without the constant end
 * of that text, streams whose names differ in the last digit began with dependent draws.
 */
import fc from "fast-check";
import seedrandom from "seedrandom";
import { describe, expect, it } from "vitest";
import { type RandomStream, RandomStreams } from "../../src/engine/index.ts";
import { chiSquarePValue, LEVEL } from "../helpers/goodness-of-fit.ts";

/** Draws as what they are: odd multiples of 2^-33. */
const draws = (stream: RandomStream, count = 4): number[] =>
  Array.from({ length: count }, () => stream.uniform() * 2 ** 33);
const drawsOf = (seed: string, replication: number, name: string): number[] =>
  draws(new RandomStreams(seed, replication).get(name));

describe("golden vectors", () => {
  it("of alea itself are those of its documentation", () => {
    // https://github.com/davidbau/seedrandom, README of 3.0.5.
    expect(seedrandom.alea("hello.")()).toBeCloseTo(0.4783254903741181, 16);
  });

  it.each<[string, number, string, number[]]>([
    ["1", 0, "arrivals", [6278399005, 1153536537, 882131637, 6831272039]],
    ["1", 1, "arrivals", [778485379, 5303801441, 1479230669, 2377288143]],
    ["2", 0, "arrivals", [7550184425, 3655784201, 1191812299, 462170063]],
    ["1", 0, "services", [2631977555, 2671180507, 3000671725, 3851981935]],
    ["", 0, "", [3097491461, 5167908675, 644126283, 4625827245]],
    [
      "reset-storm é",
      7,
      "client/default/web-0/arrivals",
      [5539814633, 3019974415, 1736540431, 3152130683],
    ],
  ])("of seed %o, replication %d, stream %o", (seed, replication, name, expected) => {
    expect(drawsOf(seed, replication, name)).toEqual(expected);
  });
});

describe("RandomStreams", () => {
  it("draws the same whatever other streams there are and however much they draw", () => {
    const name = fc.string({ maxLength: 8 });
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.nat(5))), name, (others, mine) => {
        const streams = new RandomStreams("seed");
        const seen: number[] = [];
        for (const [other, count] of others) {
          if (other === mine) continue;
          draws(streams.get(other), count);
          seen.push(...draws(streams.get(mine), 1));
        }
        expect(seen).toEqual(draws(new RandomStreams("seed").get(mine), seen.length));
      }),
      { numRuns: 200 },
    );
  });

  it("goes on with a stream that is asked for again", () => {
    const streams = new RandomStreams("seed");
    expect(streams.get("a")).toBe(streams.get("a"));
    const first = draws(streams.get("a"), 2);
    expect([...first, ...draws(streams.get("a"), 2)]).toEqual(drawsOf("seed", 0, "a"));
  });

  it("has another stream for any other seed, replication or name, wherever commas stand", () => {
    const text = fc.string({ unit: fc.constantFrom(",", ":", "0", "1", "a"), maxLength: 5 });
    const triple = fc.tuple(text, fc.nat(12), text);
    fc.assert(
      fc.property(triple, triple, (x, y) => {
        fc.pre(x.some((part, i) => part !== y[i]));
        expect(drawsOf(...x)).not.toEqual(drawsOf(...y));
      }),
      { numRuns: 1000 },
    );
    expect(drawsOf("1,2", 3, "a")).not.toEqual(drawsOf("1", 2, "3,a"));
  });

  it("takes replication 0 when none is given", () => {
    expect(draws(new RandomStreams("seed").get("a"))).toEqual(drawsOf("seed", 0, "a"));
  });

  it.each([-1, 0.5, NaN, Infinity, 2 ** 53])("refuses replication %d", (replication) => {
    expect(() => new RandomStreams("seed", replication)).toThrow(
      `replication ${replication}: must be an integer from 0`,
    );
  });

  /**
   * The first draws of streams with neighbouring names, as node-1 and node-2 have: the difference of two
   * independent uniform numbers is uniform modulo 1.
   */
  it.each<[string, (i: number) => number[]]>([
    ["names", (i) => drawsOf("1", 0, `node-${i}`)],
    ["bare numbers", (i) => drawsOf("1", 0, `${i}`)],
    ["replications", (i) => drawsOf("1", i, "a")],
    ["seeds", (i) => drawsOf(`${i}`, 0, "a")],
  ])("starts streams of neighbouring %s independently", (_what, drawsAt) => {
    const count = 10_000;
    const cells = 100;
    const heads = Array.from({ length: count + 1 }, (_, i) => drawsAt(i)[0]! * 2 ** -33);
    const observed = Array.from({ length: cells }, () => 0);
    for (let i = 0; i < count; i++) {
      const difference = heads[i + 1]! - heads[i]!;
      observed[Math.floor((difference - Math.floor(difference)) * cells)]!++;
    }
    expect(
      chiSquarePValue(
        observed,
        observed.map(() => count / cells),
      ),
    ).toBeGreaterThan(LEVEL);
  });
});

describe("uniform", () => {
  it("is an odd multiple of 2^-33 inside (0, 1)", () => {
    const stream = new RandomStreams("seed").get("a");
    for (const draw of draws(stream, 10_000)) {
      expect(Number.isInteger(draw) && draw % 2 === 1 && draw > 0 && draw < 2 ** 33).toBe(true);
    }
  });

  it("is uniform, and so are pairs of neighbours", () => {
    const stream = new RandomStreams("seed").get("pairs");
    const side = 16;
    const count = 50_000;
    const observed = Array.from({ length: side * side }, () => 0);
    for (let i = 0; i < count; i++) {
      const row = Math.floor(stream.uniform() * side);
      observed[row * side + Math.floor(stream.uniform() * side)]!++;
    }
    const expected = observed.map(() => count / (side * side));
    expect(chiSquarePValue(observed, expected)).toBeGreaterThan(LEVEL);
  });
});

describe("below", () => {
  it.each([1, 2, 7, 100])("gives each of 0..%d - 1 equally often", (n) => {
    const stream = new RandomStreams("seed").get(`below ${n}`);
    const observed = Array.from({ length: n }, () => 0);
    const count = 20_000;
    for (let i = 0; i < count; i++) observed[stream.below(n)]!++;
    if (n === 1) expect(observed).toEqual([count]);
    else
      expect(
        chiSquarePValue(
          observed,
          observed.map(() => count / n),
        ),
      ).toBeGreaterThan(LEVEL);
  });

  it("takes one draw whatever n is, and the draw decides its size", () => {
    for (const n of [1, 3, 1000, 2 ** 32]) {
      const [stream, same] = ["x", "x"].map((name) => new RandomStreams("seed").get(name));
      const value = stream!.below(n);
      expect(value).toBe(Math.floor((same!.uniform() - 2 ** -33) * n));
      expect(draws(stream!)).toEqual(draws(same!));
    }
  });

  it.each([0, -1, 1.5, NaN, Infinity, 2 ** 32 + 1])("refuses %d", (n) => {
    const stream = new RandomStreams("seed").get("a");
    expect(() => stream.below(n)).toThrow(`below(${n}): n must be an integer from 1 to 2^32`);
  });
});
