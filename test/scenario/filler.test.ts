/**
 * Filler Services are Services: allocated, kept in slices or by pods, programmed on every node, and called like any
 * other.
 *
 * Broken on purpose and seen to fail: slices without endpoints (the tables' sizes); all fillers after the
 * manifests' Services (their places); one address for all endpoints.
 */
import { expect, test } from "vitest";
import { compile } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { Tally } from "../mechanism/tally.ts";
import { loadFiles, mistakesIn, webManifest } from "./files.ts";

function files(filler: string, clients = ""): Record<string, string> {
  const text = `import { defineScenario, openLoop } from "podstorm";
export default defineScenario({
  duration: "5s",
  cluster: { nodes: 2, manifests: ["web.yaml"], filler: ${filler} },
  ${clients}
} as any);`;
  return { "scenario.ts": text, "web.yaml": webManifest({ replicas: 2 }) };
}

test("each has an address and as many endpoints as were asked for, on every node", async () => {
  const scenario = await loadFiles(files("{ services: 300, endpoints: 3 }"), {
    profile: defaultProfile,
  });
  const { services, endpointSlices } = scenario.cluster;
  expect(new Set(services.map(({ spec }) => spec.clusterIP)).size).toBe(301);
  const addresses = endpointSlices.flatMap(({ endpoints }) => endpoints.map((e) => e.address));
  expect(new Set(addresses).size).toBe(900);
  // In the middle of the list.
  expect(services.findIndex(({ metadata }) => metadata.name === "web")).toBe(150);
  const run = compile(scenario, []);
  run.runUntil(scenario.durationNs);
  for (const proxy of run.cluster.proxies) {
    expect(proxy.of(4)!.size()).toEqual({ services: 301, endpoints: 902 });
  }
  expect(run.finish().brokenLaws).toEqual([]);
});

test("with pods a Deployment stands behind each, and answers", async () => {
  const clients = `clients: [{ name: "c", to: "svc/filler-7:80", load: openLoop(20) }],`;
  const scenario = await loadFiles(files("{ services: 10, endpoints: 2, pods: true }", clients), {
    profile: defaultProfile,
  });
  const tally = new Tally();
  const run = compile(scenario, [tally]);
  run.runUntil(scenario.durationNs);
  expect([...run.cluster.api.list("Pod")].length).toBe(2 + 20 + 1);
  expect(run.cluster.proxies[0]!.of(4)!.size()).toEqual({ services: 11, endpoints: 22 });
  expect(tally.failed).toBe(0);
  expect(tally.served).toBeGreaterThan(50);
  expect(run.finish().brokenLaws).toEqual([]);
});

test("what cannot be is said", async () => {
  expect(await mistakesIn(files("{ endpoints: 0, pod: true }"))).toEqual([
    expect.stringContaining("cluster.filler.services: missing; allowed: Services: a whole number"),
    expect.stringContaining("cluster.filler.endpoints: 0; allowed: endpoints of a Service"),
    expect.stringContaining("cluster.filler.pod: unknown field"),
  ]);
  expect(await mistakesIn(files("{ services: 100000, endpoints: 1000 }"))).toEqual([
    expect.stringContaining("at most 4194302 endpoints in all"),
  ]);
  // Three nodes have no room for so many pods.
  expect(await mistakesIn(files("{ services: 1000, pods: true }"))).toEqual([
    expect.stringContaining("2002 pods in all"),
  ]);
});
