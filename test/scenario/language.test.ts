/** What the words of the language come to once a scenario is loaded. */
import { expect, test } from "vitest";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, scenarioText, webManifest } from "./files.ts";

async function load(fields: string, manifest = webManifest()) {
  return loadFiles({ "scenario.ts": scenarioText(fields), "web.yaml": manifest });
}

async function clientWith(fields: string) {
  const { clients } = await load(`clients: [{ name: "c", to: "svc/web:8080", ${fields} }]`);
  return clients[0];
}

const SECOND = 1e9;

test("everything left out gets its documented default", async () => {
  const scenario = await load("");
  expect(scenario).toMatchObject({
    name: "scenario",
    seed: "1",
    durationNs: 10 * SECOND,
    coldStart: false,
    windowNs: SECOND,
    clients: [],
    faults: [],
  });
  expect(scenario.cluster).toMatchObject({ podCIDR: "10.244.0.0/16", serviceCIDR: "10.96.0.0/12" });
  expect(await clientWith("load: openLoop(5)")).toEqual({
    name: "c",
    from: { kind: "pod", replicas: 1, labels: { "podstorm.dev/client": "c" } },
    to: { service: "default/web", port: 8080, protocol: "TCP", via: "clusterIP" },
    load: {
      kind: "openLoop",
      rate: [{ fromNs: 0, startRps: 5, endRps: 5, rampNs: 0 }],
      process: "poisson",
    },
    connections: { kind: "perRequest" },
    requestBytes: 256,
    timeoutNs: 5 * SECOND,
    retries: {
      maxAttempts: 1,
      initialBackoffNs: SECOND / 10,
      backoffFactor: 2,
      maxBackoffNs: 10 * SECOND,
      jitter: 0.2,
    },
    startNs: 0,
    stopNs: 10 * SECOND,
  });
});

test("a burst repeats on the run's clock", async () => {
  const rate = 'burst({ base: 2, peak: 8, at: "3s", for: "1s", every: "4s", times: 2 })';
  const client = await clientWith(`load: openLoop(${rate})`);
  // Base from 0, peak 3..4 s, base, peak 7..8 s, base.
  const rates = [
    [0, 2],
    [3, 8],
    [4, 2],
    [7, 8],
    [8, 2],
  ] as const;
  expect(client?.load).toMatchObject({
    rate: rates.map(([s, rps]) => ({ fromNs: s * SECOND, startRps: rps, endRps: rps, rampNs: 0 })),
  });
});

test("stages ramp from the rate before", async () => {
  const { clients } = await loadFiles({
    "web.yaml": webManifest(),
    "scenario.ts": `import * as podstorm from "podstorm";
      const { stages, openLoop } = podstorm;
      export default { duration: "10s", cluster: { manifests: ["web.yaml"] }, clients: [{
        name: "c", to: "svc/web", load: openLoop(stages([
          { at: "0s", rps: 10 }, { at: "2s", rps: 30, over: "4s" }])) }] };`,
  });
  expect(clients[0]?.load).toMatchObject({
    rate: [
      { fromNs: 0, startRps: 10, endRps: 10, rampNs: 0 },
      { fromNs: 2 * SECOND, startRps: 10, endRps: 30, rampNs: 4 * SECOND },
    ],
  });
});

test("a bare duration is a deterministic distribution", async () => {
  const { cluster } = await load('servers: { "deploy/web": { serviceTime: "4ms" } }');
  expect(cluster.servers).toMatchObject([
    { workload: "default/web", serviceTime: { kind: "deterministic", value: 4_000_000 } },
  ]);
});

test("a fault with an interval and no number of times goes on until the end", async () => {
  const { faults } = await load(
    'faults: [resetPods({ selector: "app=web", count: 1, at: "1s", every: "2s" })]',
  );
  // 1, 3, 5, 7 and 9 s of 10 s.
  expect(faults).toMatchObject([{ times: 5, atNs: SECOND, everyNs: 2 * SECOND, how: "delete" }]);
});

test("the profile's constants are overridden by path, durations as text", async () => {
  const { profile } = await load(
    'profile: { kubernetes: { kubeProxy: { minSyncPeriod: "10s" }, kubelet: { start: "1s" } } }',
  );
  expect(profile).toMatchObject({
    name: "stub",
    network: { mtuBytes: 1500 },
    kubernetes: {
      version: "1.36",
      kubeProxy: { minSyncPeriodNs: 10 * SECOND, backoffNs: [1, 2] },
      kubelet: { startNs: { kind: "deterministic", value: SECOND } },
    },
  });
});

test("the profile's distributions are read as times, whatever they are called", async () => {
  const text = scenarioText(
    'profile: { kubernetes: { apiServer: { watchLatency: "0", writeLatency: exponential("5ms") } } }',
  );
  const files = { "scenario.ts": text, "web.yaml": webManifest() };
  const { profile } = await loadFiles(files, { profile: defaultProfile });
  expect(profile.kubernetes.apiServer).toMatchObject({
    watchLatency: { kind: "deterministic", value: 0 },
    writeLatency: { kind: "exponential", mean: 5_000_000 },
  });
});

test("values of -e reach a scenario that is a function; options replace seed and duration", async () => {
  const text = `import { defineScenario, openLoop } from "podstorm";
    export default defineScenario(({ env }) => ({
      duration: "10s", seed: 7, cluster: { manifests: ["web.yaml"] },
      clients: [{ name: "c", to: "svc/web", load: openLoop(Number(env.RPS ?? 1)) }],
    }));`;
  const scenario = await loadFiles(
    { "scenario.ts": text, "web.yaml": webManifest() },
    { env: { RPS: "42" }, seed: "8", duration: "3s" },
  );
  expect(scenario).toMatchObject({ seed: "8", durationNs: 3 * SECOND, env: { RPS: "42" } });
  expect(scenario.clients[0]).toMatchObject({
    load: { rate: [{ startRps: 42 }] },
    stopNs: 3 * SECOND,
  });
});

test("a scenario may import files beside it, from a folder with an odd name", async () => {
  const scenario = await loadFiles({
    "scenario.ts": 'export { default } from "./a %20 b/inner.ts";',
    "a %20 b/inner.ts":
      'import { duration } from "../shared.ts"; export default { duration, cluster: {} };',
    "shared.ts": 'export const duration: string = "4s";',
  });
  expect(scenario.durationNs).toBe(4 * SECOND);
});
