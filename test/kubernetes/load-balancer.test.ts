/**
 * The cloud's load balancer: whom it chooses, what it forgets, and how it finds out that a node cannot serve.
 *
 * Seen to fail: with `flow % n` for rendezvous hashing ("moves only its own share"), with thresholds of 1,
 * without fail open, with find() never expiring a flow, with the flow table bypassed (an old flow followed
 * the health of its node), with the health server counting endpoints of all nodes (no node was ever taken
 * out), with the relay not forgetting silent pairs, and without the check of the TTL.
 */
import { describe, expect, test } from "vitest";
import { ms, seconds, Simulation } from "../../src/engine/index.ts";
import { LoadBalancer } from "../../src/kubernetes/cloud/balancer.ts";
import { loadBalancerProfile as profile } from "../../src/kubernetes/cloud/profile.ts";
import { mix, Targets, type Target } from "../../src/kubernetes/cloud/targets.ts";
import { AddressTable } from "../../src/network/address.ts";
import { STEER_DROP, STEER_OWN } from "../../src/network/host.ts";
import { Flag, Packet } from "../../src/network/packet.ts";
import { counts, outcomes, runServices } from "../helpers/service-run.ts";
import { webManifest } from "../scenario/files.ts";

function targetsOf(...nodes: readonly string[]): Targets {
  const targets = new Targets(profile.healthCheck);
  for (const [index, node] of nodes.entries()) targets.add(node, index, index, true);
  return targets;
}

const FLOWS = Array.from({ length: 3000 }, (_, i) => mix(i));

describe("targets", () => {
  test("flows fall on all of them alike", () => {
    const targets = targetsOf("a", "b", "c");
    const found = counts(FLOWS.map((flow) => targets.pick(flow)!.node));
    // 1000 each +- 4 x sqrt(3000 x 1/3 x 2/3) = 103.
    for (const node of ["a", "b", "c"]) expect(Math.abs(found[node]! - 1000)).toBeLessThan(103);
  });

  test("one that comes or goes moves only its own share", () => {
    const before = targetsOf("a", "b", "c");
    const after = targetsOf("a", "b");
    for (const flow of FLOWS) {
      const was = before.pick(flow)!.node;
      if (was !== "c") expect(after.pick(flow)!.node).toBe(was);
    }
  });

  test("three failures in a row take a target out, one success takes it in again", () => {
    const targets = targetsOf("a", "b");
    const a = targets.get("a")!;
    const check = (...results: readonly boolean[]): boolean => {
      for (const passed of results) targets.checked(a, passed);
      return a.healthy;
    };
    expect(check(false, false, true, false, false)).toBe(true);
    expect(check(false)).toBe(false);
    expect(new Set(FLOWS.map((flow) => targets.pick(flow)!.node))).toEqual(new Set(["b"]));
    expect(check(true)).toBe(true);
  });

  test("with none healthy all are tried; with none at all nothing is", () => {
    const targets = targetsOf("a", "b");
    for (const node of ["a", "b"]) {
      for (let i = 0; i < 3; i++) targets.checked(targets.get(node)!, false);
    }
    expect(new Set(FLOWS.map((flow) => targets.pick(flow)!.node)).size).toBe(2);
    expect(targetsOf().pick(1)).toBeNull();
  });
});

describe("a passthrough balancer", () => {
  function balancer() {
    const sim = new Simulation({ seed: "s" });
    const addresses = new AddressTable();
    const targets = targetsOf("a", "b", "c");
    const balancer = new LoadBalancer(sim, addresses, profile, 32_768);
    balancer.serve(6, 80, { ipMode: "VIP", targets, sourceRanges: [] });
    const packet = (sourcePort: number, flags: number, destinationPort = 80): Packet => {
      const made = Object.assign(new Packet(0), { sourcePort, flags, destinationPort });
      made.source = addresses.intern("203.0.113.1");
      made.destination = addresses.intern("192.0.2.1");
      return made;
    };
    const fail = (target: Target): void => {
      for (let i = 0; i < 3; i++) targets.checked(target, false);
    };
    /** A flow whose node is this one. */
    const portOf = (host: number): number =>
      Array.from({ length: 100 }, (_, i) => 40_000 + i).find(
        (port) => balancer.steer(packet(port, Flag.syn)) === host,
      )!;
    return { sim, balancer, targets, packet, fail, portOf };
  }

  test("keeps a flow on its node when that fails its checks; a new SYN goes elsewhere", () => {
    const { balancer: lb, targets, packet, fail, portOf } = balancer();
    const port = portOf(1);
    fail(targets.get("b")!);
    expect(lb.steer(packet(port, Flag.ack))).toBe(1);
    expect(lb.steer(packet(port, Flag.syn))).not.toBe(1);
  });

  test("forgets a flow that has been silent for 60 s, and not one that has not", () => {
    const { sim, balancer: lb, targets, packet, fail, portOf } = balancer();
    const port = portOf(1);
    fail(targets.get("b")!);
    sim.run(seconds(59));
    expect(lb.steer(packet(port, Flag.ack))).toBe(1);
    sim.run(seconds(118));
    expect(lb.steer(packet(port, Flag.ack))).toBe(1);
    sim.run(seconds(178));
    expect(lb.steer(packet(port, Flag.ack))).not.toBe(1);
  });

  test("drops the flows of a node that has left the cluster onto the others", () => {
    const { balancer: lb, targets, packet, portOf } = balancer();
    const port = portOf(1);
    targets.remove("b");
    expect([0, 2]).toContain(lb.steer(packet(port, Flag.ack)));
  });

  test("takes its own connections' packets, and drops ports that no Service has and packets that go round", () => {
    const { balancer: lb, packet } = balancer();
    expect(lb.steer(packet(80, Flag.ack, 50_000))).toBe(STEER_OWN);
    expect([lb.steer(packet(40_000, Flag.syn, 81)), lb.cause]).toEqual([
      STEER_DROP,
      "no_such_port",
    ]);
    const old = Object.assign(packet(40_000, Flag.syn), { tables: 64 });
    expect([lb.steer(old), lb.cause]).toEqual([STEER_DROP, "ttl_exceeded"]);
  });
});

const web = (service: string, replicas = 2): string =>
  webManifest({ replicas, service: `\n  type: LoadBalancer${service}` });
const PROXY = "\nstatus: { loadBalancer: { ingress: [{ ip: 80.1.1.1, ipMode: Proxy }] } }";
const CLUSTER = 'cluster: { nodes: 3, manifests: ["web.yaml"] }';

describe("health checks", () => {
  const fields = `${CLUSTER}, profile: { kubernetes: { loadBalancer: { healthCheck: { interval: "2s" } } } },
    clients: [{ name: "c", from: outside(3), to: loadBalancer("svc/web:8080"), load: openLoop(100), timeout: "900ms" }]`;

  test("policy Local at rest: only nodes with a ready pod get connections, and nothing fails", async () => {
    const run = await runServices(web("\n  externalTrafficPolicy: Local"), fields);
    expect(run.brokenLaws).toEqual([]);
    expect(outcomes(run)).toEqual({ served: run.ended.length });
    const [health] = run.run.cluster.loadBalancerHealth("default/web");
    const nodes = new Set(run.routed.map(({ by }) => by));
    expect(
      Object.entries(health!)
        .filter(([, healthy]) => healthy)
        .map(([node]) => node),
    ).toEqual([...nodes].toSorted());
    expect(nodes.size).toBe(2);
  });

  test("policy Local, pods deleted: their node drops what still comes, until three checks have failed", async () => {
    const faults = `faults: [resetPods({ selector: "app=web", count: 1, how: "kill", at: "10s" })]`;
    const run = await runServices(
      web("\n  externalTrafficPolicy: Local"),
      `${fields}, ${faults}`,
      "40s",
    );
    expect(run.brokenLaws).toEqual([]);
    const failed = run.ended.filter(({ outcome }) => outcome !== "served");
    expect(failed.length).toBeGreaterThan(20);
    // Checks each 2 s: the third failure comes 4 to 6 s after the rules have changed, which takes up to
    // 2 s itself; the last time-out ends 0.9 s later. A new pod on the same node would end it sooner.
    const lastNs = Math.max(...failed.map(({ startNs }) => startNs));
    expect(lastNs).toBeGreaterThan(seconds(12));
    expect(lastNs).toBeLessThan(seconds(18.5));
    expect(Object.keys(run.drops).some((drop) => drop.endsWith("no_local_endpoints"))).toBe(true);
    const after = run.routed.filter(({ atNs }) => atNs > seconds(20));
    const [health] = run.run.cluster.loadBalancerHealth("default/web");
    const healthy = Object.entries(health!)
      .filter(([, is]) => is)
      .map(([node]) => node);
    expect([...new Set(after.map(({ by }) => by))].toSorted()).toEqual(healthy);
  });

  test("policy Cluster: a check is a connection to the node port, through the node's own rules", async () => {
    const run = await runServices(web(""), `${CLUSTER}, clients: []`, "40s");
    // 40 s at a check each 8 s, of three nodes: 5 each.
    expect(counts(run.routed.map(({ by }) => by))).toEqual({
      "node-1": 5,
      "node-2": 5,
      "node-3": 5,
    });
  });

  test("without node ports kube-proxy's own health is asked", async () => {
    const run = await runServices(
      web("\n  allocateLoadBalancerNodePorts: false"),
      `${CLUSTER}, clients: [{ name: "c", from: outside(1), to: loadBalancer("svc/web:8080"), load: openLoop(50), timeout: "900ms" }]`,
      "40s",
    );
    expect(outcomes(run)).toEqual({ served: run.ended.length });
    expect(run.run.cluster.loadBalancerHealth("default/web")).toEqual([
      { "node-1": true, "node-2": true, "node-3": true },
    ]);
  });

  test("a node with the exclude label is no target", async () => {
    const nodes = [1, 2].map(
      (i) => `---
apiVersion: v1
kind: Node
metadata: { name: n${i}, labels: { ${i === 1 ? 'node.kubernetes.io/exclude-from-external-load-balancers: ""' : ""} } }
`,
    );
    const run = await runServices(
      web("") + nodes.join(""),
      `cluster: { manifests: ["web.yaml"] }, clients: [{ name: "c", from: outside(3), to: loadBalancer("svc/web:8080"), load: openLoop(50) }]`,
    );
    expect(outcomes(run)).toEqual({ served: run.ended.length });
    expect(new Set(run.routed.map(({ by }) => by))).toEqual(new Set(["n2"]));
  });
});

test("a passthrough balancer carries UDP as well", async () => {
  const udp = webManifest({ replicas: 2, service: "\n  type: LoadBalancer" })
    .replace("containerPort: 80", "containerPort: 80, protocol: UDP")
    .replace("port: 8080, targetPort: 80", "port: 8080, targetPort: 80, protocol: UDP");
  const run = await runServices(
    udp,
    `${CLUSTER}, clients: [{ name: "c", from: outside(2), to: loadBalancer("svc/web:8080"), load: openLoop(50), timeout: "900ms" }]`,
    "10s",
  );
  expect(outcomes(run)).toEqual({ served: run.ended.length });
  expect(run.brokenLaws).toEqual([]);
  expect(new Set(run.routed.map(({ by }) => by)).size).toBe(3);
});

describe("ipMode", () => {
  const talk = (
    more: string,
  ): string => `${CLUSTER}, ${more} servers: { "deploy/web": { serviceTime: "4ms" } }, clients: [{ name: "c", from: outside(1),
    to: loadBalancer("svc/web:8080"), load: closedLoop({ users: 1, thinkTime: "8s" }), connections: keepAlive(), timeout: "900ms" }]`;

  test("VIP and Proxy both serve, with the bytes and answers of the application", async () => {
    for (const status of ["", PROXY]) {
      const run = await runServices(web(status), talk(""), "60s");
      expect(run.brokenLaws).toEqual([]);
      expect(outcomes(run)).toEqual({ served: run.ended.length });
      expect(run.ended.length).toBe(7);
    }
  });

  test("a proxy adds the way through itself: two hops there and two back", async () => {
    const mean = async (status: string): Promise<number> => {
      const run = await runServices(web(status), talk("").replace("nodes: 3", "nodes: 1"), "60s");
      return (
        run.ended.reduce((sum, { startNs, endNs }) => sum + endNs - startNs, 0) / run.ended.length
      );
    };
    // Requests go by the balancer either way. Answers cross its NIC and one switch port of 10 us each more,
    // and 8 KiB take 7 us at each of them; one request in seven shakes hands twice.
    const extraNs = (await mean(PROXY)) - (await mean(""));
    expect(extraNs).toBeGreaterThan(ms(0.02));
    expect(extraNs).toBeLessThan(ms(0.08));
  });

  test("a proxy forgets silent connections without a word: the next request is reset", async () => {
    const idle = (time: string): string =>
      talk(`profile: { kubernetes: { loadBalancer: { connectionIdle: "${time}" } } },`);
    const short = await runServices(web(PROXY), idle("5s"), "60s");
    // Every second request finds the connection that the last one left, dead.
    expect(outcomes(short)).toEqual({ served: 4, reset: 3 });
    const long = await runServices(web(PROXY), idle("10s"), "60s");
    expect(outcomes(long)).toEqual({ served: long.ended.length });
  });
});

describe("a cold start", () => {
  const fields = `coldStart: true, ${CLUSTER}, clients: [{ name: "c", from: outside(2),
    to: loadBalancer("svc/web:8080"), load: openLoop(50), timeout: "900ms" }]`;

  test("begins with no healthy node and ends with all that serve; the same seed runs alike", async () => {
    const [one, two] = [
      await runServices(web("\n  externalTrafficPolicy: Local"), fields, "40s"),
      await runServices(web("\n  externalTrafficPolicy: Local"), fields, "40s"),
    ];
    expect(one.brokenLaws).toEqual([]);
    const firstNs = one.routed[0]!.atNs;
    expect(
      one.ended.some(({ outcome, startNs }) => outcome !== "served" && startNs < firstNs),
    ).toBe(true);
    // Checks each 8 s: by 20 s after the first connection every node has been found healthy or not.
    const late = one.ended.filter(({ startNs }) => startNs > firstNs + seconds(20));
    expect(counts(late.map(({ outcome }) => outcome))).toEqual({ served: late.length });
    expect(one.run.sim.fingerprint()).toBe(two.run.sim.fingerprint());
    expect(one.routed).toEqual(two.routed);
  });
});
