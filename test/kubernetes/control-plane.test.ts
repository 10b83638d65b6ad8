/**
 * Rules of the control plane that a reading of it against its sources put in doubt. Each test states one.
 */
import { describe, expect, test } from "vitest";
import { Phase, seconds, Simulation } from "../../src/engine/index.ts";
import { SimulatedApiServer } from "../../src/kubernetes/api/server.ts";
import { SharedInformers } from "../../src/kubernetes/controllers/contract.ts";
import { EndpointSliceController } from "../../src/kubernetes/controllers/endpointslice.ts";
import { controllerManagerProfile } from "../../src/kubernetes/controllers/profile.ts";
import { reconcileSlices } from "../../src/kubernetes/controllers/endpointReconcile.ts";
import { compareVictims } from "../../src/kubernetes/controllers/pods.ts";
import { ChangeLedger } from "../../src/kubernetes/ledger.ts";
import { createObservations } from "../../src/observe/observations.ts";
import { apiServerProfile } from "../../src/kubernetes/api/profile.ts";
import { schedulerProfile } from "../../src/kubernetes/scheduler/profile.ts";
import { Scheduler } from "../../src/kubernetes/scheduler/scheduler.ts";
import { node, pendingPod, pod, service } from "../helpers/kube-objects.ts";
import { scoresOf, tableOf } from "../helpers/scheduler-plugins.ts";

const commitOf = (withOther: boolean): number => {
  const sim = new Simulation({ seed: "s" });
  const api = new SimulatedApiServer(sim, apiServerProfile);
  const other = api.client({ name: "other", qps: 20, burst: 30 });
  const own = api.client({ name: "own", qps: 20, burst: 30 });
  if (withOther) other.create("Service", service());
  let doneNs = -1;
  own.create("Node", node("n"), () => (doneNs = sim.nowNs));
  sim.run(seconds(1));
  return doneNs;
};

type SliceListener = (previous: unknown, now: unknown) => void;

/** The EndpointSlice controller beside a Service of 6 pods at rest, 2 endpoints to a slice. */
function slicesRun() {
  const sim = new Simulation({ seed: "s" });
  const slices: SliceListener[] = [];
  const api = new SimulatedApiServer(sim, apiServerProfile, (kind, previous, now) => {
    if (kind === "EndpointSlice") for (const listener of slices) listener(previous, now);
  });
  api.preload("Service", service());
  const pods = ["a", "bb", "ccc", "dddd", "eeeee", "ffffff"].map((name) =>
    api.preload("Pod", pod(name)),
  );
  let names = 0;
  for (const slice of reconcileSlices(service(), pods, [], 2, () => `web-${names++}`).create) {
    api.preload("EndpointSlice", slice);
  }
  const profile = {
    ...controllerManagerProfile,
    endpointSlice: { ...controllerManagerProfile.endpointSlice, maxEndpointsPerSlice: 2 },
  };
  const client = api.client({ name: "endpointslice-controller", qps: 20, burst: 30 });
  const informers = new SharedInformers(api, "kcm");
  new EndpointSliceController().start({ sim, profile, client, informers }, true);
  informers.synced();
  return { sim, api, slices };
}

describe("EndpointSlice reconciliation (k8s.io/endpointslice reconciler.go)", () => {
  let names = 0;
  const nextName = (): string => `web-${names++}`;

  test("a slice to delete and one to create become one update (finalize)", () => {
    const old = reconcileSlices(service(), [pod("a")], [], 100, nextName).create;
    const moved = service({
      ports: [{ name: null, protocol: "TCP", port: 80, targetPort: 8080, nodePort: null }],
    });
    const changes = reconcileSlices(moved, [pod("a")], old, 100, nextName);
    expect([changes.create.length, changes.update.length, changes.delete.length]).toEqual([
      0, 1, 0,
    ]);
  });

  test("a Service without endpoints and without slices gets its placeholder", () => {
    expect(reconcileSlices(service(), [], [], 100, nextName).create).toHaveLength(1);
  });

  test("an endpoint of a refreshed slice keeps its place and nothing is written without a change", () => {
    const pods = [pod("a"), pod("bb"), pod("ccc")];
    const slices = reconcileSlices(service(), pods, [], 2, nextName).create;
    const again = reconcileSlices(service(), pods, slices, 2, nextName);
    expect([again.create, again.update, again.delete]).toEqual([[], [], []]);
  });
});

describe("API server", () => {
  test("a write of one client moves no draw of another (design: an idle component moves nothing)", () => {
    expect(commitOf(true)).toBe(commitOf(false));
  });
});

describe("Controllers at work", () => {
  test("slices are written one after another: creates, then updates, then deletes (finalize)", () => {
    const { sim, api, slices } = slicesRun();
    const commits: string[] = [];
    slices.push((previous, now) =>
      commits.push(previous === null ? "create" : now === null ? "delete" : "update"),
    );
    // A second port moves every endpoint to another group: 3 slices go, 3 come.
    const ports = [
      { name: null, protocol: "TCP", port: 80, targetPort: 8080, nodePort: null },
    ] as const;
    const user = api.client({ name: "user", qps: 1000, burst: 1000 });
    user.patch("Service", "default/web", (stored) => ({
      ...stored,
      spec: { ...stored.spec, ports },
    }));
    sim.run(seconds(20));
    const firstDelete = commits.indexOf("delete");
    const lastCreate = commits.lastIndexOf("create");
    if (firstDelete >= 0) expect(firstDelete).toBeGreaterThan(lastCreate);
    else expect(commits).toEqual(["update", "update", "update"]);
  });
});

describe("Victims (controller_utils.go ActivePodsWithRanks)", () => {
  test("equally old by the power of two, the uid decides, before restarts do", () => {
    // Ready 10 s and 11 s ago: 1e10 and 1.1e10 ns both lie in [2^33, 2^34).
    const a = pod("a", {
      status: { ready: { status: true, lastTransitionTimeNs: seconds(90) }, restartCount: 0 },
    });
    const b = pod("b", {
      status: { ready: { status: true, lastTransitionTimeNs: seconds(89) }, restartCount: 5 },
    });
    expect(compareVictims(new Map(), seconds(100))(a, b)).toBeLessThan(0);
  });
});

describe("Scheduler", () => {
  test("spread over hostnames scores with log(n + 2) and maxSkew (podtopologyspread/scoring.go)", () => {
    const owned = pod("a", { metadata: { ownerUid: "set" }, spec: { nodeName: "n0" } });
    const nodes = tableOf([node("n0"), node("n1"), node("n2")], [owned]);
    const scores = scoresOf("podTopologySpread", owned, nodes);
    // ln 5 = 1.609: 1 x 1.609 + 2 = 3.6 -> 4 and 0 + 2 = 2; then 100 x (4 + 2 - s) / 4 = 50 and 100.
    expect(scores).toEqual([50, 100, 100]);
  });

  test("a pod without requests counts as 100m and 200 MiB when nodes are scored (NonZeroRequested)", () => {
    // Four such pods on n0: it must score below an empty n1.
    const running = ["a", "b", "c", "d"].map((name) => pod(name, { spec: { nodeName: "n0" } }));
    const nodes = tableOf([node("n0"), node("n1")], running);
    const scores = scoresOf("leastAllocated", pod("new"), nodes);
    expect(scores![0]!).toBeLessThan(scores![1]!);
  });

  test("a pod seen again while its bind is under way is not placed twice", () => {
    const sim = new Simulation({ seed: "s" });
    const api = new SimulatedApiServer(sim, apiServerProfile);
    for (const name of ["n0", "n1", "n2"]) {
      api.preload("Node", node(name, { allocatable: { maxPods: 1 } }));
    }
    for (const name of ["a", "bb"]) api.preload("Pod", pendingPod(name));
    // One bind a second: that of "bb" waits a second for its token, as the 101st of a cold start does.
    void new Scheduler(sim, api, { ...schedulerProfile, clientQps: 1, clientBurst: 1 });
    const user = api.client({ name: "user", qps: 1000, burst: 1000 });
    user.patch("Pod", "default/bb", (stored) => ({
      ...stored,
      metadata: { ...stored.metadata, annotations: { seen: "again" } },
    }));
    sim.callAt(seconds(5), Phase.start, () => user.create("Pod", pendingPod("ccc")));
    sim.run(seconds(60));
    const bound = [...api.watch("Pod", { watcher: "test", handlers: {} }).values()];
    // Three nodes with one place each: the third pod gets the third node.
    expect(bound.map(({ spec }) => spec.nodeName).toSorted()).toEqual(["n0", "n1", "n2"]);
  });
});

describe("The book of changes", () => {
  test("publishNotReadyAddresses: a new pod's endpoint is a change, and so is its removal", () => {
    const seen: string[] = [];
    const ledger = new ChangeLedger(
      createObservations([{ endpointChanged: (_id, _s, _e, change) => seen.push(change) }]),
    );
    ledger.addService(service({ publishNotReadyAddresses: true }));
    ledger.readiness(pod("a"), true, 1);
    ledger.deleted(pod("a"), 2);
    expect(seen).toEqual(["added", "removed"]);
  });
});
