/**
 * Service fields from YAML to packets: small clusters, everything between compiled.
 *
 * Seen to fail: with buildService writing "Cluster" for either policy, with the affinity's time-out ignored in
 * AffinityLists.find (it never moved) and with affinity left out (it never held), without the terminating
 * fallback of categorize.ts, with source ranges dropped in rules.ts and in cloud.ts, with hints not
 * written, and with the users' slices not stored.
 */
import { describe, expect, test } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import { clientAddresses, counts, outcomes, runServices } from "../helpers/service-run.ts";
import { webManifest } from "../scenario/files.ts";

/** Two pods, on two of three nodes, behind a Service with these further fields. */
const web = (service: string, options: { replicas?: number; spec?: string } = {}): string =>
  webManifest({ replicas: 2, ...options, service: `\n  ${service}` });

const CLUSTER = 'cluster: { nodes: 3, manifests: ["web.yaml"] }';
const client = (from: string, to: string, more = ""): string =>
  `{ name: "c", from: ${from}, to: ${to}, load: openLoop(60), timeout: "900ms", ${more} }`;

describe("externalTrafficPolicy", () => {
  const nodePorts = `${CLUSTER}, clients: [${client("outside(3)", 'nodePort("svc/web:8080")')}]`;

  test("Local: a node without an endpoint drops, the others use their own and keep the client's address", async () => {
    const run = await runServices(web("type: NodePort\n  externalTrafficPolicy: Local"), nodePorts);
    expect(run.brokenLaws).toEqual([]);
    // Each connection draws one of three nodes; one of them has no pod, and silence is a time-out.
    const { served, timeout, ...others } = outcomes(run);
    expect(others).toEqual({});
    // 1200 requests, 1/3 to the empty node: 400 +- 5 x sqrt(1200 x 1/3 x 2/3).
    expect(Math.abs(timeout! / (served! + timeout!) - 1 / 3)).toBeLessThan(0.07);
    const empty = ["node-1", "node-2", "node-3"].filter(
      (node) => !run.routed.some(({ by }) => by === node),
    );
    expect(empty).toHaveLength(1);
    expect(Object.keys(run.drops)).toEqual([`${empty[0]}/netfilter no_local_endpoints`]);
    expect(run.routed.every(({ by, to }) => by === to)).toBe(true);
  });

  test("what the pods see: the client with Local, the node with Cluster", async () => {
    const kept = `${CLUSTER}, clients: [${client("outside(3)", 'nodePort("svc/web:8080")', "connections: keepAlive()")}]`;
    const local = await runServices(
      web("type: NodePort\n  externalTrafficPolicy: Local"),
      kept,
      "5s",
    );
    expect(clientAddresses(local)).toEqual(["203.0.113.1", "203.0.113.2", "203.0.113.3"]);
    const cluster = await runServices(web("type: NodePort"), kept, "5s");
    // Masqueraded by the node: with its own address, or its bridge's where the pod is on that node.
    const { network } = cluster.run.transport;
    const nodes = network.hosts.filter(({ conntrack }) => conntrack !== null);
    const own = new Set(nodes.flatMap(({ namespace }) => [...namespace.addresses]));
    const seen = clientAddresses(cluster);
    expect(seen.length).toBeGreaterThan(2);
    expect(seen.filter((each) => !own.has(network.addresses.intern(each)))).toEqual([]);
    expect(outcomes(cluster)).toEqual({ served: cluster.ended.length });
  });

  test("Local, from pods: short-circuited to the whole cluster, also on the node without an endpoint", async () => {
    const run = await runServices(
      web("type: LoadBalancer\n  externalTrafficPolicy: Local"),
      `${CLUSTER}, clients: [${client("pods(3)", 'loadBalancer("svc/web:8080")')}]`,
    );
    expect(outcomes(run)).toEqual({ served: run.ended.length });
    expect(Object.keys(counts(run.routed.map(({ by }) => by)))).toHaveLength(3);
  });
});

describe("internalTrafficPolicy Local", () => {
  test("pods reach the endpoint of their own node, or nothing", async () => {
    const run = await runServices(
      web("internalTrafficPolicy: Local"),
      `${CLUSTER}, clients: [${client("pods(3)", '"svc/web:8080"')}]`,
    );
    expect(run.brokenLaws).toEqual([]);
    expect(run.routed.every(({ by, to }) => by === to)).toBe(true);
    const { served, timeout } = outcomes(run);
    expect(served! + timeout!).toBe(run.ended.length);
    expect(Math.abs(timeout! / run.ended.length - 1 / 3)).toBeLessThan(0.07);
    const [drop] = Object.keys(run.drops);
    expect(drop).toMatch(/^node-\d\/netfilter no_local_endpoints$/);
  });
});

describe("terminating endpoints", () => {
  // The pod goes on serving for 15 s after its deletion; the next one listens after 5 s.
  const spec = `
        lifecycle: { preStop: { sleep: { seconds: 15 } } }
        readinessProbe: { httpGet: { port: 80 }, periodSeconds: 1 }`;
  const patient = webManifest({ replicas: 1 }).replace(
    /containers: \[(.*)\]\n/,
    (_all, container: string) =>
      `containers: [${container.replace(" }] }", ` }], ${spec.trim().replaceAll(/\n\s*/g, ", ")} }`)}]\n`,
  );
  const fields = `${CLUSTER}, servers: { "deploy/web": { startupTime: "5s" } },
    clients: [${client("pods(1)", '"svc/web:8080"')}],
    faults: [resetPods({ selector: "app=web", fraction: 1, how: "delete", at: "5s" })]`;

  test("serve as long as no ready one is there: a reset of all pods costs nobody a request", async () => {
    const run = await runServices(patient, fields, "30s");
    expect(outcomes(run)).toEqual({ served: run.ended.length });
    const [old, ...others] = [...new Set(run.routed.map(({ pod }) => pod))];
    expect(others).toHaveLength(1);
    // The old one got new connections well after it was told to go, and none once the new one was ready.
    const last = run.routed.findLast(({ pod }) => pod === old)!.atNs;
    expect(last).toBeGreaterThan(seconds(9));
    expect(last).toBeLessThan(seconds(15));
  });
});

describe("sessionAffinity ClientIP", () => {
  // Bursts of a request each 4 s for 12 s, then 15 s of silence: longer than the time-out of 10 s.
  const bursts = Array.from(
    { length: 12 },
    (_, i) => `{ at: "${27 * i}s", rps: 0.25 }, { at: "${27 * i + 13}s", rps: 0 }`,
  );
  const fields = `${CLUSTER}, clients: [{ name: "c", from: pods(1), to: "svc/web:8080", timeout: "900ms",
    load: openLoop(stages([${bursts.join(", ")}]), { arrivals: "deterministic" }) }]`;
  const service = (timeoutSeconds: number): string =>
    `sessionAffinity: ClientIP\n  sessionAffinityConfig: { clientIP: { timeoutSeconds: ${timeoutSeconds} } }`;

  test("a client keeps its endpoint while it comes within the time-out, and draws anew after it", async () => {
    const { routed } = await runServices(web(service(10), { replicas: 4 }), fields, "324s");
    const byBurst = new Map<number, string[]>();
    for (const { atNs, pod } of routed) {
      const burst = Math.floor(atNs / seconds(27));
      byBurst.set(burst, [...(byBurst.get(burst) ?? []), pod]);
    }
    expect(byBurst.size).toBe(12);
    const chosen = [...byBurst.values()].map((burst) => new Set(burst));
    expect([...byBurst.values()].every((burst) => burst.length >= 3)).toBe(true);
    expect(chosen.map(({ size }) => size)).toEqual(Array.from({ length: 12 }, () => 1));
    // 12 draws out of 4: all alike with probability 4^-11.
    expect(new Set(chosen.flatMap((each) => [...each])).size).toBeGreaterThan(1);
  });

  test("a time-out of 20 s outlasts the silence: one endpoint for the whole run", async () => {
    const { routed } = await runServices(web(service(20), { replicas: 4 }), fields, "324s");
    expect(new Set(routed.map(({ pod }) => pod)).size).toBe(1);
  });

  test("without it even a burst is spread", async () => {
    const { routed } = await runServices(web("type: ClusterIP", { replicas: 4 }), fields, "324s");
    expect(new Set(routed.map(({ pod }) => pod)).size).toBe(4);
  });
});

describe("loadBalancerSourceRanges", () => {
  const ranges = "type: LoadBalancer\n  loadBalancerSourceRanges: [203.0.113.1/32]";
  const two = (to: string): string =>
    `${CLUSTER}, clients: [{ name: "in", from: outside(1), to: ${to}, load: openLoop(30), timeout: "900ms" },
      { name: "out", from: outside(1), to: ${to}, load: openLoop(30), timeout: "900ms" }]`;

  test("ipMode VIP: the nodes drop who is not in them", async () => {
    const run = await runServices(web(ranges), two('loadBalancer("svc/web:8080")'));
    expect(Object.keys(outcomes(run, "in"))).toEqual(["served"]);
    expect(Object.keys(outcomes(run, "out"))).toEqual(["timeout"]);
    expect(Object.keys(run.drops).toSorted()).toEqual(
      ["node-1", "node-2", "node-3"].map((node) => `${node}/netfilter source_range`),
    );
  });

  test("ipMode Proxy: nodes see only the balancer, so it judges itself", async () => {
    const status = "\nstatus: { loadBalancer: { ingress: [{ ip: 80.1.1.1, ipMode: Proxy }] } }";
    const run = await runServices(web(ranges + status), two('loadBalancer("svc/web:8080")'));
    expect(Object.keys(outcomes(run, "in"))).toEqual(["served"]);
    expect(Object.keys(outcomes(run, "out"))).toEqual(["timeout"]);
    expect(Object.keys(run.drops)).toEqual(["load-balancer-80.1.1.1/balancer source_range"]);
  });

  test("node ports are not subject to them", async () => {
    const run = await runServices(web(ranges), two('nodePort("svc/web:8080")'));
    expect(Object.keys(outcomes(run))).toEqual(["served"]);
  });
});

describe("trafficDistribution and topology-mode", () => {
  const zoned = 'cluster: { nodes: 6, zones: 3, manifests: ["web.yaml"] }';
  const zoneOf = (node: string): number => (Number(node.slice("node-".length)) - 1) % 3;
  const fields = `${zoned}, clients: [${client("pods(6)", '"svc/web:8080"')}]`;

  test("PreferSameZone: every connection stays in its zone", async () => {
    const run = await runServices(
      web("trafficDistribution: PreferSameZone", { replicas: 6 }),
      fields,
    );
    expect(outcomes(run)).toEqual({ served: run.ended.length });
    expect(run.routed.length).toBeGreaterThan(500);
    expect(run.routed.filter(({ by, to }) => zoneOf(by) !== zoneOf(to))).toEqual([]);
    expect(run.brokenLaws).toEqual([]);
    expect(run.routed.some(({ by, to }) => by !== to)).toBe(true);
  });

  test("PreferSameNode: every connection stays on its node", async () => {
    const run = await runServices(
      web("trafficDistribution: PreferSameNode", { replicas: 6 }),
      fields,
    );
    expect(run.routed.length).toBeGreaterThan(500);
    expect(run.routed.filter(({ by, to }) => by !== to)).toEqual([]);
    expect(run.brokenLaws).toEqual([]);
  });

  test("topology-mode Auto: within the zone with 6 endpoints, over all of them with 8", async () => {
    const auto = (replicas: number): string =>
      web("type: ClusterIP", { replicas }).replace(
        "kind: Service\nmetadata: { name: web }",
        'kind: Service\nmetadata: { name: web, annotations: { service.kubernetes.io/topology-mode: "Auto" } }',
      );
    const crossing = async (replicas: number): Promise<number> => {
      const { routed } = await runServices(auto(replicas), fields);
      expect(routed.length).toBeGreaterThan(500);
      return routed.filter(({ by, to }) => zoneOf(by) !== zoneOf(to)).length / routed.length;
    };
    expect(await crossing(6)).toBe(0);
    // Eight endpoints of three zones: two thirds of the traffic, more or less, leaves its zone.
    expect(await crossing(8)).toBeGreaterThan(0.5);
  });
});

describe("Services without a selector", () => {
  /** Pods of one node get its first addresses, in order. */
  const bare = (endpoints: string): string =>
    `${webManifest({ replicas: 2 })}---\napiVersion: v1\nkind: Service\nmetadata: { name: own }\nspec: { ports: [{ port: 1 }] }\n---\n${endpoints}`;
  const fields = `cluster: { nodes: 1, manifests: ["web.yaml"] }, clients: [${client("pods(1)", '"svc/own:1"')}]`;

  test("send to the user's own EndpointSlice, and to nothing that is not in it", async () => {
    const run = await runServices(
      bare(`apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: mine, labels: { kubernetes.io/service-name: own } }
addressType: IPv4
ports: [{ port: 80 }]
endpoints: [{ addresses: [10.244.0.2] }]
`),
      fields,
    );
    expect(outcomes(run)).toEqual({ served: run.ended.length });
    const { sockets, network } = run.run.transport;
    const used = sockets.all.filter(
      ({ localPort, listener }) => localPort === 80 && listener !== null,
    );
    expect(
      used.every(({ localAddress }) => network.addresses.text(localAddress) === "10.244.0.2"),
    ).toBe(true);
  });

  test("send to mirrored Endpoints, but not to addresses that are not ready", async () => {
    const endpoints = (list: string): string => `apiVersion: v1
kind: Endpoints
metadata: { name: own }
subsets: [{ ${list}: [{ ip: 10.244.0.2 }], ports: [{ port: 80 }] }]
`;
    const ready = await runServices(bare(endpoints("addresses")), fields, "5s");
    expect(Object.keys(outcomes(ready))).toEqual(["served"]);
    const unready = await runServices(bare(endpoints("notReadyAddresses")), fields, "5s");
    expect(outcomes(unready)["served"]).toBeUndefined();
    expect(outcomes(unready)["refused"]).toBeGreaterThan(0);
  });
});

describe("external IPs", () => {
  test("come in by one node from outside, and are short-circuited inside", async () => {
    const out = await runServices(
      web("externalIPs: [80.1.1.1]"),
      `${CLUSTER}, clients: [${client("outside(2)", 'externalIP("svc/web:8080")')}]`,
      "10s",
    );
    expect(outcomes(out)).toEqual({ served: out.ended.length });
    expect(Object.keys(counts(out.routed.map(({ by }) => by)))).toEqual(["node-1"]);
    const inside = await runServices(
      web("externalIPs: [80.1.1.1]"),
      `${CLUSTER}, clients: [${client("pods(3)", 'externalIP("svc/web:8080")')}]`,
      "10s",
    );
    expect(outcomes(inside)).toEqual({ served: inside.ended.length });
    expect(Object.keys(counts(inside.routed.map(({ by }) => by)))).toHaveLength(3);
  });
});
