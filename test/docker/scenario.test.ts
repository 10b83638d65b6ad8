/**
 * Docker hosts and sidecars in whole scenarios: who is started when, what is dialled, what is observed.
 *
 * Seen to fail: with the address looked up at the beginning instead of at the client's start; without the sidecars'
 * containers; with a sidecar's load not divided over its pods; with a Service and a host port under one number; with
 * the host left out of the law's key, and with 0.0.0.0 taken for an address like others.
 */
import { describe, expect, it } from "vitest";
import type { Docker } from "../../src/docker/docker.ts";
import { seconds } from "../../src/engine/index.ts";
import {
  container,
  containers,
  closedLoop,
  deterministic,
  hostPort,
  localhost,
  nodePort,
  onHost,
  openLoop,
  resetContainer,
  sidecar,
} from "../../src/index.ts";
import { outcomeNames, type Observer } from "../../src/observe/observations.ts";
import { hostPorts } from "../../src/scenario/compile/laws/hostPorts.ts";
import type { ScenarioInput } from "../../src/scenario/language/scenario.ts";
import { runScenario } from "../helpers/scenario.ts";

const load = openLoop(10, { arrivals: "deterministic" });
const server = { serviceTime: deterministic("1ms") };

/** Runs it. @returns "client to target: outcome" with its count, the events, and the hops with packets */
function run(scenario: ScenarioInput) {
  const clients: string[] = [];
  const services: string[] = [];
  const counts: Record<string, number> = {};
  const events: string[] = [];
  const observer: Observer = {
    clientNamed: (index, name) => void (clients[index] = name),
    serviceNamed: (index, name) => {
      expect(services[index]).toBeUndefined();
      services[index] = name;
    },
    requestEnded: (client, service, outcome) => {
      const key = `${clients[client]} to ${services[service]}: ${outcomeNames[outcome]}`;
      counts[key] = (counts[key] ?? 0) + 1;
    },
    event: (atNs, kind, object, detail) =>
      events.push(`${(atNs / 1e9).toFixed(1)} ${kind} ${object} ${detail}`),
  };
  const profile = { docker: { startTime: deterministic("300ms") } };
  const { hops } = runScenario("docker", { ...scenario, profile }, [observer]);
  return { counts, events, hops: hops.filter(({ packets }) => packets > 0).map(({ hop }) => hop) };
}

describe("docker hosts", () => {
  it("hold the same addresses, and no law is broken by that", () => {
    const { counts, hops } = run({
      duration: "5s",
      docker: {
        hosts: 2,
        containers: [
          { name: "a", publish: ["80:80"], server },
          { name: "b", host: "docker-2", publish: ["80:80"], server },
        ],
      },
      clients: [
        { name: "one", from: onHost("docker-1"), to: container("a:80"), load },
        { name: "two", from: onHost("docker-2"), to: container("b:80"), load },
        { name: "across", from: onHost("docker-2"), to: hostPort("docker-1:80"), load },
      ],
    });
    expect(counts).toEqual({
      "one to container/a:80: served": 49,
      "two to container/b:80: served": 49,
      "across to docker-1:80: served": 49,
    });
    expect(hops).toEqual(
      expect.arrayContaining(["docker-1/docker0", "docker-1/a/in", "docker-2/b/out"]),
    );
  });

  it("have clients in containers, which look an address up when they start", () => {
    const { counts, events } = run({
      duration: "12s",
      docker: {
        containers: [
          { name: "web", server },
          { name: "thief", start: "3s", server },
        ],
      },
      clients: [
        { name: "early", from: containers(1, { host: "docker-1" }), to: container("web:80"), load },
        {
          name: "late",
          from: containers(1, { host: "docker-1" }),
          to: container("web:80"),
          load,
          start: "8s",
        },
      ],
      faults: [
        resetContainer({ container: "web", how: "stop", at: "2s" }),
        resetContainer({ container: "web", how: "start", at: "5s" }),
      ],
    });
    expect(events.filter((event) => event.includes("container_started"))).toEqual([
      "3.3 container_started container/thief 172.17.0.2",
      "5.3 container_started container/web 172.17.0.4",
      "8.3 container_started container/client-late-0 172.17.0.5",
    ]);
    expect(counts["early to container/web:80: misrouted"]).toBeGreaterThan(70);
    expect(counts["late to container/web:80: served"]).toBeGreaterThan(30);
    expect(counts["late to container/web:80: misrouted"]).toBeUndefined();
  });

  it("have a client that is given no address end at once", () => {
    const { counts, events } = run({
      duration: "3s",
      docker: { containers: [{ name: "web", start: "2s", server }] },
      clients: [{ name: "early", from: onHost("docker-1"), to: container("web:80"), load }],
    });
    expect(counts).toEqual({});
    expect(events[0]).toBe("0.0 container_not_found client/host/early it has no address now");
  });

  it("restart what crashed by its policy, and not before", () => {
    const { counts, events } = run({
      duration: "6s",
      docker: { containers: [{ name: "web", publish: ["80:80"], restart: "always", server }] },
      clients: [{ name: "c", from: onHost("docker-1"), to: hostPort("docker-1:80"), load }],
      faults: [resetContainer({ container: "web", how: "crash", at: "2s", every: "2s", times: 2 })],
    });
    expect(events.map((event) => event.slice(0, -1)).filter((e) => e.includes("exited"))).toEqual([
      "2.0 container_exited container/web exit code 13",
      "4.0 container_exited container/web exit code 13",
    ]);
    expect(events.filter((e) => e.includes("started"))).toHaveLength(2);
    expect(counts["c to docker-1:80: refused"]).toBeGreaterThan(4);
  });

  it("play every start when cold, one after another for one port", () => {
    const { events } = run({
      duration: "5s",
      coldStart: true,
      docker: {
        containers: [
          { name: "a", publish: ["80:80"] },
          { name: "b", publish: ["80:80"], start: "1s" },
        ],
      },
    });
    expect(events).toEqual([
      "0.3 container_started container/a 172.17.0.2",
      "1.0 container_start_failed container/b Bind for 0.0.0.0:80 failed: port is already allocated",
    ]);
  });

  it("stand beside a cluster, whose node ports they reach", () => {
    const { counts } = run({
      duration: "3s",
      cluster: { nodes: 2, manifests: ["../../scenarios/three-types.yaml"] },
      docker: { containers: [{ name: "web", publish: ["80:80"], server }] },
      clients: [
        { name: "in", from: containers(1, { host: "docker-1" }), to: nodePort("svc/web"), load },
        { name: "host", from: onHost("docker-1"), to: localhost(80), load },
      ],
    });
    expect(counts).toEqual({ "in to default/web: served": 29, "host to localhost:80: served": 29 });
  });
});

describe("a sidecar", () => {
  it("calls its own pod over loopback: nothing else carries a packet", () => {
    const { counts, hops } = run({
      duration: "3s",
      cluster: { nodes: 2, manifests: ["../../scenarios/nginx.yaml"] },
      clients: [
        { name: "beside", from: sidecar("deploy/nginx"), to: localhost(80), load: openLoop(120) },
        {
          name: "users",
          from: sidecar("deploy/nginx"),
          to: localhost(80),
          load: closedLoop({ users: 24, thinkTime: deterministic("100ms") }),
        },
      ],
    });
    // 120 a second over all twelve pods: 360, give or take three standard deviations.
    expect(Math.abs(counts["beside to localhost:80: served"]! - 360)).toBeLessThan(57);
    // Two users in each pod, some 29 times each.
    const perUser = counts["users to localhost:80: served"]! / 24;
    expect(perUser).toBeGreaterThan(26);
    expect(perUser).toBeLessThan(30);
    expect(Object.keys(counts)).toHaveLength(2);
    const loopbacks = hops.filter((hop) => /^nginx-.*\/lo$/.test(hop));
    expect(loopbacks).toHaveLength(12);
    // Probes of the kubelet are the rest.
    expect(hops.filter((hop) => /eth0|switch/.test(hop))).toEqual([]);
  });
});

describe("the law that host ports are held once", () => {
  const held = (host: string, hostIP: string, isPublished = true) => ({
    spec: {
      name: `${host}-${hostIP}`,
      host,
      publish: [{ hostIP, hostPort: 80, containerPort: 80 }],
    },
    isPublished,
  });

  it.each([
    [[held("a", "0.0.0.0"), held("b", "0.0.0.0")], 0],
    [[held("a", "127.0.0.1"), held("a", "192.168.0.2")], 0],
    [[held("a", "0.0.0.0"), held("a", "127.0.0.1", false)], 0],
    [[held("a", "0.0.0.0"), held("a", "127.0.0.1")], 1],
    [[held("a", "127.0.0.1"), held("a", "0.0.0.0")], 1],
  ])("%#", (containers, broken) => {
    const byName = new Map(containers.map((each, i) => [String(i), each]));
    const docker = { containers: byName } as unknown as Docker;
    expect([...hostPorts({ docker, nowNs: seconds(1) })]).toHaveLength(broken);
  });
});
