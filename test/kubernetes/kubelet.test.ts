/** The kubelet: starting pods, noticing, writing, restarting and ending them. Facts: timings §1.2 to §1.5. */
import { describe, expect, test } from "vitest";
import { ms, Phase, seconds } from "../../src/engine/index.ts";
import type { Pod } from "../../src/kubernetes/api/types.ts";
import { kubeletProfile } from "../../src/kubernetes/kubelet/profile.ts";
import {
  container,
  pod,
  pendingPod,
  probe,
  RESPONSE_NS,
  WATCH_NS,
  WRITE_NS,
} from "../helpers/kube-objects.ts";
import {
  kubeletRig,
  SANDBOX_NS,
  secondsAfter,
  START_NS,
  TEARDOWN_NS,
  type FakeProcess,
  VOLUMES_NS,
  type KubeletRig,
  type KubeletRigOptions,
} from "../helpers/kubelet.ts";

const seeds = Array.from({ length: 20 }, (_, i) => `seed-${i}`);
const bound = (name: string, spec: Partial<Pod["spec"]> = {}): Pod =>
  pendingPod(name, { spec: { nodeName: "node-0", ...spec } });
const withReadiness = { containers: [container({ readinessProbe: probe() })] };

describe("starting (timings §1.5)", () => {
  test("volumes, sandbox with its address, container; Running and Ready when the PLEG has seen it", () => {
    const { sim, hand, log, times } = kubeletRig();
    hand.create("Pod", bound("a"));
    sim.run(seconds(10));
    const knownNs = WRITE_NS + WATCH_NS;
    expect(times("sandbox")).toEqual([knownNs + VOLUMES_NS + SANDBOX_NS]);
    expect(times("start")).toEqual([knownNs + VOLUMES_NS + SANDBOX_NS + START_NS]);
    const last = log.findLast(({ what }) => what.startsWith("commit"))!;
    expect(last.what).toMatch(/^commit Running ready 10\.244\.1\./);
    const noticed = last.atNs - WRITE_NS - times("start")[0]!;
    expect(noticed).toBeGreaterThanOrEqual(0);
    expect(noticed).toBeLessThanOrEqual(seconds(1));
  });

  test("containers start one after the other", () => {
    const { sim, hand, times } = kubeletRig();
    hand.create("Pod", bound("a", { containers: [container(), container({ name: "second" })] }));
    sim.run(seconds(10));
    expect(times("start a/second")[0]! - times("start a/main")[0]!).toBe(START_NS);
  });

  test("with a readiness probe Ready follows the notice by the probe's round trip (poke), not by a period", () => {
    const { sim, hand, times } = kubeletRig();
    hand.create("Pod", bound("a", withReadiness));
    sim.run(seconds(20));
    const [notReady] = times("commit Running not-ready");
    const [ready] = times("commit Running ready");
    // The poke at the relist; the write of the address was under way by then.
    expect(ready! - notReady!).toBeLessThanOrEqual(ms(1) + RESPONSE_NS + WRITE_NS);
  });

  test("a pod without a probe that is deleted while its container starts never runs", () => {
    // Broken on purpose: without beginStop() for containers that do not run, it starts in a dead namespace.
    const { sim, hand, times } = kubeletRig();
    hand.create("Pod", bound("a"));
    const sandboxNs = WRITE_NS + WATCH_NS + VOLUMES_NS + SANDBOX_NS;
    sim.callAt(sandboxNs + ms(100), Phase.start, () => hand.delete("Pod", "default/a", {}));
    sim.run(seconds(60));
    expect(times("start")).toEqual([]);
    expect(times("commit removed")).toHaveLength(1);
  });
});

describe("noticing (PLEG relist every second, timings §1.2)", () => {
  test("an exit is seen within a second, at no fixed part of it", () => {
    expect(kubeletProfile.plegRelistNs).toBe(seconds(1));
    const delays = seeds.map((seed) => {
      const { sim, processes, times } = kubeletRig({ seed }, [pod("a")]);
      sim.callAt(seconds(5), Phase.start, () => processes[0]!.exit(1));
      sim.run(seconds(7));
      return times("commit Running not-ready")[0]! - WRITE_NS - seconds(5);
    });
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...delays)).toBeLessThanOrEqual(seconds(1));
    // 20 uniform phases: all within one half has a probability below 2 x 0.5^20.
    expect(Math.min(...delays)).toBeLessThan(ms(500));
    expect(Math.max(...delays)).toBeGreaterThan(ms(500));
  });

  test("the status writer is one: writes follow each other, 25 a second when its burst is used up", () => {
    // 110 pods fail their probes within 100 ms. Each write takes a call and its answer, 10.4 ms; 50 tokens
    // and 25 a second last for 68 of those, then each waits 40 ms for its token.
    const readinessProbe = probe({ periodNs: ms(100), failureThreshold: 1 });
    const containers = [container({ readinessProbe })];
    const pods = Array.from({ length: 110 }, (_, i) => pod(`p${i}`, { spec: { containers } }));
    let answer = true;
    const { sim, times } = kubeletRig({ probe: () => answer }, pods);
    sim.callAt(seconds(5), Phase.start, () => (answer = false));
    sim.run(seconds(20));
    const writes = times("commit Running not-ready");
    const gaps = writes.slice(1).map((atNs, i) => atNs - writes[i]!);
    expect(gaps).toHaveLength(109);
    expect(new Set(gaps.slice(0, 60))).toEqual(new Set([WRITE_NS + RESPONSE_NS]));
    expect(new Set(gaps.slice(-30))).toEqual(new Set([ms(40)]));
  });
});

/** When a container that crashes a second after each of its starts is started. */
function startTimes(seed: string, crashes: number): number[] {
  const started = (process: FakeProcess, { sim, processes }: KubeletRig): void => {
    if (processes.length <= crashes)
      sim.callAfter(seconds(1), Phase.complete, () => process.exit(1));
  };
  const { sim, times } = kubeletRig({ seed, started }, [pod("a")]);
  sim.run(seconds(300));
  return times("start");
}

/** From each exit of a container that crashes a second after it starts, to its next start, in s. */
function restartDelays(
  seed: string,
  crashes: number,
  runSeconds: readonly number[] = [],
): number[] {
  const { sim, times } = kubeletRig(
    {
      seed,
      started: (process, rig) => {
        const run = runSeconds[rig.processes.length - 1] ?? 1;
        if (rig.processes.length <= crashes) {
          rig.sim.callAfter(seconds(run), Phase.complete, () => process.exit(1));
        }
      },
    },
    [pod("a")],
  );
  sim.run(seconds(3000));
  const starts = times("start").slice(1);
  return times("exit").map((atNs, i) => (starts[i]! - START_NS - atNs) / seconds(1));
}

describe("restarting in place (CrashLoopBackOff, timings §1.4)", () => {
  test("the first at once; then 10, 20, 40, ... 300 s after the exit, each up to half as long again", () => {
    // Broken on purpose: no jitter, a wait from the relist, a jitter without the resync's cap, no tick.
    const bySeed = seeds.map((seed) => restartDelays(seed, 8));
    const ladder = bySeed[0]!.map((_, i) => bySeed.map((delays) => delays[i]!));
    const bounds = [
      // A relist comes within 1 s and 5 ms, the kubelet's tick within another second.
      [0, 1.01],
      [10, 16],
      [20, 31],
      [40, 61],
      // A resync wakes the worker 60 to 90 s after the relist that saw the exit: the rest is short, and so
      // is its jitter.
      [80, 93],
      [160, 193],
      [300, 335],
      [300, 335],
    ];
    expect(ladder).toHaveLength(bounds.length);
    for (const [i, [least, most]] of bounds.entries()) {
      expect(Math.min(...ladder[i]!)).toBeGreaterThanOrEqual(least!);
      expect(Math.max(...ladder[i]!)).toBeLessThan(most! + 1e-6);
    }
    // [1, 1.5) is made use of.
    expect(Math.max(...ladder[1]!) - Math.min(...ladder[1]!)).toBeGreaterThan(2);
    // Due pods are taken up by the kubelet's tick: from the second restart on the starts of one node are
    // whole seconds apart.
    const starts = startTimes(seeds[0]!, 4).slice(2);
    for (const atNs of starts) expect((atNs - starts[0]!) % seconds(1)).toBe(0);
  });

  test("a run of more than 600 s clears the record; one of less does not", () => {
    const after = (run: number): number => restartDelays("reset", 4, [1, 1, 1, run])[3]!;
    expect(after(601)).toBeLessThanOrEqual(1.01);
    expect(after(599)).toBeGreaterThanOrEqual(40);
  });

  test("the pod keeps its address and its sandbox and counts its restarts", () => {
    const { sim, api, processes, log, times } = kubeletRig({}, [pod("a")]);
    sim.callAt(seconds(5), Phase.start, () => processes[0]!.exit(1));
    sim.run(seconds(20));
    const commits = log.filter(({ what }) => what.startsWith("commit"));
    const addresses = new Set(commits.map(({ what }) => what.split(" ")[3]));
    expect(addresses.size).toBe(1);
    expect(times("sandbox")).toHaveLength(1);
    expect(times("teardown")).toEqual([]);
    const now = api.watch("Pod", { watcher: "look", handlers: {} }).get("default/a")!;
    expect(now.status).toMatchObject({ restartCount: 1, ready: { status: true } });
  });

  test("a pod that takes its place has another address (host-local cycles its range)", () => {
    const { sim, hand, log } = kubeletRig({}, [pod("a")]);
    hand.delete("Pod", "default/a", {});
    sim.callAt(seconds(10), Phase.start, () => hand.create("Pod", bound("bb")));
    sim.run(seconds(20));
    const addresses = log
      .filter(({ what }) => what.startsWith("commit Running"))
      .map(({ what }) => what.split(" ")[3]);
    expect(new Set(addresses).size).toBe(2);
  });

  test("becomes Ready again by its probe, also when a tick would have come before the notice", () => {
    // Broken on purpose: a worker that probes before the kubelet has seen the container run passes then,
    // nothing changes at the notice, and the pod is never Ready again.
    const often = { containers: [container({ readinessProbe: probe({ periodNs: ms(100) }) })] };
    for (const seed of seeds) {
      const { sim, processes, times } = kubeletRig({ seed }, [pod("a", { spec: often })]);
      sim.callAt(seconds(5), Phase.start, () => processes[0]!.exit(1));
      sim.run(seconds(10));
      const ready = times("commit Running ready").find((atNs) => atNs > seconds(5));
      expect(ready).toBeLessThanOrEqual(seconds(5) + 2 * seconds(1) + START_NS + ms(50));
    }
  });

  test("restartPolicy Never: it stays down", () => {
    const never = pod("a", { spec: { restartPolicy: "Never" } });
    const { sim, processes, times } = kubeletRig({}, [never]);
    sim.callAt(seconds(5), Phase.start, () => processes[0]!.exit(1));
    sim.run(seconds(100));
    expect(times("start")).toHaveLength(1);
  });

  test("a pod that is deleted in its back-off does not come back", () => {
    // Broken on purpose: as above, beginStop() only for containers that run.
    const { sim, hand, times } = kubeletRig(
      {
        started: (process, rig) =>
          rig.sim.callAfter(seconds(1), Phase.complete, () => process.exit(1)),
      },
      [pod("a")],
    );
    sim.callAt(seconds(8), Phase.start, () => hand.delete("Pod", "default/a", {}));
    sim.run(seconds(100));
    expect(times("start").filter((atNs) => atNs > seconds(8))).toEqual([]);
    expect(times("commit removed")).toHaveLength(1);
  });
});

const sleepFor = (durationNs: number) => ({ kind: "sleep", durationNs }) as const;

/** Signals in seconds after the kubelet has heard of the delete of a pod that ignores SIGTERM. */
function signals(
  spec: { preStopNs?: number; graceNs?: number },
  gracePeriodNs: number | null = null,
  options: KubeletRigOptions = { onSigterm: "ignore" },
): { rig: KubeletRig; terms: number[]; kills: number[] } {
  const { preStopNs = 0, graceNs = seconds(30) } = spec;
  const containers = [container({ preStop: sleepFor(preStopNs) })];
  const rig = kubeletRig(options, [
    pod("a", { spec: { containers, terminationGracePeriodNs: graceNs } }),
  ]);
  rig.hand.delete("Pod", "default/a", { gracePeriodNs });
  rig.sim.run(seconds(200));
  const heardNs = WRITE_NS + WATCH_NS;
  return {
    rig,
    terms: secondsAfter(heardNs, rig.times("SIGTERM")),
    kills: secondsAfter(heardNs, rig.times("SIGKILL")),
  };
}

describe("ending (timings §1.3)", () => {
  test.each([
    ["SIGTERM at once, SIGKILL at the end of the grace", {}, 0, 30],
    ["preStop runs first, inside the grace", { preStopNs: seconds(5) }, 5, 30],
    // executePreStopHook gives back whole seconds: 1.5 s count as 1.
    ["of preStop whole seconds are subtracted", { preStopNs: seconds(1.5) }, 1.5, 30.5],
    ["an overrunning preStop still leaves 2 s after SIGTERM", { preStopNs: seconds(60) }, 30, 32],
    ["a grace below 2 s is 2 s", { graceNs: seconds(1) }, 0, 2],
  ])("%s", (_what, spec, term, kill) => {
    const { terms, kills } = signals(spec);
    expect([terms, kills]).toEqual([[term], [kill]]);
  });

  test("a forced delete removes the object at once; the container still gets SIGTERM and 2 s", () => {
    const { rig, terms, kills } = signals({}, 0);
    expect(rig.times("commit removed")).toEqual([WRITE_NS]);
    expect([terms, kills]).toEqual([[0], [2]]);
    expect(rig.times("teardown")).toHaveLength(1);
  });

  test("exit, sandbox, terminal status, then the object by a second call", () => {
    const { rig } = signals({}, null, { onSigterm: "exit" });
    const [exitNs] = rig.times("exit");
    expect(rig.times("teardown")).toEqual([exitNs! + TEARDOWN_NS]);
    const [statusNs] = rig.times("commit Succeeded");
    expect(statusNs).toBe(exitNs! + TEARDOWN_NS + WRITE_NS);
    // The worker's last job waits for a relist after it: upstream's GetNewerThan.
    const [removedNs] = rig.times("commit removed");
    expect(removedNs! - WRITE_NS).toBeGreaterThan(statusNs! + RESPONSE_NS);
    expect(removedNs! - WRITE_NS - rig.times("teardown")[0]!).toBeLessThanOrEqual(seconds(1.01));
  });

  test("containers are stopped in parallel, and the pod ends with the last", () => {
    const containers = [
      container({ preStop: sleepFor(seconds(3)) }),
      container({ name: "second", preStop: sleepFor(seconds(7)) }),
    ];
    const { sim, hand, times } = kubeletRig({}, [pod("a", { spec: { containers } })]);
    hand.delete("Pod", "default/a", {});
    sim.run(seconds(60));
    const heardNs = WRITE_NS + WATCH_NS;
    expect(secondsAfter(heardNs, times("SIGTERM"))).toEqual([3, 7]);
    expect(times("teardown")).toEqual([heardNs + seconds(7) + TEARDOWN_NS]);
  });

  test("readiness goes on to the end, liveness stops at once", () => {
    let answer = true;
    const both = [
      container({
        readinessProbe: probe({ periodNs: seconds(1), failureThreshold: 1 }),
        livenessProbe: probe({ periodNs: seconds(1), handler: { kind: "exec" } }),
      }),
    ];
    const { sim, hand, times } = kubeletRig({ onSigterm: "ignore", probe: () => answer }, [
      pod("a", { spec: { containers: both } }),
    ]);
    sim.callAt(seconds(5), Phase.start, () => hand.delete("Pod", "default/a", {}));
    sim.callAt(seconds(10), Phase.start, () => (answer = false));
    sim.run(seconds(60));
    const heardNs = seconds(5) + WRITE_NS + WATCH_NS;
    expect(times("probe exec").filter((atNs) => atNs > heardNs)).toEqual([]);
    expect(times("probe httpGet").filter((atNs) => atNs > heardNs).length).toBeGreaterThan(25);
    expect(Math.max(...times("probe"))).toBeLessThanOrEqual(heardNs + seconds(30));
    // `serving` follows: the pod turns not ready while it terminates, and only its status says so.
    const [notReady] = times("commit Running not-ready");
    expect(notReady).toBeGreaterThan(seconds(10));
    expect(notReady).toBeLessThan(seconds(12));
  });

  test("a readiness write that is under way when the pod ends does not remove it early", () => {
    // Broken on purpose: removal after any write, and the object went before its terminal status.
    let answer = true;
    const readiness = probe({ periodNs: ms(100), failureThreshold: 1 });
    const spec = { containers: [container({ readinessProbe: readiness })] };
    const { sim, hand, processes, log } = kubeletRig({ onSigterm: "ignore", probe: () => answer }, [
      pod("a", { spec }),
    ]);
    hand.delete("Pod", "default/a", {});
    sim.callAt(seconds(5), Phase.start, () => (answer = false));
    // The probe fails within 100 ms; its write takes 10 ms, in which the process ends.
    const watch = (): void => {
      if (log.findLast(({ what }) => what === "probe httpGet")!.atNs > seconds(5)) {
        sim.callAfter(ms(2), Phase.start, () => processes[0]!.exit(0));
      } else sim.callAfter(ms(1), Phase.sample, watch);
    };
    sim.callAt(seconds(5), Phase.sample, watch);
    sim.run(seconds(20));
    const commits = log
      .filter(({ what }) => /^commit|teardown/.test(what))
      .map(({ what }) => what.split(" ")[1] ?? what);
    expect(commits).toEqual(["Running", "Running", "teardown", "Succeeded", "removed"]);
  });

  test("a failing liveness probe ends the container with the pod's grace, and it starts again in place", () => {
    let answer = true;
    const liveness = probe({ periodNs: seconds(1) });
    const spec = { containers: [container({ livenessProbe: liveness })] };
    const rig = kubeletRig({ onSigterm: "ignore", probe: () => answer }, [pod("a", { spec })]);
    rig.sim.callAt(seconds(5), Phase.start, () => (answer = false));
    rig.sim.run(seconds(36));
    const [term] = rig.times("SIGTERM");
    // Three failures in a row, a second apart.
    expect(term).toBeGreaterThan(seconds(7));
    expect(term).toBeLessThanOrEqual(seconds(8) + ms(1));
    expect(rig.times("SIGKILL")).toEqual([]);
    answer = true;
    rig.sim.run(seconds(60));
    expect(rig.times("SIGKILL")).toEqual([term! + seconds(30)]);
    expect(rig.times("start")).toHaveLength(2);
    expect(rig.times("teardown")).toEqual([]);
  });
});
