/**
 * CFS bandwidth control: a limit of n milli-CPU is n/10 ms of CPU time in each period of 100 ms, on all CPUs
 * together (Documentation/scheduler/sched-bwc.rst).
 */
import { describe, expect, test } from "vitest";
import { ms, Phase, seconds, Simulation } from "../../src/engine/index.ts";
import { CpuQuota } from "../../src/workload/cpuQuota.ts";
import { programRig, type ProgramRig } from "../helpers/programs.ts";

/** Jobs [start, CPU time] in ms under a limit; periods begin at 0. @returns when each is done, in ms */
function finished(
  limitMillis: number,
  jobs: readonly (readonly [number, number])[],
  cores = 8,
): { readonly doneMs: number[]; readonly quota: CpuQuota; readonly sim: Simulation } {
  const sim = new Simulation({ seed: "cfs" });
  const doneMs: number[] = [];
  const quota = new CpuQuota({
    limitMillis,
    cores,
    phaseNs: 0,
    nowNs: () => sim.nowNs,
    wakeAt: (atNs, generation) =>
      void sim.callAt(atNs, Phase.complete, () => quota.wake(generation)),
    done: (job) => (doneMs[job] = sim.nowNs / ms(1)),
  });
  for (const [job, [atMs, cpuMs]] of jobs.entries()) {
    sim.callAt(ms(atMs), Phase.start, () => quota.start(job, ms(cpuMs)));
  }
  sim.run(seconds(10));
  return { doneMs, quota, sim };
}

describe("the quota of a period", () => {
  test("one thread at half a CPU: 50 ms on, 50 ms off", () => {
    // 120 ms of work: 50 in the first period, 50 in the second, 20 in the third.
    const { doneMs, quota } = finished(500, [[0, 120]]);
    expect(doneMs).toEqual([220]);
    // Two ends of periods find it waiting; the third its work done; the fourth is the idle one.
    expect(quota.stat).toEqual({
      usedNs: ms(120),
      periods: 4,
      throttledPeriods: 2,
      throttledNs: ms(100),
    });
  });

  test("eight threads use up a whole CPU's period in 12.5 ms and stand still for 87.5", () => {
    // Broken on purpose: a quota that each thread has for itself leaves all of them done at 20 ms.
    const jobs = Array.from({ length: 8 }, () => [0, 20] as const);
    const { doneMs, quota } = finished(1000, jobs);
    expect(new Set(doneMs)).toEqual(new Set([107.5]));
    // cpu.stat adds up over the CPUs.
    expect(quota.stat).toMatchObject({ throttledPeriods: 1, throttledNs: ms(8 * 87.5) });
  });

  test("what is not used in a period is lost", () => {
    // Broken on purpose: a refill that adds to what is left ends the second job at 260 ms.
    const jobs = [
      [0, 15],
      [180, 45],
    ] as const;
    expect(finished(200, jobs).doneMs).toEqual([15, 305]);
  });

  test("a limit that the threads cannot reach does not touch them, for however long", () => {
    const { doneMs, quota } = finished(2000, [
      [30, 450],
      [50, 450],
    ]);
    expect(doneMs).toEqual([480, 500]);
    expect(quota.stat).toMatchObject({ periods: 6, throttledPeriods: 0, throttledNs: 0 });
  });

  test("more threads than CPUs share them: 3 jobs of 10 ms on 2 CPUs take 15 ms", () => {
    expect(
      finished(
        4000,
        [
          [0, 10],
          [0, 10],
          [0, 10],
        ],
        2,
      ).doneMs,
    ).toEqual([15, 15, 15]);
  });

  test("work that comes while the container stands still waits for the next period", () => {
    expect(
      finished(100, [
        [0, 10],
        [50, 5],
      ]).doneMs,
    ).toEqual([10, 105]);
  });

  test("periods go on while nothing runs: the phase is the container's, not the work's", () => {
    // At 295 ms 5 ms are left of the period, and the next one's quota follows at once.
    expect(finished(100, [[295, 12]]).doneMs).toEqual([307]);
  });

  test("no limit is below 10 milli-CPU (1 ms of each period)", () => {
    expect(finished(1, [[0, 3]]).doneMs).toEqual([201]);
  });
});

/**
 * do_sched_cfs_period_timer (kernel/sched/fair.c) counts each period until it finds one without work, that one too.
 * Broken on purpose: idle periods counted without end, and the one after the work not at all.
 */
describe("cpu.stat", () => {
  test.each([
    ["nothing", [], 0, 0],
    ["1 ms: its period, and an idle one", [[10, 1]], 2, 0],
    [
      "twice in one period",
      [
        [10, 1],
        [50, 1],
      ],
      2,
      0,
    ],
    [
      "in two periods, one after the other",
      [
        [10, 1],
        [110, 1],
      ],
      3,
      0,
    ],
    [
      "and again after a long time",
      [
        [10, 1],
        [550, 1],
      ],
      4,
      0,
    ],
    ["what is used up to the last, and no more, waits for nothing", [[0, 50]], 2, 0],
    [
      "what comes while nothing is left does",
      [
        [0, 50],
        [60, 1],
      ],
      3,
      1,
    ],
  ] as const)("%s", (_what, jobs, periods, throttledPeriods) => {
    expect(finished(500, jobs).quota.stat).toMatchObject({ periods, throttledPeriods });
  });

  test("a process that ends wants nothing any more", () => {
    const { quota, sim } = finished(100, []);
    quota.start(0, seconds(10));
    sim.run(sim.nowNs + ms(50));
    const { usedNs } = quota.stat;
    quota.stop();
    sim.run(sim.nowNs + seconds(1));
    expect(quota.stat.usedNs).toBe(usedNs);
    expect(quota.stat.throttledPeriods).toBeLessThanOrEqual(1);
  });
});

describe("a server with a limit", () => {
  /** `count` requests that come together at 1 s: how long each takes, in whole ms. */
  function took(rig: ProgramRig, count: number): number[] {
    for (let i = 0; i < count; i++) rig.client({ timeoutNs: seconds(30) }, `client-${i}`);
    rig.sim.run(seconds(5));
    return rig.ended.map(({ startedNs, endedNs }) => Math.floor((endedNs - startedNs) / ms(1)));
  }
  const serviceTime = { kind: "deterministic", value: ms(20) } as const;

  test("its service times stretch when its quota is used up, and not without a limit", () => {
    const free = programRig();
    free.server({ concurrency: 8, serviceTime });
    expect(new Set(took(free, 8))).toEqual(new Set([20]));

    const limited = programRig();
    const server = limited.server({ concurrency: 8, serviceTime, cpuLimitMillis: 400 });
    const times = took(limited, 8);
    // 160 ms of CPU at 40 ms a period: it needs four of them, so at least three waits for a new one.
    expect(Math.max(...times)).toBeGreaterThan(220);
    expect(server.cpuUsedNs()).toBeCloseTo(ms(160), -2);
  });

  test("what a request waits for others is not stretched", () => {
    const rig = programRig();
    rig.server({ concurrency: 8, serviceTime, cpuShare: 0.25, cpuLimitMillis: 4000 });
    expect(new Set(took(rig, 2))).toEqual(new Set([20]));
  });

  test("a command in the container takes from the same quota, and its time-out may pass", () => {
    const rig = programRig();
    const server = rig.server({ concurrency: 1, serviceTime, cpuLimitMillis: 100 });
    const done: number[] = [];
    rig.sim.callAt(seconds(2), Phase.start, () =>
      server.exec(ms(50), () => done.push(rig.sim.nowNs)),
    );
    rig.sim.run(seconds(4));
    // 50 ms at 10 ms a period: the first at once, the last with the fourth period that begins.
    expect(done[0]! - seconds(2)).toBeGreaterThan(ms(300));
    expect(done[0]! - seconds(2)).toBeLessThan(ms(411));
  });

  test("a command dies with the process", () => {
    const rig = programRig();
    const server = rig.server();
    const done: boolean[] = [];
    rig.sim.callAt(seconds(1), Phase.start, () => server.exec(ms(50), (ran) => done.push(ran)));
    rig.sim.callAt(seconds(1) + ms(10), Phase.start, () => server.signal("SIGKILL"));
    rig.sim.callAt(seconds(2), Phase.start, () => server.exec(ms(50), (ran) => done.push(ran)));
    rig.sim.run(seconds(4));
    expect(done).toEqual([false, false]);
  });
});

describe("memory", () => {
  const memory = { memoryBytes: 100, memoryPerRequestBytes: 10 };

  test("a base and a part for each request in progress or waiting", () => {
    const rig = programRig();
    const server = rig.server({
      ...memory,
      serviceTime: { kind: "deterministic", value: seconds(1) },
    });
    for (let i = 0; i < 3; i++) rig.client({}, `client-${i}`);
    rig.sim.run(seconds(1.5));
    expect(server.memoryBytes!()).toBe(130);
    rig.sim.run(seconds(10));
    expect(server.memoryBytes!()).toBe(100);
    expect(rig.server({}, rig.clientPod, "other").memoryBytes).toBeUndefined();
  });

  test("beyond its limit the kernel kills it: 137, OOMKilled, and its clients see it go", () => {
    // Broken on purpose: a limit of one request more.
    const rig = programRig();
    const serviceTime = { kind: "deterministic", value: seconds(1) } as const;
    rig.server({ ...memory, memoryLimitBytes: 120, serviceTime });
    for (let i = 0; i < 3; i++) rig.client({}, `client-${i}`);
    rig.sim.run(seconds(5));
    expect(rig.exits).toMatchObject([{ name: "server", code: 137, oomKilled: true }]);
    const outcomes = rig.ended.map(({ outcome }) => outcome);
    expect(outcomes.toSorted()).toEqual(["closed", "closed", "reset"]);
  });
});
