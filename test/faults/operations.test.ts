/** What users do with kubectl, as a scenario's faults: scale, rollouts, cordon, drain, eviction. */
import { describe, expect, test } from "vitest";
import type { Pod } from "../../src/kubernetes/api/types.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { runFaults as run } from "../helpers/fault-run.ts";
import { mistakesIn, webManifest } from "../scenario/files.ts";

/** At least three of the four pods have to stay healthy. */
const withBudget = `${webManifest({ replicas: 4 })}---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: web }
spec:
  minAvailable: 3
  selector: { matchLabels: { app: web } }
`;

const uids = (pods: readonly Pod[]): string[] => pods.map(({ metadata }) => metadata.uid).sort();
const images = (pods: readonly Pod[]): string[] => [
  ...new Set(pods.map(({ spec }) => spec.containers[0]!.image)),
];

test("scale: to another number, and back at its end", async () => {
  const { web, at, events, finish } = await run(
    'scale({ workload: "deploy/web", replicas: 6, at: "5s", for: "15s" })',
  );
  at(15);
  expect(web().length).toBe(6);
  finish();
  expect(web().filter(({ metadata }) => metadata.deletionTimestampNs === null).length).toBe(4);
  expect(events.filter((event) => event.includes(" fault_"))).toEqual([
    "5 fault_began deploy/web scale",
    "20 fault_ended deploy/web scale",
  ]);
});

test("scale while the API server is away: kubectl gives up, the results say so, and nothing is scaled", async () => {
  // Broken on purpose: with nobody to hear the server's answer there is no event.
  const { web, events, finish } = await run(
    'apiOutage({ at: "4s", for: "100s" }), scale({ workload: "deploy/web", replicas: 6, at: "5s" })',
    "150s",
  );
  finish();
  expect(web().length).toBe(4);
  expect(
    events.filter((event) => event.includes("fault_refused")).map((e) => e.slice(e.indexOf(" "))),
  ).toEqual([" fault_refused deploy/web scale: Timeout"]);
});

describe("rollouts", () => {
  test("rolloutRestart: every pod is another one afterwards", async () => {
    const { web, at, finish } = await run(
      'rolloutRestart({ workload: "deploy/web", at: "5s" })',
      "60s",
    );
    at(4);
    const before = uids(web());
    finish();
    expect(web().length).toBe(4);
    expect(uids(web()).filter((uid) => before.includes(uid))).toEqual([]);
  });

  test("setImage and rolloutUndo: a new template, and the old one again", async () => {
    const faults =
      'setImage({ workload: "deploy/web", image: "web:2", at: "5s" }), rolloutUndo({ workload: "deploy/web", at: "50s" })';
    const { web, at, events, finish } = await run(faults, "100s");
    at(49);
    expect(images(web())).toEqual(["web:2"]);
    finish();
    expect(images(web())).toEqual(["web"]);
    expect(events.some((event) => event.includes("fault_refused"))).toBe(false);
  });

  test("rolloutUndo without an earlier revision is refused, and says so", async () => {
    const { events, finish } = await run(
      'rolloutUndo({ workload: "deploy/web", at: "5s" })',
      "10s",
    );
    finish();
    expect(events).toContain("5 fault_refused deploy/web rolloutUndo: NoSuchRevision");
  });
});

test("cordon: no new pod comes to the node until it is over", async () => {
  const faults =
    'cordon({ nodes: ["node-1", "node-2", "node-3"], at: "5s", for: "20s" }), scale({ workload: "deploy/web", replicas: 8, at: "6s" })';
  const { web, compiled, at, finish } = await run(faults);
  at(20);
  const fresh = web().filter(({ metadata }) => metadata.creationTimestampNs > 0);
  expect(fresh.map(({ spec }) => spec.nodeName)).toEqual(["node-4", "node-4", "node-4", "node-4"]);
  finish();
  const nodes = [...compiled.cluster.api.list("Node")];
  expect(nodes.every(({ spec }) => !spec.unschedulable)).toBe(true);
});

describe("labelNodes", () => {
  const zone = "topology.kubernetes.io/zone";
  const prefers = webManifest({
    replicas: 4,
    service: "\n  trafficDistribution: PreferClose",
  });

  // Broken on purpose: a kube-proxy that knows only the zone that its node had at the beginning.
  test("a node in another zone: its kube-proxy sends to that zone's pods, until it is as it was", async () => {
    const { compiled, at, events, finish } = await run(
      `labelNodes({ nodes: "node-1", labels: { "${zone}": "zone-2", rack: "7" }, at: "5s", for: "20s" })`,
      "40s",
      prefers,
    );
    const { network } = compiled.transport;
    const nodesOfEndpoints = (): (string | undefined)[] => {
      const service = [...compiled.cluster.api.list("Service")].find(
        ({ metadata }) => metadata.name === "web",
      );
      const address = network.addresses.intern(service!.spec.clusterIP);
      const rules = compiled.cluster.proxies[0]!.of(4)!.table.atAddress(address, 6, 8080)!.rules;
      const pods = [...compiled.cluster.api.list("Pod")];
      return rules
        .cluster!.map(
          ({ text }) =>
            pods.find(({ status }) => text.startsWith(`${status.podIPs[0]}:`))?.spec.nodeName ??
            undefined,
        )
        .toSorted();
    };
    const labelsOf = () =>
      [...compiled.cluster.api.list("Node")].find(({ metadata }) => metadata.name === "node-1")!
        .metadata.labels;
    const before = labelsOf();
    const first = nodesOfEndpoints();
    at(24);
    expect(labelsOf()).toMatchObject({ [zone]: "zone-2", rack: "7" });
    const meanwhile = nodesOfEndpoints();
    expect(meanwhile).not.toEqual(first);
    finish();
    expect(labelsOf()).toEqual(before);
    expect(nodesOfEndpoints()).toEqual(first);
    expect(events).toContain("5 fault_began node/node-1 labelNodes");
  });

  // Broken on purpose: with nobody to hear the server's answer there is no event, as it was.
  test("while the API server is away: kubectl gives up, and the results say so for each node", async () => {
    const { events, finish } = await run(
      'apiOutage({ at: "4s", for: "100s" }), labelNodes({ nodes: "node-1", labels: { rack: "7" }, at: "5s" })',
      "150s",
    );
    finish();
    const refused = events.filter((event) => event.includes("fault_refused"));
    expect(refused.map((event) => event.slice(event.indexOf(" ")))).toEqual([
      " fault_refused node/node-1 labelNodes: Timeout",
    ]);
  });

  // Broken on purpose: all labels put back as they were before.
  test("puts back what it has changed, and leaves what others have changed meanwhile", async () => {
    const { compiled, finish } = await run(
      `labelNodes({ nodes: "node-1", labels: { rack: "7" }, at: "5s", for: "10s" }),
       labelNodes({ nodes: "node-1", labels: { "${zone}": "zone-2" }, at: "7s" })`,
      "20s",
    );
    finish();
    const [{ metadata } = { metadata: null }] = compiled.cluster.api.list("Node");
    expect([metadata?.labels[zone], metadata?.labels["rack"]]).toEqual(["zone-2", undefined]);
  });

  // Broken on purpose: nothing taken away.
  test("takes labels away: without a zone no hint counts", async () => {
    const { compiled, finish } = await run(
      `labelNodes({ nodes: "zone/zone-1", remove: ["${zone}"], at: "5s" })`,
      "20s",
    );
    finish();
    const zones = [...compiled.cluster.api.list("Node")].map(
      ({ metadata }) => metadata.labels[zone],
    );
    expect(zones.filter((each) => each === undefined).length).toBe(2);
  });
});

describe("drain", () => {
  test("empties the node, keeps it empty, and uncordons it at its end", async () => {
    const { web, compiled, at, events, finish } = await run(
      'drain({ nodes: "node-2", at: "5s", for: "20s" })',
    );
    at(24);
    expect(web().length).toBe(4);
    expect(web().filter(({ spec }) => spec.nodeName === "node-2")).toEqual([]);
    expect(events.some((event) => event.includes("node_drained node/node-2"))).toBe(true);
    finish();
    const nodes = [...compiled.cluster.api.list("Node")];
    expect(nodes.every(({ spec }) => !spec.unschedulable)).toBe(true);
  });

  test("waits 5 s where a budget is spent, and never takes more than it grants", async () => {
    // Broken on purpose: delete in the place of evict.
    const { web, at, events, finish } = await run(
      'drain({ nodes: ["node-2", "node-3"], at: "5s" }), drain({ nodes: "node-4", at: "5s" })',
      "60s",
      withBudget,
    );
    let fewest = 4;
    for (let second = 5; second < 60; second += 0.25) {
      at(second);
      const ready = web().filter(
        ({ status, metadata }) => status.ready.status && metadata.deletionTimestampNs === null,
      );
      fewest = Math.min(fewest, ready.length);
    }
    finish();
    expect(fewest).toBe(3);
    const refused = events.filter((event) => event.includes("eviction_refused"));
    expect(refused.length).toBeGreaterThan(0);
    const podOf = (event: string): string => event.split(" ")[2]!;
    const timeOf = (event: string): number => Number(event.split(" ")[0]);
    for (const [i, event] of refused.entries()) {
      const next = refused.slice(i + 1).find((later) => podOf(later) === podOf(event));
      if (next !== undefined) expect(timeOf(next) - timeOf(event)).toBeCloseTo(5, 1);
    }
    expect(web().filter(({ spec }) => spec.nodeName !== "node-1")).toEqual([]);
  });
});

test("resetPods evict: what the budget refuses stays, and is not counted", async () => {
  const evict = 'resetPods({ selector: "app=web", count: 3, how: "evict", at: "5s" })';
  const { events, finish } = await run(evict, "30s", withBudget);
  finish();
  const kinds = events
    .filter((event) => event.startsWith("5."))
    .map((event) => event.split(" ")[1]);
  expect(kinds.filter((kind) => kind === "pod_reset").length).toBe(1);
  expect(kinds.filter((kind) => kind === "eviction_refused").length).toBe(2);
});

test("mistakes are found together", async () => {
  const text = `import { cordon, drain, labelNodes, rolloutRestart, rolloutUndo, scale, setImage } from "podstorm";
export default {
  duration: "10s",
  cluster: { nodes: 2, manifests: ["web.yaml"] },
  faults: [
    scale({ workload: "deploy/wbe", replicas: -1, at: "1s" }),
    rolloutUndo({ workload: "svc/web", at: "1s" }),
    setImage({ workload: "deploy/web", image: "", at: "1s" }),
    drain({ nodes: "node-9", gracePeriod: 3, at: "1s" }),
    labelNodes({ nodes: "node-1", at: "1s" }),
    labelNodes({ nodes: "node-1", labels: { a: "b" }, remove: ["a"], at: "1s" }),
  ],
} as any;`;
  const files = { "scenario.ts": text, "web.yaml": webManifest() };
  expect(await mistakesIn(files, { profile: defaultProfile })).toEqual([
    'scenario.ts:6:13 faults[0].workload: no workload "deploy/wbe"; allowed: one of deploy/web (did you mean deploy/web?)',
    "scenario.ts:6:37 faults[0].replicas: -1; allowed: replicas: a whole number from 0 to 1000000",
    'scenario.ts:7:19 faults[1].workload: no workload "svc/web"; allowed: one of deploy/web (did you mean deploy/web?)',
    'scenario.ts:8:40 faults[2].image: ""; allowed: an image',
    "scenario.ts:9:13 faults[3].nodes: no node node-9; allowed: one of node-1, node-2 (did you mean node-1?)",
    'scenario.ts:9:30 faults[3].gracePeriod: 3; allowed: a duration such as "30s", "1m30s" or "250ms" (did you mean "3s" or "3ms"?)',
    "scenario.ts:10:5 faults[4]: neither labels nor remove; allowed: at least one label to set or to take away",
    'scenario.ts:11:55 faults[5].remove: "a", which labels sets; allowed: a label in one of both',
  ]);
});
