/** DaemonSets: one pod on every eligible node, and updates with and without a surge. Facts: timings §3. */
import { describe, expect, test } from "vitest";
import { ms, seconds } from "../../src/engine/index.ts";
import type { DaemonSet, Node, Pod } from "../../src/kubernetes/api/types.ts";
import { DaemonSetController } from "../../src/kubernetes/controllers/daemonset.ts";
import { setImage } from "../../src/kubernetes/kubectl/index.ts";
import { runControllers, fakeKubelets, type FakeKubelets } from "../helpers/controllers.ts";
import { daemonSet, node } from "../helpers/kube-objects.ts";

const nodeOf = (pod: Pod): string => pod.spec.nodeSelector["kubernetes.io/hostname"]!;

function running(
  set: DaemonSet,
  nodes: number | readonly Node[] = 3,
  { readyNs = () => ms(1000), goneNs = ms(2000) }: Partial<FakeKubelets> = {},
) {
  const told: string[] = [];
  const counts: { live: number; ready: number }[] = [];
  const run = runControllers({
    controllers: [new DaemonSetController()],
    seen: (kind, previous, object) => {
      if (kind !== "Pod") return;
      const [before, now] = [previous as Pod | null, object as Pod | null];
      if (before?.metadata.deletionTimestampNs === null && now?.metadata.deletionTimestampNs) {
        told.push(nodeOf(now));
      }
      const live = run.list("Pod").filter(({ metadata }) => metadata.deletionTimestampNs === null);
      const ready = live.filter(({ status }) => status.ready.status).length;
      counts.push({ live: live.length, ready });
    },
  });
  const named = (name: string): Node =>
    node(name, { metadata: { labels: { "kubernetes.io/hostname": name } } });
  const all =
    typeof nodes === "number" ? Array.from({ length: nodes }, (_, i) => named(`n${i}`)) : nodes;
  for (const each of all) run.api.preload("Node", each);
  run.api.preload("DaemonSet", set);
  run.start();
  fakeKubelets(run, { readyNs, goneNs, nodeOf });
  const where = (): string[] => run.list("Pod").map(nodeOf).sort();
  return { ...run, told, counts, where, set: () => run.get("DaemonSet", "default/agent") };
}

test("every node gets one; one that was deleted comes back on its node", () => {
  const run = running(daemonSet());
  run.sim.run(seconds(5));
  expect(run.where()).toEqual(["n0", "n1", "n2"]);
  const victim = run.list("Pod")[0]!;
  run.hand.delete("Pod", `default/${victim.metadata.name}`, {});
  run.sim.run(seconds(10));
  expect(run.where()).toEqual(["n0", "n1", "n2"]);
  expect(run.list("Pod").some(({ metadata }) => metadata.uid === victim.metadata.uid)).toBe(false);
  expect(run.set().status).toMatchObject({
    desiredNumberScheduled: 3,
    currentNumberScheduled: 3,
    numberReady: 3,
    numberAvailable: 3,
  });
});

test("only nodes that its node selector matches, cordoned ones too; a node that loses the label loses the pod", () => {
  // Broken on purpose: every node eligible.
  const labelled = (name: string, disk: string, unschedulable = false): Node =>
    node(name, {
      metadata: { labels: { "kubernetes.io/hostname": name, disk } },
      spec: { unschedulable },
    });
  const base = daemonSet();
  const { template } = base.spec;
  const picky = daemonSet({
    template: { ...template, spec: { ...template.spec, nodeSelector: { disk: "ssd" } } },
  });
  const nodes = [labelled("n0", "ssd"), labelled("n1", "hdd"), labelled("n2", "ssd", true)];
  const run = running(picky, nodes);
  run.sim.run(seconds(5));
  expect(run.where()).toEqual(["n0", "n2"]);
  run.hand.patch("Node", "/n0", (stored) => ({
    ...stored,
    metadata: { ...stored.metadata, labels: { ...stored.metadata.labels, disk: "hdd" } },
  }));
  run.sim.run(seconds(10));
  expect(run.where()).toEqual(["n2"]);
});

describe("an update", () => {
  const update = (change: Partial<DaemonSet["spec"]>, nodes = 5) => {
    const run = running(daemonSet(change), nodes);
    run.sim.run(seconds(5));
    run.counts.length = 0;
    run.at(seconds(6), () => setImage(run.hand, "DaemonSet", "default/agent", null, "new"));
    return run;
  };
  const allNew = (run: ReturnType<typeof update>): boolean =>
    run.list("Pod").length === 5 &&
    run.list("Pod").every(({ spec }) => spec.containers[0]!.image === "new");

  test.each([
    [1, 4],
    [2, 3],
    // Rounds up (updatedDesiredNodeCounts).
    ["30%", 3],
  ])(
    "with maxUnavailable %s at least %i of 5 are ready, and never two on a node",
    (most, fewest) => {
      // Broken on purpose: candidates taken without counting the nodes that lack a pod.
      const run = update({ maxUnavailable: most });
      run.sim.run(seconds(60));
      expect(Math.min(...run.counts.map(({ ready }) => ready))).toBe(fewest);
      expect(Math.max(...run.counts.map(({ live }) => live))).toBe(5);
      expect(allNew(run)).toBe(true);
      expect(run.set().status.updatedNumberScheduled).toBe(5);
    },
  );

  test("with maxSurge 2 never fewer than 5 are ready, and at most 7 are there", () => {
    // Broken on purpose: the old pod deleted before its successor is available.
    const run = update({ maxSurge: 2, maxUnavailable: 0 });
    run.sim.run(seconds(60));
    expect(Math.min(...run.counts.map(({ ready }) => ready))).toBe(5);
    expect(Math.max(...run.counts.map(({ live }) => live))).toBe(7);
    expect(allNew(run)).toBe(true);
  });

  test("OnDelete replaces what somebody deletes", () => {
    const run = update({ updateStrategy: "OnDelete" });
    run.sim.run(seconds(30));
    expect(run.told).toEqual([]);
  });
});

test("a failed pod is deleted and made anew after 1, 2, 4 ... s (failedPodsBackoff)", () => {
  const run = running(daemonSet(), 1, { readyNs: () => null });
  const times: number[] = [];
  for (let i = 0; i < 200; i++) {
    run.at(ms(100 * i), () => {
      const [pod] = run.list("Pod");
      if (pod === undefined || pod.spec.nodeName === null || pod.status.phase === "Failed") return;
      times.push(run.sim.nowNs);
      run.hand.patch("Pod", `default/${pod.metadata.name}`, (stored) => ({
        ...stored,
        status: { ...stored.status, phase: "Failed" },
      }));
    });
  }
  run.sim.run(seconds(20));
  const gaps = times.slice(1).map((atNs, i) => Math.round((atNs - times[i]!) / seconds(0.5)) / 2);
  expect(gaps.slice(0, 5)).toEqual([0, 1, 2, 4, 8]);
});
