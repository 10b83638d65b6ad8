/** Several replications as one result: intervals by hand-computed examples, and what is absent counts as none. */
import { describe, expect, it } from "vitest";
import {
  combine,
  replicationTables,
  viewOfReplications,
  type Summary,
} from "../../src/output/index.ts";
import { syntheticSummary } from "./synthetic-results.ts";

function served(count: number, changed: Partial<Summary> = {}): Summary {
  const summary = syntheticSummary();
  return { ...summary, ...changed, requests: { ...summary.requests, served: count } };
}

const figure = (summaries: readonly Summary[], name: string) =>
  combine(summaries).figures.find((each) => each.figure === name)!;

describe("the figures of replications", () => {
  it("have Student's interval: 4, 6, 8 have mean 6, deviation 2, and t(0.975, 2) is 4.3027", () => {
    const { mean, low, high, min, max, count } = figure(
      [4, 6, 8].map((n) => served(n)),
      "requests.served",
    );
    const halfWidth = (4.302652729 * 2) / Math.sqrt(3);
    expect([mean, min, max, count]).toEqual([6, 4, 8, 3]);
    expect(low).toBeCloseTo(6 - halfWidth, 6);
    expect(high).toBeCloseTo(6 + halfWidth, 6);
  });

  it("count a cause of failure that did not occur as none", () => {
    const without = served(6);
    const byOutcome = without.requests.byOutcome.filter(({ outcome }) => outcome === "served");
    const none = { ...without, requests: { ...without.requests, byOutcome } };
    const refused = figure([served(6), none], "requests.byOutcome[refused].count");
    expect([refused.count, refused.mean]).toEqual([2, 0.5]);
  });

  it("leave out what a replication does not have, and give no interval from one value", () => {
    const without = served(6);
    const none = {
      ...without,
      clients: without.clients.map((each) => ({ ...each, servedLatency: null })),
    };
    const latency = combine([served(6), none]).figures.find(({ figure: name }) =>
      name.endsWith(".servedLatency.p50Ns"),
    )!;
    expect([latency.count, latency.low, latency.high]).toEqual([1, null, null]);
  });

  it("are each a row of intervals.csv, and of replications.csv one for each replication", () => {
    const summaries = [served(4), served(6)];
    const combined = combine(summaries);
    const [intervals, replications] = replicationTables(summaries, combined);
    expect([...intervals!.rows]).toHaveLength(combined.figures.length);
    expect([...replications!.rows]).toContainEqual(["requests.served", 0, 4]);
    expect([...replications!.rows]).toContainEqual(["requests.served", 1, 6]);
  });
});

describe("thresholds over replications", () => {
  const asked = { threshold: "t", unit: "ns", operator: "<", limit: 10, confidence: null } as const;
  const results = (figures: readonly (number | null)[], confidence: number | null = null) =>
    combine(
      figures.map((value) =>
        served(1, {
          thresholds: [
            { ...asked, confidence, figure: value, passed: value !== null && value < 10 },
          ],
        }),
      ),
    ).thresholds[0]!;

  it("are kept to by the mean, and say how many kept to them alone", () => {
    expect(results([8, 9, 12])).toMatchObject({ passed: true, keptBy: 2 });
    expect(results([8, 9, 14])).toMatchObject({ passed: false, keptBy: 2 });
  });

  it("with a confidence are kept to by the whole interval", () => {
    // 8, 9, 9.5: mean 8.83, half-width at 95 % 1.90, at 50 % 0.36.
    expect(results([8, 9, 9.5], 0.95).passed).toBe(false);
    expect(results([8, 9, 9.5], 0.5).passed).toBe(true);
  });

  it("are not kept to where a replication had nothing to measure", () => {
    expect(results([8, null])).toMatchObject({ passed: false, figure: null });
  });
});

it("the verdict is bad when one replication lost a request", () => {
  const failed = (count: number): Summary => {
    const summary = syntheticSummary();
    return { ...summary, requests: { ...summary.requests, failed: count } };
  };
  const view = (summaries: readonly Summary[]) =>
    viewOfReplications(combine(summaries), summaries, "0");
  expect(view([failed(0), failed(0)]).verdict).toBe("good");
  expect(view([failed(0), failed(1)]).verdict).toBe("bad");
});
