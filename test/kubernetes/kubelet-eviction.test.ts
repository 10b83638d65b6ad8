/** Eviction under memory pressure. Facts: timings §1.7; pkg/kubelet/eviction/helpers.go rankMemoryPressure. */
import { describe, expect, test } from "vitest";
import { minutes, seconds } from "../../src/engine/index.ts";
import type { Pod } from "../../src/kubernetes/api/types.ts";
import { container, GIB, pod, unthrottled } from "../helpers/kube-objects.ts";
import { kubeletRig } from "../helpers/kubelet.ts";

interface Using {
  readonly name: string;
  readonly requestGiB?: number;
  readonly usesGiB: number;
  readonly priority?: number;
}

const podOf = ({ name, requestGiB = 0, priority = 0 }: Using): Pod => {
  const requests = { cpuMillis: 0, memoryBytes: requestGiB * GIB };
  return pod(name, { spec: { containers: [container({ requests })], priority } });
};

/** A node with 8 GiB allocatable, whose pods use so much from 0 s on. */
function rigOf(pods: readonly Using[]) {
  const use = new Map(pods.map(({ name, usesGiB }) => [name, usesGiB * GIB]));
  const started = (process: { name: string; alive: boolean; memoryBytes?: unknown }): void => {
    const [name] = process.name.split("/");
    process.memoryBytes = () => (process.alive ? use.get(name!)! : 0);
  };
  return { use, rig: kubeletRig({ withNode: true, countsMemory: true, started }, pods.map(podOf)) };
}

/** Names of the pods in the order in which they are told to go. */
const evicted = ({ rig }: ReturnType<typeof rigOf>): string[] =>
  rig.log
    .filter(({ what }) => what.startsWith("SIGTERM"))
    .map(({ what }) => what.split(" ")[1]!.split("/")[0]!);

describe("who goes", () => {
  test.each<[string, readonly Using[], readonly string[]]>([
    ["nobody while there is room", [{ name: "a", usesGiB: 7.9 }], []],
    [
      "first who is above its requests, and of those who is furthest above",
      [
        { name: "within", requestGiB: 4, usesGiB: 4 },
        { name: "above", requestGiB: 1, usesGiB: 2 },
        { name: "besteffort", usesGiB: 2.5 },
      ],
      ["besteffort"],
    ],
    [
      "priority before amount",
      [
        { name: "precious", usesGiB: 6, priority: 1000 },
        { name: "cheap", usesGiB: 2.5 },
      ],
      ["cheap"],
    ],
    [
      "who is within its requests goes after the others, whatever its priority",
      [
        { name: "above", usesGiB: 5, priority: 1000 },
        { name: "within", requestGiB: 4, usesGiB: 3.9 },
      ],
      ["above"],
    ],
    [
      "one after the other, until there is room",
      [
        { name: "a", usesGiB: 6 },
        { name: "b", usesGiB: 5 },
        { name: "c", usesGiB: 4 },
      ],
      ["a", "b"],
    ],
  ])("%s", (_what, pods, expected) => {
    // Broken on purpose: a ranking by priority and amount alone takes "within"; by amount alone, "precious".
    const rigged = rigOf(pods);
    rigged.rig.sim.run(minutes(2));
    expect(evicted(rigged)).toEqual(expected);
  });
});

test("the victim fails with reason Evicted, keeps its object, and does not come back", () => {
  const rigged = rigOf([{ name: "a", usesGiB: 9 }]);
  rigged.rig.sim.run(minutes(2));
  const { api, times } = rigged.rig;
  const stored = api.watch("Pod", { watcher: "look", handlers: {} }).get("default/a")!;
  expect(stored.status).toMatchObject({ reason: "Evicted", ready: { status: false } });
  expect(["Succeeded", "Failed"]).toContain(stored.status.phase);
  expect(times("start")).toHaveLength(1);
});

describe("a node under pressure turns pods away (Admit)", () => {
  const arriving = (name: string, change: Partial<Pod["spec"]> = {}): Pod =>
    pod(name, {
      spec: { ...change },
      status: {
        phase: "Pending",
        podIPs: [],
        ready: { status: false, lastTransitionTimeNs: 0 },
      },
    });
  const requests = { cpuMillis: 100, memoryBytes: 0 };
  const bears = {
    key: "node.kubernetes.io/memory-pressure",
    operator: "Exists",
    value: "",
    effect: null,
    tolerationNs: null,
  } as const;

  test.each<[string, Pod, boolean]>([
    ["one that asks for nothing", arriving("b"), false],
    ["not one that asks for CPU", arriving("b", { containers: [container({ requests })] }), true],
    ["not one that bears the taint", arriving("b", { tolerations: [bears] }), true],
    ["not a critical one", arriving("b", { priority: 2_000_001_000 }), true],
  ])("%s", (_what, which, isTaken) => {
    // Broken on purpose: all are admitted.
    const { rig } = rigOf([{ name: "a", usesGiB: 9 }]);
    rig.sim.run(minutes(1));
    const hand = rig.api.client(unthrottled);
    hand.create("Pod", which);
    rig.sim.run(minutes(2));
    const { status } = [...rig.api.list("Pod")].find(({ metadata }) => metadata.name === "b")!;
    expect([status.phase, status.reason]).toEqual(
      isTaken ? ["Running", undefined] : ["Failed", "Evicted"],
    );
    expect(rig.times("start").length).toBe(isTaken ? 2 : 1);
  });
});

test("MemoryPressure comes with the shortage and lasts 5 min longer", () => {
  const { rig, use } = rigOf([{ name: "a", usesGiB: 9 }]);
  rig.sim.run(minutes(8));
  expect(use.get("a")).toBe(9 * GIB);
  const states = rig.log.filter(({ what }) => what.startsWith("node "));
  expect(states.map(({ what }) => what)).toEqual(["node ready pressure", "node ready"]);
  const lastedNs = states[1]!.atNs - states[0]!.atNs;
  expect(lastedNs).toBeGreaterThanOrEqual(minutes(5));
  expect(lastedNs).toBeLessThanOrEqual(minutes(5) + seconds(30));
});
