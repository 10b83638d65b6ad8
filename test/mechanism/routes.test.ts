/**
 * routes.csv and sources.csv say what the packets did: which node chose, and as whom the server saw the client.
 *
 * Broken on purpose and seen to fail: notes about a socket are taken whatever its generation (a SYN that outlived
 * its socket's deadline marked the next user of the slot: containers of one pod had routes); the balancer does not
 * pass on what its own connection was seen as; a hairpin is not masqueraded.
 */
import { expect, test } from "vitest";
import { Recording, type RouteTotals } from "../../src/observe/index.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import { loadFiles, webManifest } from "../scenario/files.ts";
import { tallied } from "./tally.ts";

interface Ways {
  readonly totals: readonly RouteTotals[];
  /** "client source seen_as", each once. */
  readonly sources: readonly string[];
}

function waysOf(scenario: ResolvedScenario): Ways {
  const recording = new Recording();
  const { run } = tallied(scenario, recording.observers);
  const context = { endNs: run.nowNs, hops: [], conntracks: [] };
  const { rows } = recording.tables(context).find(({ file }) => file === "sources.csv")!;
  return {
    totals: recording.totals(context).routes,
    sources: [...rows].map(([client, , source, seenAs]) => [client, source, seenAs].join(" ")),
  };
}

async function ways(service: string, clients: string): Promise<Ways> {
  const text = `import { externalIP, loadBalancer, nodePort, openLoop, outside, pods } from "podstorm";
const load = openLoop(50);
export default { duration: "4s", cluster: { nodes: 2, manifests: ["web.yaml"], dns: { replicas: 1 } },
  clients: [${clients}] } as any;`;
  const files = { "scenario.ts": text, "web.yaml": webManifest({ service }) };
  return waysOf(await loadFiles(files, { profile: defaultProfile }));
}

// Two pods, one on each node; nodes have 172.18.0.2 and .3, their bridges 10.244.0.1 and 10.244.1.1.
test("policy Cluster: the server sees the node that was dialled, its bridge where the pod is its own", async () => {
  const { totals, sources } = await ways(
    "\n  type: NodePort",
    `{ name: "c", from: outside(1), to: nodePort("svc/web", { node: "node-1" }), load }`,
  );
  expect(totals[0]).toMatchObject({ masqueraded: totals[0]!.answered, sourcesSeen: 2 });
  expect(totals[0]!.toOtherNode).toBeGreaterThan(0);
  expect(totals[0]!.toOtherNode).toBeLessThan(totals[0]!.answered);
  expect([...sources].sort()).toEqual(["c 203.0.113.1 10.244.0.1", "c 203.0.113.1 172.18.0.2"]);
});

test("policy Local: nobody passes on, and the server sees the client", async () => {
  const { totals, sources } = await ways(
    "\n  type: NodePort\n  externalTrafficPolicy: Local",
    `{ name: "c", from: outside(2), to: nodePort("svc/web"), load }`,
  );
  expect(totals[0]).toMatchObject({ toOtherNode: 0, masqueraded: 0, sourcesSeen: 2 });
  expect([...sources].sort()).toEqual(["c 203.0.113.1 203.0.113.1", "c 203.0.113.2 203.0.113.2"]);
});

test("a balancer that dials itself is what servers see, where the node keeps its address", async () => {
  const ingress = "\nstatus: { loadBalancer: { ingress: [{ ip: 80.1.1.1, ipMode: Proxy }] } }";
  const { sources } = await ways(
    `\n  type: LoadBalancer\n  externalTrafficPolicy: Local${ingress}`,
    `{ name: "c", from: outside(1), to: loadBalancer("svc/web"), load }`,
  );
  expect(sources).toEqual(["c 203.0.113.1 80.1.1.1"]);
});

test("by ClusterIP, by DNS and by UDP pods are seen as they are", async () => {
  const headless = `
---
{ apiVersion: v1, kind: Service, metadata: { name: headless }, spec: { clusterIP: None, selector: { app: web }, ports: [{ port: 80 }] } }
---
{ apiVersion: v1, kind: Service, metadata: { name: udp }, spec: { selector: { app: udp }, ports: [{ port: 80, protocol: UDP }] } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: udp }
spec:
  replicas: 2
  selector: { matchLabels: { app: udp } }
  template:
    metadata: { labels: { app: udp } }
    spec: { containers: [{ name: udp, image: udp, ports: [{ containerPort: 80, protocol: UDP }] }] }`;
  const { totals } = await ways(
    headless,
    `{ name: "ip", to: "svc/web", load }, { name: "dns", to: "dns://headless:80", resolver: { pick: "random" }, load },
     { name: "udp", to: "svc/udp", load }`,
  );
  expect(totals.map(({ client }) => client)).toEqual(["ip", "dns", "udp"]);
  for (const each of totals) {
    expect(each).toMatchObject({ masqueraded: 0, sourcesSeen: 1 });
    expect(each.answered).toBeGreaterThan(100);
    expect(each.toOtherNode / each.answered).toBeGreaterThan(0.3);
    expect(each.toOtherNode / each.answered).toBeLessThan(0.7);
  }
});

test("a pod that calls itself through its Service is masqueraded: its node's bridge calls", async () => {
  const { sources } = await ways(
    "",
    `{ name: "c", from: { kind: "sidecar", workload: "deploy/web" }, to: "svc/web", load }`,
  );
  // Two pods, each seen by the other as itself and by itself as its bridge.
  expect(sources).toHaveLength(4);
  expect(sources.filter((line) => line.endsWith(".1"))).toHaveLength(2);
});

test("containers of one pod use no Service, whatever sockets they use that others left", async () => {
  const { totals } = waysOf(await loadScenario("scenarios/three-types.ts"));
  expect(totals.map(({ client }) => client)).not.toContain("1-same-pod");
  expect(totals).toHaveLength(8);
});
