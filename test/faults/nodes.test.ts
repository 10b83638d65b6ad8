/** Faults of nodes and zones, as a scenario asks for them: what each leads to by itself. */
import { describe, expect, test } from "vitest";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { outcomes, runFaults as run } from "../helpers/fault-run.ts";
import { mistakesIn, webManifest } from "../scenario/files.ts";

describe("crashNode", () => {
  test("its pods are silent; they come back with new addresses when the node boots", async () => {
    // Broken on purpose: the kubelet boots and the pods keep their sandboxes.
    const { ended, web, at, finish } = await run(
      'crashNode({ nodes: "node-3", at: "5s", for: "10s" })',
    );
    at(4);
    const before = web().find(({ spec }) => spec.nodeName === "node-3")!;
    finish();
    expect(outcomes(ended, 0, 4.4)).toEqual(["served"]);
    // A quarter of the connections meet nobody.
    expect(outcomes(ended, 5, 14)).toEqual(["served", "timeout"]);
    const after = web().find(({ metadata }) => metadata.uid === before.metadata.uid)!;
    expect(after.status.ready.status).toBe(true);
    expect(after.status.podIPs).not.toEqual(before.status.podIPs);
    expect(outcomes(ended, 30, 40)).toEqual(["served"]);
  });

  test("the client's own node: it is silent itself, and its rules are there again after the boot", async () => {
    const { ended, finish } = await run('crashNode({ nodes: "node-1", at: "5s", for: "5s" })');
    finish();
    expect(ended.filter(({ endS }) => endS > 5 && endS < 10)).toEqual([]);
    expect(outcomes(ended, 20, 39)).toEqual(["served"]);
  });

  test("by workload: a node that runs a pod of it when the time has come", async () => {
    // Broken on purpose: the pods were not asked for, and the first node crashed, or was drained.
    const fault = 'crashNode({ workload: "deploy/web", at: "3s", for: "1s" })';
    const one = await run(fault, "6s", webManifest({ replicas: 1 }));
    one.finish();
    const [pod] = one.web();
    const began = ({ events }: typeof one) => events.filter((each) => each.includes("fault_began"));
    expect(began(one)).toEqual([`3 fault_began node/${pod!.spec.nodeName} crashNode`]);
    expect(pod!.spec.nodeName).not.toBe("node-1");
    const drained = await run(
      fault.replace("crashNode", "drain"),
      "6s",
      webManifest({ replicas: 1 }),
    );
    drained.finish();
    const events = drained.events.filter((each) => each.includes("node_drained"));
    expect(events).toEqual([expect.stringContaining(`node/${pod!.spec.nodeName} `)]);
    const many = await run('crashNode({ workload: "deploy/web", at: "1s" })', "2s");
    many.finish();
    expect(began(many)).toHaveLength(1);
  });
});

test("freezeNode: requests wait for it and are answered when it goes on; its pods are the same", async () => {
  const { ended, web, at, finish } = await run(
    'freezeNode({ nodes: "node-3", at: "5s", for: "3s" })',
    "20s",
  );
  at(4);
  const uids = web().map(({ metadata }) => metadata.uid);
  finish();
  expect(outcomes(ended, 5, 7)).toEqual(["served", "timeout"]);
  expect(outcomes(ended, 8.1, 19)).toEqual(["served"]);
  expect(web().map(({ metadata }) => metadata.uid)).toEqual(uids);
  expect(web().every(({ status }) => status.restartCount === 0)).toBe(true);
});

test("freezeNode: what has come over kube-proxy's watch meanwhile is read when it goes on", async () => {
  // Broken on purpose: read as it came, with the sync waiting alone.
  const { tracked, finish } = await run(
    'freezeNode({ nodes: "node-2", at: "5s", for: "4s" }), resetPods({ selector: "app=web", count: 1, how: "kill", at: "6s" })',
    "20s",
  );
  finish();
  const removal = tracked.filter(({ deliveredS }) => deliveredS > 6 && deliveredS < 6.5);
  expect(removal.map(({ node }) => node).toSorted()).toEqual([
    "node-1",
    "node-2",
    "node-3",
    "node-4",
  ]);
  for (const { node, deliveredS, trackedS } of removal) {
    expect(trackedS).toBe(node === "node-2" ? 9 : deliveredS);
  }
});

test("zoneOutage: power takes the zone's nodes, network only what leads out of it", async () => {
  const power = await run('zoneOutage({ zone: "zone-2", at: "5s", for: "5s" })', "20s");
  power.finish();
  expect(outcomes(power.ended, 5, 9)).toEqual(["served", "timeout"]);
  const network = await run(
    'zoneOutage({ zone: "zone-2", how: "network", at: "5s", for: "5s" })',
    "20s",
  );
  network.at(9);
  expect(network.compiled.cluster.api.list("Pod")).toBeDefined();
  network.finish();
  expect(outcomes(network.ended, 5, 9)).toEqual(["served", "timeout"]);
  expect(outcomes(network.ended, 10.6, 19)).toEqual(["served"]);
  expect(network.web().every(({ status }) => status.restartCount === 0)).toBe(true);
});

test("faults that overlap: over when the last of them is", async () => {
  const two =
    'crashNode({ nodes: "node-3", at: "5s", for: "10s" }), zoneOutage({ zone: "zone-1", at: "8s", for: "2s" })';
  const { compiled, at, finish } = await run(two, "20s");
  const host = compiled.transport.network.hosts.find(({ name }) => name === "node-3")!;
  at(11);
  expect(host.state).not.toBe(0);
  at(16);
  expect(host.state).toBe(0);
  finish();
});

test("mistakes are found together", async () => {
  const text = `import { apiOutage, crashNode, partitionApi, slowApi, zoneOutage } from "podstorm";
export default {
  duration: "10s",
  cluster: { nodes: 2, zones: 2 },
  faults: [
    crashNode({ nodes: "outside", at: "1s" }),
    zoneOutage({ zone: "zone-3", how: "water", at: "1s" }),
    partitionApi({ nodes: "node-1", components: [], at: "1s" }),
    slowApi({ factor: 0, at: "1s" }),
    apiOutage({ what: "etc", at: "1s" }),
    crashNode({ at: "1s" }),
    crashNode({ nodes: "node-1", workload: "deploy/web", at: "1s" }),
  ],
} as any;`;
  const nodes = "node-1, node-2, zone/zone-1, zone/zone-2";
  expect(await mistakesIn({ "scenario.ts": text }, { profile: defaultProfile })).toEqual([
    `scenario.ts:6:17 faults[0].nodes: no node outside; allowed: one of ${nodes}`,
    `scenario.ts:7:18 faults[1].zone: no node zone/zone-3; allowed: one of ${nodes} (did you mean zone/zone-1?)`,
    'scenario.ts:7:34 faults[1].how: "water"; allowed: "power", "network"',
    "scenario.ts:8:37 faults[2].components: []; allowed: a list of at least 1",
    "scenario.ts:9:15 faults[3].factor: 0; allowed: a number from 1 to 100000",
    'scenario.ts:10:17 faults[4].what: "etc"; allowed: "server", "process", "etcd" (did you mean "etcd"?)',
    "scenario.ts:11:5 faults[5]: neither nodes nor workload; allowed: one of the two",
    "scenario.ts:12:5 faults[6]: both nodes and workload; allowed: one of the two",
    `scenario.ts:12:34 faults[6].workload: no workload "deploy/web"; allowed: one of the manifests' workloads: there are none`,
  ]);
});
