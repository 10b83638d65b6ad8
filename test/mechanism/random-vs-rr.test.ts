/**
 * That iptables' random choice makes each pod a queue of its own, and what turns and counts of connections save.
 *
 * Broken on purpose and seen to fail: rr draws a server instead of taking turns; lc counts no connections.
 */
import { describe, expect, test } from "vitest";
import { Recording, type DurationQuantiles, type SkewTotals } from "../../src/observe/index.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import { tallied } from "./tally.ts";

interface Found {
  readonly started: number;
  readonly latency: DurationQuantiles;
  readonly skew: SkewTotals;
}

function found(scenario: ResolvedScenario): Found {
  const recording = new Recording();
  const { run } = tallied(scenario, recording.observers);
  const totals = recording.totals({ endNs: run.nowNs, hops: [], conntracks: [] });
  const [client] = totals.clients;
  return { started: client!.started, latency: client!.servedLatency!, skew: totals.skew[0]! };
}

const load = (
  scheduler: string,
  env: Record<string, string> = {},
  { seed = "1", duration = "12s" } = {},
): Promise<ResolvedScenario> =>
  loadScenario("scenarios/random-vs-rr.ts", {
    seed,
    duration,
    env: { SCHEDULER: scheduler, ...env },
  });

function withoutQueues(scenario: ResolvedScenario): ResolvedScenario {
  const servers = scenario.cluster.servers.map((each) => ({ ...each, concurrency: 1000 }));
  return { ...scenario, cluster: { ...scenario.cluster, servers } };
}

describe("random-vs-rr", () => {
  test.each(["1", "2"])(
    "the same requests: rr is more even than random, and lc waits less than rr (seed %s)",
    async (seed) => {
      const random = found(await load("random", {}, { seed }));
      const rr = found(await load("rr", {}, { seed }));
      const lc = found(await load("lc", {}, { seed }));
      expect([rr.started, lc.started]).toEqual([random.started, random.started]);
      expect(rr.skew.cv).toBeLessThan(0.02);
      expect(lc.skew.cv!).toBeLessThan(random.skew.cv! / 2);
      for (const quantile of ["p50Ns", "p99Ns"] as const) {
        expect(rr.latency[quantile]).toBeLessThan(0.8 * random.latency[quantile]);
        expect(lc.latency[quantile]).toBeLessThan(0.8 * rr.latency[quantile]);
      }
    },
  );

  test("random is ten M/M/1 queues: the median wait and the skew that theory gives", async () => {
    const { latency, skew } = found(await load("random", {}, { duration: "30s" }));
    // Sojourn times are exponential with rate mu - lambda = 30/s: ln 2 / 30 s. Successive ones are correlated:
    // the mean's variance is some (1 + rho) / (1 - rho)^2 = 19 times that of 21,000 independent ones: 3 %. Four of them.
    expect(latency.p50Ns / 1e9).toBeGreaterThan((Math.LN2 / 30) * 0.88);
    expect(latency.p50Ns / 1e9).toBeLessThan((Math.LN2 / 30) * 1.12);
    // Each pod's requests of a second are Poisson of mean 70: cv 1 / sqrt(70), less for ten of one known sum.
    expect(Math.abs(skew.cv! - Math.sqrt(0.9 / 70))).toBeLessThan(0.015);
  });

  test("where nobody has to wait, how the pod is chosen does not matter", async () => {
    const random = found(withoutQueues(await load("random")));
    const rr = found(withoutQueues(await load("rr")));
    expect(Math.abs(rr.latency.p99Ns / random.latency.p99Ns - 1)).toBeLessThan(0.05);
  });

  test("each node takes its own turns: with clients on five nodes rr saves less", async () => {
    const one = found(await load("rr"));
    const five = found(await load("rr", { CLIENTS: "5" }));
    expect(five.latency.p50Ns).toBeGreaterThan(1.05 * one.latency.p50Ns);
    expect(five.latency.p50Ns).toBeLessThan(found(await load("random")).latency.p50Ns);
  });
});
