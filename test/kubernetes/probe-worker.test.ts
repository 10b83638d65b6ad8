/** A probe worker: when it probes, and how many results make a verdict. Facts: timings §1.1. */
import { describe, expect, test } from "vitest";
import { ms, Phase, seconds, Simulation } from "../../src/engine/index.ts";
import type { Probe } from "../../src/kubernetes/api/types.ts";
import { ProbeWorker } from "../../src/kubernetes/kubelet/prober.ts";
import { probe } from "../helpers/kube-objects.ts";

/**
 * A worker created at 0 for a container that runs from `runsFromNs`, whose probes take 1 ms and give
 * `results` in turn: "+" passes, "-" fails, the last one again for ever.
 */
function worker(
  results: string,
  change: Partial<Probe> = {},
  options: { initial?: boolean; runsFromNs?: number; firstTickNs?: number } = {},
) {
  const { initial = false, runsFromNs = 0, firstTickNs = 0 } = options;
  const sim = new Simulation({ seed: "probe" });
  const probedNs: number[] = [];
  const verdicts: [number, boolean][] = [];
  let sinceNs: number | null = runsFromNs;
  const under = new ProbeWorker(
    sim,
    {
      probe: probe(change),
      initial,
      send: (done) => {
        probedNs.push(sim.nowNs);
        const result = results[Math.min(probedNs.length, results.length) - 1];
        sim.callAfter(ms(1), Phase.deliver, () => done(result === "+"));
      },
      runningSinceNs: () => (sinceNs === null || sim.nowNs < sinceNs ? null : sinceNs),
      changed: (verdict) => verdicts.push([sim.nowNs, verdict]),
    },
    firstTickNs,
  );
  const runsSince = (atNs: number | null): void => void (sinceNs = atNs);
  return { sim, under, probedNs, verdicts, runsSince };
}

describe("when it probes", () => {
  test("from the pod's start on, every period, whatever the container does", () => {
    const { sim, probedNs } = worker("+", {}, { runsFromNs: seconds(13) });
    sim.run(seconds(45));
    expect(probedNs).toEqual([seconds(20), seconds(30), seconds(40)]);
  });

  test("a poke probes at once and the ticker counts from there", () => {
    const { sim, under, probedNs } = worker("+");
    sim.callAt(seconds(4), Phase.start, () => under.poke());
    sim.run(seconds(25));
    // Broken on purpose: without the cancelled tick there was a probe at 10 s as well.
    expect(probedNs).toEqual([0, seconds(4), seconds(14), seconds(24)]);
  });

  test("not before the initial delay of this run of the container, pokes included", () => {
    const { sim, under, probedNs } = worker(
      "+",
      { initialDelayNs: seconds(15), periodNs: seconds(5) },
      { runsFromNs: seconds(2) },
    );
    sim.callAt(seconds(9), Phase.start, () => under.poke());
    sim.run(seconds(25));
    // The poke at 9 s is too early and yet moves the ticks to 14, 19, 24 s; 17 s is the first allowed time.
    expect(probedNs).toEqual([seconds(19), seconds(24)]);
  });

  test("not while one is out, and not after stop()", () => {
    const { sim, under, probedNs } = worker("+", { periodNs: ms(1) });
    sim.callAt(ms(10), Phase.sample, () => under.stop());
    sim.run(seconds(1));
    expect(Math.max(...probedNs)).toBeLessThanOrEqual(ms(10));
    expect(new Set(probedNs).size).toBe(probedNs.length);
  });
});

describe("what makes a verdict", () => {
  test("readiness begins as failed, liveness as passed (newWorker)", () => {
    expect(worker("+").under.verdict).toBe(false);
    expect(worker("-", {}, { initial: true }).under.verdict).toBe(true);
  });

  test("by default one success or three failures in a row (SetDefaults_Probe)", () => {
    // Results at 0, 10, 20, ... s: ready at once; two failures and a success change nothing.
    const { sim, verdicts } = worker("+--+---+");
    sim.run(seconds(75));
    // Broken on purpose: failures counted without the reset by a success flip at 50 s.
    expect(verdicts).toEqual([
      [ms(1), true],
      [seconds(60) + ms(1), false],
      [seconds(70) + ms(1), true],
    ]);
  });

  test("a success threshold counts successes in a row", () => {
    const { sim, verdicts } = worker("++-+++", { successThreshold: 3 });
    sim.run(seconds(60));
    expect(verdicts).toEqual([[seconds(50) + ms(1), true]]);
  });

  test("detecting a failure takes (threshold - 1) periods and a part of one: 20 to 30 s by default", () => {
    const detected = [0, 1, 5, 9].map((phase) => {
      const { sim, under, verdicts } = worker("-", {}, { firstTickNs: seconds(phase) });
      under.assume(true);
      sim.run(seconds(60));
      return verdicts[0]![0];
    });
    // It fails from time 0 on; the first tick comes after 0 to 10 s.
    expect(detected).toEqual([20, 21, 25, 29].map((at) => seconds(at) + ms(1)));
  });

  test("a restart begins anew: initial verdict, no results, and none of a run that has ended", () => {
    const { sim, under, verdicts, runsSince } = worker("++-", { failureThreshold: 1 });
    // The probe at 10 s is out when the container ends; its answer says nothing of the next run.
    sim.callAt(seconds(10), Phase.sample, () => {
      under.reset();
      runsSince(seconds(10));
    });
    sim.run(seconds(15));
    expect(under.verdict).toBe(false);
    expect(verdicts).toEqual([[ms(1), true]]);
  });

  test("`assume` stands for days of equal results: one further failure is not enough", () => {
    const { sim, under, verdicts } = worker("-");
    under.assume(true);
    sim.run(seconds(15));
    expect(verdicts).toEqual([]);
  });
});
