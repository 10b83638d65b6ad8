/**
 * The horizontal pod autoscaler on upstream's own numbers (replica_calculator_test.go, horizontal_test.go and the
 * examples of kubernetes.io's "Horizontal Pod Autoscaling"). Facts: timings §11.
 */
import { describe, expect, test } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import type { HorizontalPodAutoscaler, Pod, ScalingRules } from "../../src/kubernetes/api/types.ts";
import {
  HorizontalPodAutoscalerController,
  stabilized,
} from "../../src/kubernetes/controllers/autoscaler.ts";
import {
  resourceReplicas,
  scaleDownLimit,
  scaleUpLimit,
  type PodMetric,
} from "../../src/kubernetes/controllers/replicaCalculator.ts";
import { runControllers } from "../helpers/controllers.ts";
import { container, deployment, pod } from "../helpers/kube-objects.ts";

const HOUR = seconds(3600);

interface Case {
  readonly target: number;
  /** milli-CPU of each pod; null: its use is not known. */
  readonly levels: readonly (number | null)[];
  readonly requests?: readonly number[];
  /** Not ready, and young. */
  readonly unready?: readonly number[];
  readonly pending?: readonly number[];
  readonly going?: readonly number[];
}

function podsOf({ levels, requests, unready = [], pending = [], going = [] }: Case): Pod[] {
  return levels.map((_level, i) => {
    const cpuMillis = requests?.[i] ?? 1000;
    const isYoung = unready.includes(i) || pending.includes(i);
    return pod(`p${i}`, {
      metadata: {
        creationTimestampNs: isYoung ? HOUR - seconds(60) : 0,
        deletionTimestampNs: going.includes(i) ? HOUR : null,
      },
      spec: { containers: [container({ requests: { cpuMillis, memoryBytes: 0 } })] },
      status: {
        phase: pending.includes(i) ? "Pending" : "Running",
        ready: { status: !isYoung, lastTransitionTimeNs: isYoung ? HOUR - seconds(60) : 0 },
      },
    });
  });
}

function replicas(current: number, given: Case): number | null {
  const pods = podsOf(given);
  const metrics = new Map<string, PodMetric>();
  for (const [i, cpuMillis] of given.levels.entries()) {
    if (cpuMillis === null) continue;
    metrics.set(pods[i]!.metadata.uid, { cpuMillis, atNs: HOUR, windowNs: seconds(15) });
  }
  const options = {
    target: given.target,
    toleranceUp: 0.1,
    toleranceDown: 0.1,
    cpuInitializationNs: seconds(300),
    initialReadinessDelayNs: seconds(30),
    nowNs: HOUR,
  };
  return resourceReplicas(current, pods, metrics, options)?.replicas ?? null;
}

/** Ten pods at 120 %, and one: 12 of 10 that count are 11 of 11 by tolerance. */
const ELEVEN = Array<number>(11).fill(1200);

describe("replicas from CPU use (replica_calculator_test.go)", () => {
  // Broken on purpose: unready and missing pods left out of what goes up, no tolerance.
  test.each<[string, number, Case, number]>([
    ["ScaleUp", 3, { target: 30, levels: [300, 500, 700] }, 5],
    ["ScaleUpUnreadyLessScale", 3, { target: 30, levels: [300, 500, 700], unready: [0] }, 4],
    ["ScaleUpUnreadyNoScale", 3, { target: 30, levels: [400, 500, 700], unready: [1, 2] }, 3],
    [
      "ScaleUpHotCpuLessScale: pending",
      3,
      { target: 30, levels: [null, 500, 700], pending: [0] },
      4,
    ],
    ["ScaleDown", 5, { target: 50, levels: [100, 300, 500, 250, 250] }, 3],
    ["Tolerance", 3, { target: 100, levels: [1010, 1030, 1020], requests: [900, 1000, 1100] }, 3],
    [
      "just outside of the tolerance",
      10,
      { target: 100, levels: Array<number>(10).fill(1120) },
      12,
    ],
    ["unready pods use nothing", 11, { target: 100, levels: ELEVEN, unready: [10] }, 11],
    ["and neither do missing ones", 11, { target: 100, levels: [...ELEVEN.slice(1), null] }, 11],
    ["MissingMetrics", 4, { target: 100, levels: [400, 95, null, null] }, 3],
    ["MissingMetricsNoChangeGt", 2, { target: 100, levels: [1000, null] }, 2],
    ["MissingMetricsNoChangeLt", 2, { target: 100, levels: [600, null] }, 2],
    [
      "terminating pods are ignored",
      4,
      { target: 30, levels: [300, 500, 700, 900], going: [3] },
      5,
    ],
  ])("%s", (_name, current, given, want) => {
    expect(replicas(current, given)).toBe(want);
  });

  test("nothing is said without any metric, or where a pod asks for no CPU", () => {
    expect(replicas(2, { target: 50, levels: [null, null] })).toBeNull();
    expect(replicas(2, { target: 50, levels: [100, 100], requests: [0, 1000] })).toBeNull();
  });
});

const rules = (...policies: ScalingRules["policies"]): ScalingRules => ({
  stabilizationWindowNs: null,
  selectPolicy: "Max",
  policies,
  tolerance: null,
});
const policy = (type: "Pods" | "Percent", value: number, periodS: number) => ({
  type,
  value,
  periodNs: seconds(periodS),
});

describe("policies", () => {
  test.each([
    [1, 5],
    [3, 7],
    [4, 8],
    [10, 20],
  ])(
    "by default the greater of four pods and as many again in 15 s: from %i to at most %i",
    (current, most) => {
      const standard = rules(policy("Pods", 4, 15), policy("Percent", 100, 15));
      expect(scaleUpLimit(current, [], [], standard, HOUR)).toBe(most);
    },
  );

  test("10 % a minute, of the documentation: 80 loses 8, 72 loses 8 (7.2 rounded up)", () => {
    const slow = rules(policy("Percent", 10, 60));
    expect(scaleDownLimit(80, [], [], slow, HOUR)).toBe(72);
    expect(scaleDownLimit(72, [], [], slow, HOUR)).toBe(64);
    // What went within the period counts: nothing more may go.
    const gone = [{ atNs: HOUR - seconds(30), change: 8 }];
    expect(scaleDownLimit(72, [], gone, slow, HOUR)).toBe(72);
  });

  test("of 4 pods and 10 % the greater change: above 40 pods the percentage", () => {
    const both = rules(policy("Pods", 4, 60), policy("Percent", 10, 60));
    expect(scaleDownLimit(39, [], [], both, HOUR)).toBe(35);
    expect(scaleDownLimit(60, [], [], both, HOUR)).toBe(54);
    expect(scaleDownLimit(60, [], [], { ...both, selectPolicy: "Min" }, HOUR)).toBe(56);
    expect(scaleDownLimit(60, [], [], { ...both, selectPolicy: "Disabled" }, HOUR)).toBe(60);
  });

  test("down to the greatest recommendation of the window, up to the smallest", () => {
    const at = (secondsAgo: number, count: number) => ({
      atNs: HOUR - seconds(secondsAgo),
      replicas: count,
    });
    const recommendations = [at(310, 12), at(200, 9), at(60, 5)];
    const windows = { upNs: seconds(100), downNs: seconds(300), nowNs: HOUR };
    expect(stabilized({ recommendations }, 10, 3, windows)).toBe(9);
    expect(stabilized({ recommendations }, 4, 20, windows)).toBe(5);
  });
});

const scaler = (spec: Partial<HorizontalPodAutoscaler["spec"]> = {}): HorizontalPodAutoscaler => ({
  kind: "HorizontalPodAutoscaler",
  metadata: { ...deployment(1).metadata, uid: "uid-of-scaler" },
  spec: {
    scaleTargetRef: { kind: "Deployment", name: "web" },
    minReplicas: 1,
    maxReplicas: 30,
    targetUtilization: 50,
    behavior: null,
    ...spec,
  },
  status: {
    currentReplicas: 0,
    desiredReplicas: 0,
    currentUtilization: null,
    lastScaleTimeNs: null,
  },
});

/** An autoscaler over as many old pods as the Deployment wants, each with this use at this second. */
function running(start: number, cpuMillis: (atS: number) => number, spec = {}) {
  const sizes: [second: number, replicas: number][] = [];
  let size = start;
  const run = runControllers({
    controllers: [new HorizontalPodAutoscalerController()],
    seen: (kind, _previous, object) => {
      if (kind !== "Deployment" || object?.kind !== "Deployment" || object.spec.replicas === size)
        return;
      size = object.spec.replicas;
      sizes.push([Math.round(run.sim.nowNs / seconds(1)), size]);
      for (let i = 0; i < 30; i++) {
        const name = `old-${i}`;
        const there = run.list("Pod").some(({ metadata }) => metadata.name === name);
        if (i < size && !there) run.hand.create("Pod", oldPod(name));
        if (i >= size && there) run.hand.delete("Pod", `default/${name}`, { gracePeriodNs: 0 });
      }
    },
    podMetrics: () =>
      new Map(
        run.list("Pod").map(({ metadata }) => [
          metadata.uid,
          {
            cpuMillis: cpuMillis(run.sim.nowNs / seconds(1)) / size,
            atNs: run.sim.nowNs,
            windowNs: seconds(15),
          },
        ]),
      ),
  });
  const oldPod = (name: string): Pod => ({
    ...pod(name),
    spec: {
      ...pod(name).spec,
      containers: [container({ requests: { cpuMillis: 100, memoryBytes: 0 } })],
    },
  });
  run.api.preload("Deployment", deployment(start));
  run.api.preload("HorizontalPodAutoscaler", scaler(spec));
  for (let i = 0; i < start; i++) run.api.preload("Pod", oldPod(`old-${i}`));
  run.start();
  return { ...run, sizes };
}

describe("the controller", () => {
  test("looks every 15 s; without behavior it at most doubles, and to 4 from fewer", () => {
    // 1,000m in all at 50m a pod: 20 pods. Pods that are new are not counted as ready at once, so each
    // step takes what the policy allows. Broken on purpose: no limit: 20 at once.
    const run = running(1, () => 1000, { behavior: null });
    run.sim.run(seconds(80));
    expect(run.sizes[0]).toEqual([15, 4]);
    expect(run.sizes[1]).toEqual([30, 8]);
    expect(run.sizes.every(([second]) => second % 15 === 0)).toBe(true);
    expect(Math.max(...run.sizes.map(([, count]) => count))).toBe(20);
  });

  test("goes down only after 300 s without a higher recommendation", () => {
    // Broken on purpose: without the window it goes down at the first look.
    const run = running(10, (atS) => (atS < 100 ? 500 : 50));
    run.sim.run(seconds(389));
    expect(run.sizes).toEqual([]);
    run.sim.run(seconds(420));
    // The last high one was at 90 s.
    expect(run.sizes).toEqual([[390, 1]]);
  });

  test("keeps within minReplicas and maxReplicas, whatever the metrics say", () => {
    const run = running(10, () => 500, { maxReplicas: 6 });
    run.sim.run(seconds(20));
    expect(run.sizes).toEqual([[15, 6]]);
    const low = running(2, () => 100, { minReplicas: 5 });
    low.sim.run(seconds(20));
    expect(low.sizes).toEqual([[15, 5]]);
  });
});
