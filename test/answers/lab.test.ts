/**
 * Searching, pairing and intervals.
 *
 * Seen to fail: with the halving's branches swapped (a number that does not hold is found), with moreThan() taking
 * the other's trials in reverse order, with replication 0 run for all, and with no cap on a share.
 */
import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { Lab, Point } from "../../src/answers/lab.ts";
import type { Target } from "../../src/answers/draft.ts";
import { labOf } from "./asked.ts";

const options = { target: {} as Target, replications: 3, confidence: 0.95, goal: undefined };

describe("the search", () => {
  it("finds the smallest number that holds, wherever it begins, and asks for few", async () => {
    const property = fc.asyncProperty(
      fc.nat(200),
      fc.nat(200),
      fc.nat(200),
      async (smallest, near, most) => {
        let asked = 0;
        const holds = (value: number) => {
          asked++;
          return Promise.resolve(value >= smallest);
        };
        const found = await new Lab(options, () => Promise.resolve([])).smallest(holds, {
          near,
          most,
        });
        expect(found).toBe(smallest <= most ? smallest : null);
        expect(asked).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(most + 2)) + 3);
      },
    );
    await fc.assert(property, { numRuns: 300, seed: 1 });
  });
});

describe("points", () => {
  const a = new Point([{ x: 10 }, { x: 20 }, { x: 30 }], 0.95);
  const b = new Point([{ x: 9 }, { x: 19 }, { x: 29 }], 0.95);

  it("are compared replication by replication", () => {
    // Each is one more, however far the replications lie apart.
    expect(a.moreThan(b, "", "x", "count")).toMatchObject({ mean: 1, low: 1, high: 1 });
  });

  it("leave out a replication in which nothing was measured", () => {
    const some = new Point([{ x: 1 }, { x: null }, { x: 3 }], 0.95);
    expect(some.figure("", "x", "count").mean).toBe(2);
    expect(some.moreThan(b, "", "x", "count").mean).toBe(-17);
    expect(new Point([{ x: null }], 0.95).figure("", "x", "count").mean).toBeNull();
  });

  it("have shares that stay between nothing and all", () => {
    const share = new Point([{ x: 0.9 }, { x: 1 }, { x: 1 }], 0.95).figure("", "x", "share");
    expect(share.high).toBe(1);
    expect(share.low).toBeLessThan(0.9);
    expect(share.low).toBeGreaterThan(0.8);
  });

  it("of the same settings are tried once, and of more replications only those that are missing", async () => {
    const ran: string[] = [];
    const lab = new Lab(options, (_settings, from, to) => {
      ran.push(`${from} to ${to}`);
      return Promise.resolve(Array.from({ length: to - from }, (_, i) => ({ x: from + i })));
    });
    expect((await lab.at({ sleep: 1, mode: "ipvs" }, 2)).values("x")).toEqual([0, 1]);
    const [all, again] = await Promise.all([
      lab.at({ mode: "ipvs", sleep: 1 }),
      lab.at({ sleep: 1, mode: "ipvs" }),
    ]);
    expect(all.values("x")).toEqual([0, 1, 2]);
    expect(again.trials).toEqual(all.trials);
    expect((await lab.at({ sleep: 1, mode: "ipvs" }, 1)).values("x")).toEqual([0]);
    expect(ran).toEqual(["0 to 2", "2 to 3"]);
  });
});

it("replications differ, and one has the same draws under settings that change nothing", async () => {
  const asked = { rate: 50, nodes: 2 };
  const lab = labOf("prestop", asked);
  const one = await lab.at({ sleep: 2 });
  expect(one.trials[0]).not.toEqual(one.trials[1]);
  const same = await lab.at({ sleep: 2, minSyncPeriod: "1s" });
  expect(same.trials).toEqual(one.trials);
  const other = await lab.at({ sleep: 2, minSyncPeriod: "3s" });
  // The pods start and are ready at the same instants: only the nodes learn of it later.
  expect(other.values("restartNs")).toEqual(one.values("restartNs"));
  expect(other.values("removalNs")[0]).toBeGreaterThan(one.values("removalNs")[0]!);
});
