/**
 * Nodes that fall silent: when that is noticed, what becomes of their pods, and how fast. Facts: timings §3, §5;
 * pkg/controller/nodelifecycle, tainteviction, podgc.
 */
import { describe, expect, test } from "vitest";
import { ms, Phase, seconds, Simulation } from "../../src/engine/index.ts";
import { SimulatedApiServer } from "../../src/kubernetes/api/server.ts";
import {
  toleratedNs,
  tolerationsOf,
  type Taint,
  type Toleration,
} from "../../src/kubernetes/api/taints.ts";
import {
  NODE_LEASE_NAMESPACE,
  ZONE_LABEL,
  type Kind,
  type Lease,
  type Node,
  type Pod,
} from "../../src/kubernetes/api/types.ts";
import { SharedInformers } from "../../src/kubernetes/controllers/contract.ts";
import { NodeLifecycleController } from "../../src/kubernetes/controllers/nodeLifecycle.ts";
import { disruptedPaces, zoneStates } from "../../src/kubernetes/controllers/nodeZones.ts";
import { PodGCController } from "../../src/kubernetes/controllers/podGC.ts";
import { newMeta } from "../../src/kubernetes/controllers/pods.ts";
import { controllerManagerProfile } from "../../src/kubernetes/controllers/profile.ts";
import { TaintEvictionController } from "../../src/kubernetes/controllers/taintEviction.ts";
import { exactApi, node, pendingPod, pod, unthrottled } from "../helpers/kube-objects.ts";

const SECOND = seconds(1);
const { nodeLifecycle } = controllerManagerProfile;

const leaseOf = (name: string, renewTimeNs: number): Lease => ({
  kind: "Lease",
  metadata: newMeta(NODE_LEASE_NAMESPACE, name),
  spec: { holderIdentity: name, renewTimeNs, leaseDurationNs: seconds(40) },
});

/** The controllers over nodes that renew each 10 s until their time comes. */
function running(
  nodes: readonly Node[],
  pods: readonly Pod[],
  silentFromS: Record<string, number> = {},
) {
  const sim = new Simulation({ seed: "nodes" });
  const log: { atS: number; what: string }[] = [];
  const api = new SimulatedApiServer(sim, exactApi, (kind, previous, object) => {
    const what = describeChange(kind, previous as never, object as never);
    if (what !== null) log.push({ atS: sim.nowNs / SECOND, what });
  });
  for (const each of nodes) {
    api.preload("Node", each);
    api.preload("Lease", leaseOf(each.metadata.name, 0));
  }
  for (const each of pods) api.preload("Pod", each);
  const informers = new SharedInformers(api, "kcm");
  for (const each of [
    new NodeLifecycleController(),
    new TaintEvictionController(),
    new PodGCController(),
  ]) {
    const client = api.client({ name: each.name, qps: 20, burst: 30, user: "system:masters" });
    each.start({ sim, profile: controllerManagerProfile, client, informers });
  }
  const hand = api.client(unthrottled);
  for (const { metadata } of nodes) {
    const renew = (): void => {
      if (sim.nowNs / SECOND < (silentFromS[metadata.name] ?? Infinity)) {
        hand.patch("Lease", `${NODE_LEASE_NAMESPACE}/${metadata.name}`, (each) => ({
          ...each,
          spec: { ...each.spec, renewTimeNs: sim.nowNs },
        }));
      }
      sim.callAfter(seconds(10), Phase.start, renew);
    };
    renew();
  }
  return { sim, api, hand, log };
}

function describeChange(
  kind: Kind,
  previous: Node | Pod | null,
  object: Node | Pod | null,
): string | null {
  if (kind === "Pod") {
    const { name } = (object ?? previous)!.metadata;
    if (object === null) return `${name} gone`;
    if (previous === null) return null;
    const [was, is] = [previous, object] as Pod[];
    if (is!.metadata.deletionTimestampNs !== null && was!.metadata.deletionTimestampNs === null) {
      return `${name} told to go`;
    }
    return was!.status.ready.status && !is!.status.ready.status ? `${name} not ready` : null;
  }
  if (kind !== "Node" || object === null || previous === null) return null;
  const [was, is] = [previous, object] as Node[];
  const { name } = is!.metadata;
  if (is!.status.ready.unknown === true && was!.status.ready.unknown !== true)
    return `${name} unknown`;
  const keys = ({ spec }: Node): string =>
    (spec.taints ?? []).map(({ key, effect }) => `${key.split("/")[1]}:${effect}`).join(" ");
  return keys(was!) === keys(is!) ? null : `${name} ${keys(is!) || "untainted"}`;
}

const three = ["n0", "n1", "n2"].map((name) => node(name));
const at = (log: readonly { atS: number; what: string }[], what: string): number =>
  log.find((each) => each.what === what)?.atS ?? Infinity;
const onNode = (name: string, where: string): Pod => pod(name, { spec: { nodeName: where } });

describe("a node that stops renewing", () => {
  const pods = [onNode("a", "n0"), onNode("bb", "n0"), onNode("ccc", "n1")];

  test("is unknown 50 s after the last renewal was seen, at the next look of 5 s", () => {
    // Renewed for the last time at 100 s, which the look at 105 s sees.
    const { sim, log } = running(three, pods, { n0: 101 });
    sim.run(seconds(400));
    expect(at(log, "n0 unknown")).toBeGreaterThan(155);
    expect(at(log, "n0 unknown")).toBeLessThan(155.1);
    expect(log.filter(({ what }) => what.startsWith("n1") || what.startsWith("ccc"))).toEqual([]);
  });

  test("its pods are marked not ready at once, one after the other", () => {
    const { sim, log } = running(three, pods, { n0: 101 });
    sim.run(seconds(200));
    const [first, second] = [at(log, "a not ready"), at(log, "bb not ready")];
    expect(first - at(log, "n0 unknown")).toBeLessThan(0.05);
    // A write and its answer in between.
    expect(second - first).toBeCloseTo(0.0104, 4);
  });

  test("its taints: NoSchedule at once, NoExecute within 100 ms; pods go 300 s later", () => {
    // Broken on purpose: without the default tolerations they go with the taint.
    const { sim, log } = running(three, pods, { n0: 101 });
    sim.run(seconds(500));
    const unknownS = at(log, "n0 unknown");
    expect(at(log, "n0 unreachable:NoSchedule") - unknownS).toBeLessThan(0.1);
    const executeS = at(log, "n0 unreachable:NoSchedule unreachable:NoExecute");
    // Queued at the look after the one that found it silent, or at that one.
    expect(executeS - unknownS).toBeLessThan(5.2);
    for (const name of ["a", "bb"]) {
      expect(at(log, `${name} told to go`) - executeS).toBeGreaterThan(300);
      expect(at(log, `${name} told to go`) - executeS).toBeLessThan(300.1);
    }
  });

  test("that comes back in time keeps its pods", () => {
    const { sim, log, hand } = running(three, pods, { n0: 101 });
    const back = (): void =>
      hand.patch("Node", "/n0", (each) => ({
        ...each,
        status: { ...each.status, ready: { status: true, lastTransitionTimeNs: sim.nowNs } },
      }));
    sim.callAt(seconds(250), Phase.start, () => {
      back();
      hand.patch("Lease", `${NODE_LEASE_NAMESPACE}/n0`, (each) => ({
        ...each,
        spec: { ...each.spec, renewTimeNs: sim.nowNs },
      }));
    });
    sim.run(seconds(290));
    expect(at(log, "n0 untainted")).toBeLessThan(256);
    expect(log.filter(({ what }) => what.endsWith("told to go"))).toEqual([]);
  });

  test("100 pods wait for the controller's one bucket: 30 at once, then 20 a second", () => {
    const many = Array.from({ length: 100 }, (_, i) => onNode("p".repeat(i + 1), "n0"));
    const { sim, log } = running(three, many, { n0: 101 });
    sim.run(seconds(200));
    const times = log.filter(({ what }) => what.endsWith("not ready")).map(({ atS }) => atS);
    expect(times).toHaveLength(100);
    const tookS = times.at(-1)! - times[0]!;
    // Each pod costs a status and an Event. About 28 tokens were left and some came back meanwhile: 172 at 20 a second.
    expect(tookS).toBeGreaterThan(8.1);
    expect(tookS).toBeLessThan(8.7);
  });
});

describe("zones (ComputeZoneState, ReducedQPSFunc)", () => {
  const zone = (name: string, count: number): Node[] =>
    Array.from({ length: count }, (_, i) =>
      node(`${name}${i}`, { metadata: { labels: { [ZONE_LABEL]: name } } }),
    );

  test.each([
    [10, 2, "normal", 0.1],
    // Two nodes are never a partial disruption, whatever their share; all of them are a full one.
    [3, 2, "normal", 0.1],
    [5, 3, "partial", 0],
    [6, 3, "normal", 0.1],
    [60, 40, "partial", 0.01],
    [50, 40, "partial", 0],
    [4, 4, "full", 0.1],
  ])("of %i nodes %i dead: %s, %f a second", (count, dead, state, pace) => {
    const gone = new Set(zone("z", dead).map(({ metadata }) => metadata.name));
    const states = zoneStates(zone("z", count), (name) => !gone.has(name));
    expect(states.get("z")!.state).toBe(state);
    expect(disruptedPaces(states, nodeLifecycle)).toEqual([["z", pace]]);
  });

  test("nodes of one zone are tainted one each 10 s", () => {
    const ten = zone("a", 10);
    const { sim, log } = running(ten, [], { a0: 101, a1: 101, a2: 101 });
    sim.run(seconds(300));
    const times = log.filter(({ what }) => what.includes("NoExecute")).map(({ atS }) => atS);
    expect(times).toHaveLength(3);
    expect(times[1]! - times[0]!).toBeCloseTo(10, 0);
    expect(times[2]! - times[1]!).toBeCloseTo(10, 0);
  });

  test("with all zones dark nobody is evicted, though pods are marked not ready", () => {
    // Broken on purpose: with `all` always false the nodes are tainted.
    const nodes = [...zone("a", 2), ...zone("b", 2)];
    const dark = Object.fromEntries(nodes.map(({ metadata }) => [metadata.name, 101]));
    const { sim, log } = running(nodes, [onNode("p", "a0")], dark);
    sim.run(seconds(700));
    expect(log.filter(({ what }) => what.endsWith("unknown"))).toHaveLength(4);
    expect(log.filter(({ what }) => what.includes("NoExecute") || what.endsWith("go"))).toEqual([]);
    expect(at(log, "p not ready")).toBeLessThan(160);
  });
});

test("a node under memory pressure gets its NoSchedule taint at once, and loses it with the condition", () => {
  // Broken on purpose: the condition not looked at.
  const { sim, log, hand } = running(three, []);
  const pressure = (atS: number, memoryPressure: boolean): void =>
    void sim.callAt(seconds(atS), Phase.start, () =>
      hand.patch("Node", "/n1", (each) => ({
        ...each,
        status: { ...each.status, memoryPressure },
      })),
    );
  pressure(100, true);
  pressure(200, false);
  sim.run(seconds(300));
  expect(log.map(({ what }) => what)).toEqual(["n1 memory-pressure:NoSchedule", "n1 untainted"]);
  expect(at(log, "n1 memory-pressure:NoSchedule")).toBeLessThan(100.05);
  expect(at(log, "n1 untainted")).toBeLessThan(200.05);
});

describe("tolerations of NoExecute taints", () => {
  const taint = (key: string): Taint => ({ key, value: "", effect: "NoExecute", timeAddedNs: 0 });
  const bearing = (key: string, tolerationNs: number | null): Toleration => ({
    key,
    operator: "Exists",
    value: "",
    effect: "NoExecute",
    tolerationNs,
  });
  const unreachable = "node.kubernetes.io/unreachable";

  test.each<[string, Toleration[], string[], number | null]>([
    ["none of its own: 300 s of unreachable", [], [unreachable], seconds(300)],
    ["none of another taint", [], ["mine"], 0],
    ["its own seconds", [bearing(unreachable, seconds(7))], [unreachable], seconds(7)],
    ["for ever", [bearing(unreachable, null)], [unreachable], null],
    ["the shortest of several", [bearing("mine", seconds(9))], [unreachable, "mine"], seconds(9)],
  ])("%s", (_what, own, keys, expected) => {
    expect(toleratedNs(tolerationsOf(own), keys.map(taint))).toBe(expected);
  });

  test("a taint by hand drives out who does not bear it, at once", () => {
    const { sim, hand, log } = running(three, [onNode("a", "n0")]);
    sim.callAt(seconds(10), Phase.start, () =>
      hand.patch("Node", "/n0", (each) => ({
        ...each,
        spec: { ...each.spec, taints: [taint("mine")] },
      })),
    );
    sim.run(seconds(12));
    expect(at(log, "a told to go")).toBeCloseTo(10.03, 1);
  });
});

describe("pod garbage collection", () => {
  test("pods of a node that is no more are removed at a round of 20 s, after 40 s of quarantine", () => {
    // The node goes at 25 s: looked at 40, 60 and 80 s.
    const { sim, hand, log } = running(three, [onNode("a", "n0"), onNode("bb", "n1")]);
    sim.callAt(seconds(25), Phase.start, () => hand.delete("Node", "/n0", {}));
    sim.run(seconds(200));
    expect(log.filter(({ what }) => what.endsWith("gone")).map(({ what }) => what)).toEqual([
      "a gone",
    ]);
    expect(at(log, "a gone")).toBeCloseTo(80 + ms(20.8) / SECOND, 2);
  });

  test("a terminating pod that never had a node is removed", () => {
    const stuck = pendingPod("stuck", {
      metadata: { deletionTimestampNs: 1, deletionGracePeriodNs: seconds(30) },
    });
    const { sim, log } = running(three, [stuck]);
    sim.run(seconds(30));
    expect(at(log, "stuck gone")).toBeCloseTo(20.02, 1);
  });
});
