/**
 * Each matcher passes a run that does what it says, and refuses one that does not with what it did instead.
 *
 * Seen to fail: with `<` for `<=` in toLoseAtMost (0 lost is not less than 0), without the look at `pending` in
 * toConvergeWithin, with only the first replication judged, and with "no request ended" taken for none lost.
 */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { defineScenario, keepAlive, openLoop, resetPods, run, runReplications } from "podstorm";
import { clusters, services, faults, scenarios } from "podstorm/arbitraries";
import "podstorm/vitest";
import { objectsOfWeb } from "../library/web.ts";

const objects = objectsOfWeb({ replicas: 3 });
const quiet = defineScenario({
  duration: "3s",
  cluster: { nodes: 2 },
  clients: [{ name: "c", to: "svc/web:8080", load: openLoop(100), connections: keepAlive() }],
});
const storm = defineScenario({
  ...(quiet as object),
  duration: "20s",
  cluster: { nodes: 2 },
  clients: [{ name: "c", to: "svc/web:8080", load: openLoop(100), timeout: "500ms" }],
  faults: [resetPods({ selector: "app=web", count: 2, at: "1s" })],
});
const idle = defineScenario({ duration: "3s", cluster: { nodes: 2 } });

const runs = { quiet, storm, idle };
const results = {} as Record<keyof typeof runs, Awaited<ReturnType<typeof run>>>;
beforeAll(async () => {
  for (const name of ["quiet", "storm", "idle"] as const) {
    results[name] = await run(runs[name], { objects });
  }
});

const refusal = (judge: () => void): string => {
  try {
    judge();
  } catch (error) {
    return (error as Error).message;
  }
  return "passed";
};

describe("matchers", () => {
  it("toLoseNoRequests and toLoseAtMost count what failed", () => {
    expect(results.quiet).toLoseNoRequests();
    expect(results.storm).not.toLoseNoRequests();
    expect(results.storm).toLoseAtMost(0.5);
    const { failed, ended } = results.storm.requests;
    expect(refusal(() => expect(results.storm).toLoseNoRequests())).toContain(
      `expected to lose no request; ${failed} of ${ended} failed: `,
    );
    expect(results.storm).toLoseAtMost(failed / ended);
    expect(results.storm).not.toLoseAtMost((failed - 1) / ended);
    expect(refusal(() => expect(results.idle).toLoseNoRequests())).toContain("no request ended");
    expect(() => expect(results.storm).toLoseAtMost(2)).toThrow("no share");
  });

  it("toConvergeWithin looks at the slowest node of the slowest change", async () => {
    const slowest = results.storm.figure("endpoint_update_lag.lag_ns.max")!;
    expect(results.storm).toConvergeWithin(`${slowest}ns`);
    expect(results.storm).not.toConvergeWithin(`${slowest - 1}ns`);
    expect(refusal(() => expect(results.quiet).toConvergeWithin("1h"))).toContain("no endpoint");
    const cut = await run(storm, { objects, duration: "1010ms" });
    expect(refusal(() => expect(cut).toConvergeWithin("1h"))).toContain("not programmed");
    expect(() => expect(cut).toConvergeWithin("2 s" as "2s")).toThrow("no duration");
  });

  it("toAnswerWithin looks at the percentile that is asked for", () => {
    const p99 = results.quiet.figure("request_duration.p(99)")!;
    expect(results.quiet).toAnswerWithin(`${p99}ns`);
    expect(results.quiet).not.toAnswerWithin(`${p99 - 1}ns`);
    expect(results.quiet).toAnswerWithin(`${p99 - 1}ns`, { percentile: 1 });
    expect(results.idle).not.toAnswerWithin("1h");
  });

  it("toKeepTo takes any threshold", () => {
    expect(results.storm).toKeepTo("requests_failed.count>0");
    expect(results.storm).not.toKeepTo("requests_failed.count==0");
    expect(() => expect(results.storm).toKeepTo("requests_fail.count==0")).toThrow("did you mean");
  });

  it("toOpenNoStaleConnections and toSpreadLoadWithin look at where connections went", () => {
    expect(results.quiet).toOpenNoStaleConnections();
    expect(refusal(() => expect(results.storm).toOpenNoStaleConnections())).toMatch(
      /after it went/,
    );
    const worst = Math.max(...results.quiet.summary.skew.map((each) => each.maxOverMean ?? 0));
    expect(results.quiet).toSpreadLoadWithin(worst);
    expect(results.quiet).not.toSpreadLoadWithin(worst - 0.001);
    expect(results.idle).not.toSpreadLoadWithin(100);
    expect(results.storm).toKeepTheLaws();
  });

  it("ask every replication", async () => {
    const all = await runReplications(quiet, { objects, replications: 3 });
    expect(all).toLoseNoRequests();
    const most = Math.max(...all.runs.map(({ requests }) => requests.started));
    expect(all).toKeepTo(`requests.count<=${most}`);
    expect(refusal(() => expect(all).toKeepTo(`requests.count<${most}`))).toMatch(/replication \d/);
  });

  it("want a result", () => {
    expect(() => expect(run(idle, { objects })).toLoseNoRequests()).toThrow("await");
  });
});

describe("arbitraries", () => {
  const drawn = <T>(arbitrary: fc.Arbitrary<T>): T[] =>
    fc.sample(arbitrary, { seed: 3, numRuns: 40 });

  it("give what runs", async () => {
    for (const [i, cluster] of drawn(clusters()).slice(0, 6).entries()) {
      const result = await run({ duration: "500ms", cluster }, { objects: drawn(services())[i]! });
      expect(result).toKeepTheLaws();
    }
    const [whole] = drawn(scenarios({ clientsMin: 1 }));
    expect(await run(whole!.input, { objects: whole!.objects })).toKeepTheLaws();
  });

  it("differ in kind: each fault that targets allow is drawn, on no other target", () => {
    const all = drawn(
      faults({ selectors: ["app=web"], workloads: ["deploy/web"], nodes: ["node-1"] }),
    ).flat();
    const kinds = new Set(all.map(({ kind }) => kind));
    expect([...kinds].toSorted()).toEqual([
      "crashNode",
      "resetPods",
      "rolloutRestart",
      "stopKubeProxy",
    ]);
    expect(
      drawn(faults({ selectors: ["a=b"] }))
        .flat()
        .every(({ kind }) => kind === "resetPods"),
    ).toBe(true);
  });
});
