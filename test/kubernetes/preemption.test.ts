/**
 * Preemption with an eye to PodDisruptionBudgets, what it writes, and in which order. Facts: timings §4
 * (pickOneNodeForPreemption, filterPodsWithPDBViolation, prepareCandidateAsync).
 */
import { describe, expect, test } from "vitest";
import { Phase, seconds, Simulation } from "../../src/engine/index.ts";
import { SimulatedApiServer } from "../../src/kubernetes/api/server.ts";
import type { Pod, PodDisruptionBudget } from "../../src/kubernetes/api/types.ts";
import { findVictims } from "../../src/kubernetes/scheduler/preemption.ts";
import { schedulerProfile } from "../../src/kubernetes/scheduler/profile.ts";
import { Scheduler } from "../../src/kubernetes/scheduler/scheduler.ts";
import {
  budget,
  container,
  exactApi,
  node,
  pendingPod,
  pod,
  unthrottled,
  type PodChange,
} from "../helpers/kube-objects.ts";
import { tableOf } from "../helpers/scheduler-plugins.ts";
import { countTries } from "../helpers/scheduler-tries.ts";

const sized = (priority: number, cpuMillis: number): PodChange => ({
  spec: { priority, containers: [container({ requests: { cpuMillis, memoryBytes: 0 } })] },
});
/** A pod on node `where`, that the budget of app=NAME covers. */
const on = (where: string, name: string, app: string, change: PodChange): Pod =>
  pod(name, {
    metadata: { labels: { app } },
    ...change,
    spec: { ...change.spec, nodeName: where },
  });
const big = pendingPod("big", sized(100, 3000));
const budgetOf = (
  app: string,
  disruptionsAllowed: number,
  disruptedPods: Record<string, number> = {},
): PodDisruptionBudget => {
  const selector = { matchLabels: app === "" ? {} : { app }, matchExpressions: [] };
  const { status, ...others } = budget({ selector }, `for-${app}`);
  return { ...others, status: { ...status, disruptionsAllowed, disruptedPods } };
};
const names = (pods: readonly Pod[]): string[] => pods.map(({ metadata }) => metadata.name);

describe("budgets", () => {
  const two = [node("n0"), node("n1")];
  const one = [on("n0", "a", "spent", sized(1, 4000)), on("n1", "b", "free", sized(50, 4000))];

  test("a node where none is broken, though its victim is more important", () => {
    // Broken on purpose: violations left out of the cost, and n0 is taken.
    const found = findVictims(big, tableOf(two, one), [budgetOf("spent", 0)])!;
    expect([found.nodeName, found.violations]).toEqual(["n1", 0]);
    expect(findVictims(big, tableOf(two, one))!.nodeName).toBe("n0");
  });

  test("are only a preference: where nothing else helps one is broken", () => {
    const [node0] = two;
    const found = findVictims(big, tableOf([node0!], one), [budgetOf("spent", 0)])!;
    expect([names(found.victims), found.violations]).toEqual([["a"], 1]);
  });

  test("pods whose budget would be broken are let back first, whatever their priority", () => {
    // 1000m free, 2000m are wanted of three pods of 1000m. Broken on purpose: by importance alone "p9" stays.
    const running = [
      on("n0", "p1", "spent", sized(1, 1000)),
      on("n0", "p5", "free", sized(5, 1000)),
      on("n0", "p9", "free", sized(9, 1000)),
    ];
    const found = findVictims(big, tableOf([node("n0")], running), [budgetOf("spent", 0)])!;
    expect([names(found.victims), found.violations]).toEqual([["p9", "p5"], 0]);
    expect(names(findVictims(big, tableOf([node("n0")], running))!.victims)).toEqual(["p5", "p1"]);
  });

  const both = [on("n0", "x", "app", sized(2, 2000)), on("n0", "yy", "app", sized(1, 2000))];
  test.each<[string, PodDisruptionBudget, number]>([
    ["each victim takes one of what is allowed", budgetOf("app", 1), 1],
    ["as many as are allowed", budgetOf("app", 2), 0],
    ["one that is named as going already takes none", budgetOf("app", 1, { x: 0 }), 0],
    ["an empty selector covers nothing, unlike for an eviction", budgetOf("", 0), 0],
  ])("%s", (_what, of, violations) => {
    const found = findVictims(pendingPod("all", sized(100, 4000)), tableOf([node("n0")], both), [
      of,
    ])!;
    expect([names(found.victims), found.violations]).toEqual([["x", "yy"], violations]);
  });
});

describe("at work", () => {
  function running(
    preloaded: readonly Pod[],
    nodes = [node("n")],
    budgets: PodDisruptionBudget[] = [],
  ) {
    const sim = new Simulation({ seed: "preempt" });
    const log: string[] = [];
    const api = new SimulatedApiServer(sim, exactApi, (kind, previous, object) => {
      if (kind !== "Pod" || object === null || previous === null) return;
      const [was, now] = [previous as Pod, object as Pod];
      const { name } = now.metadata;
      if (now.status.disruptionTarget !== was.status.disruptionTarget) log.push(`${name} marked`);
      const [before, after] = [was, now].map(({ metadata }) => metadata.deletionTimestampNs);
      if (before === null && after !== null) log.push(`${name} told`);
      const { nominatedNodeName } = now.status;
      if (nominatedNodeName !== was.status.nominatedNodeName) {
        log.push(`${name} for ${nominatedNodeName ?? "none"}`);
      }
      if (was.spec.nodeName === null && now.spec.nodeName !== null) {
        log.push(`${name} on ${now.spec.nodeName}`);
      }
    });
    for (const each of nodes) api.preload("Node", each);
    for (const each of budgets) api.preload("PodDisruptionBudget", each);
    for (const each of preloaded) api.preload("Pod", each);
    void new Scheduler(sim, api, schedulerProfile);
    const hand = api.client(unthrottled);
    const at = (atS: number, act: () => void): void =>
      void sim.callAt(seconds(atS), Phase.start, act);
    const gone = (atS: number, ...which: string[]): void =>
      at(atS, () => {
        for (const each of which) hand.delete("Pod", `default/${each}`, { gracePeriodNs: 0 });
      });
    return { sim, api, hand, log, at, gone };
  }

  test("the nomination is written; victims are marked and told, the last after all others", () => {
    // Broken on purpose: all victims at once.
    const victims = ["x", "yy", "zzz"].map((name, i) => on("n", name, "low", sized(3 - i, 1300)));
    const run = running([...victims, big]);
    run.sim.run(seconds(1));
    expect(run.log).toEqual([
      "big for n",
      "x marked",
      "yy marked",
      "x told",
      "yy told",
      "zzz marked",
      "zzz told",
    ]);
    run.gone(10, "x", "yy", "zzz");
    run.sim.run(seconds(40));
    // The binding ends the nomination in the same write.
    expect(run.log.slice(7)).toEqual(["big for none", "big on n"]);
  });

  test("its own writes do not bring the pod back to the queue", () => {
    // Broken on purpose: each update of a pending pod queues it, and it is tried again within the first second.
    const run = running([on("n", "low", "low", sized(1, 4000)), big]);
    const tries = countTries(run.sim);
    run.sim.run(seconds(60));
    expect(tries()).toHaveLength(1);
  });

  test("one of lower priority that waits for the node loses its nomination", () => {
    const run = running([
      on("n", "low", "low", sized(1, 4000)),
      pendingPod("mid", sized(50, 3000)),
    ]);
    run.at(5, () => run.hand.create("Pod", big));
    run.gone(20, "low");
    run.sim.run(seconds(60));
    // Broken on purpose: its nomination ends when it is next tried, after "big" has been bound.
    expect(run.log).toEqual([
      "mid for n",
      "low marked",
      "low told",
      "mid for none",
      "big for n",
      "big for none",
      "big on n",
    ]);
  });

  test("a scheduler that begins anew keeps the room for who was nominated", () => {
    // Broken on purpose: nominations not read from the pods' statuses: "other" has to go as well, which costs less.
    const nominee = pendingPod("big", {
      ...sized(100, 3000),
      status: { nominatedNodeName: "n" },
    });
    const leaving = on("n", "low", "low", {
      ...sized(1, 2000),
      metadata: { labels: {}, deletionTimestampNs: 0, deletionGracePeriodNs: seconds(30) },
      status: { disruptionTarget: "PreemptionByScheduler" },
    });
    const other = on("n2", "other", "low", sized(0, 4000));
    const run = running([leaving, other, nominee], [node("n"), node("n2")]);
    run.at(5, () => run.hand.create("Pod", pendingPod("late", sized(0, 1500))));
    run.gone(20, "low");
    run.sim.run(seconds(60));
    expect(run.log).toEqual(["big for none", "big on n"]);
  });

  test("a pod that leaves for another reason holds up no further preemption", () => {
    // podTerminatingByPreemption. Broken on purpose: any terminating pod of lower priority counts.
    const leaving = on("n", "old", "low", {
      ...sized(1, 1500),
      metadata: { labels: {}, deletionTimestampNs: 0, deletionGracePeriodNs: seconds(600) },
    });
    const nominee = pendingPod("big", { ...sized(100, 3000), status: { nominatedNodeName: "n" } });
    const run = running([leaving, on("n", "low", "low", sized(1, 2500)), nominee]);
    run.sim.run(seconds(5));
    expect(run.log).toContain("low told");
  });
});
