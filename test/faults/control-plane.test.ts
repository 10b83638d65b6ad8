/** Faults of kube-proxies and the API server, as a scenario asks for them: what each leads to by itself. */
import { expect, test } from "vitest";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { outcomes, runFaults as run } from "../helpers/fault-run.ts";
import { mistakesIn, webManifest } from "../scenario/files.ts";

test("stopKubeProxy: the node keeps its rules, dead endpoints and all, until a new one writes them", async () => {
  // Broken on purpose: a new process that does not look at what it lists; watches that go on without a process.
  const kill = 'resetPods({ selector: "app=web", count: 2, how: "kill", at: "6s" })';
  const stop = 'stopKubeProxy({ nodes: "node-1", at: "5s", for: "15s" })';
  const stopped = await run(`${stop}, ${kill}`, "30s");
  stopped.finish();
  const running = await run(kill, "30s");
  running.finish();
  expect(outcomes(running.ended, 10, 19)).toEqual(["served"]);
  const failed = stopped.ended.filter(
    ({ startS, outcome }) => startS > 10 && startS < 19 && outcome !== "served",
  );
  expect(failed.length).toBeGreaterThan(20);
  expect(outcomes(stopped.ended, 21.2, 29)).toEqual(["served"]);
});

test("failSync: the old rules stay until a sync succeeds, which the retry after a syncPeriod is", async () => {
  // Broken on purpose: failSync that breaks no proxy; a runner that does not try again.
  const kill = 'resetPods({ selector: "app=web", count: 2, how: "kill", at: "6s" })';
  const failing = await run(`failSync({ nodes: "node-1", at: "5s", for: "10s" }), ${kill}`, "50s");
  failing.finish();
  const proxy = failing.compiled.cluster.proxies[0]!.of(4)!;
  expect(proxy.failures).toBeGreaterThan(0);
  const lost = failing.ended.filter(({ outcome }) => outcome !== "served");
  // Nothing changes after the replacements are ready: only the retry mends it, long after the fault is over.
  expect(Math.max(...lost.map(({ startS }) => startS))).toBeGreaterThan(20);
  expect(outcomes(failing.ended, 46, 49)).toEqual(["served"]);
  expect(proxy.isIdle).toBe(true);
});

// Broken on purpose: no pause; no disconnect (partitionApi).
test("apiOutage: traffic goes on, changes wait until it is over", async () => {
  const kill = 'resetPods({ selector: "app=web", count: 2, how: "crash", at: "6s" })';
  const { programmed, ended, finish } = await run(
    `apiOutage({ at: "5s", for: "15s" }), ${kill}`,
    "60s",
  );
  finish();
  expect(programmed.filter((atS) => atS > 5.5 && atS < 20)).toEqual([]);
  expect(programmed.filter((atS) => atS >= 20).length).toBeGreaterThan(0);
  expect(outcomes(ended, 0, 6)).toEqual(["served"]);
  // A crashed process restarts at once in its place: the rules that nobody changed are right again.
  expect(outcomes(ended, 9, 19)).toEqual(["served"]);
});

test("partitionApi: only that node's kube-proxy is behind", async () => {
  const kill = 'resetPods({ selector: "app=web", count: 2, how: "kill", at: "6s" })';
  const cut = (node: string): string =>
    `partitionApi({ nodes: "${node}", components: ["kube-proxy"], at: "5s", for: "15s" })`;
  const own = await run(`${cut("node-1")}, ${kill}`, "30s");
  own.finish();
  expect(
    own.ended.filter((e) => e.startS > 10 && e.startS < 19 && e.outcome !== "served").length,
  ).toBeGreaterThan(20);
  const other = await run(`${cut("node-2")}, ${kill}`, "30s");
  other.finish();
  expect(outcomes(other.ended, 10, 19)).toEqual(["served"]);
});

test("slowApi: an update takes as many times as long, while it lasts", async () => {
  const scale = 'resetPods({ selector: "app=web", count: 1, at: "6s" })';
  const firstAfter = async (faults: string): Promise<number> => {
    const { programmed, finish } = await run(faults, "30s");
    finish();
    return Math.min(...programmed.filter((atS) => atS > 6));
  };
  const plain = await firstAfter(scale);
  const slow = await firstAfter(`slowApi({ factor: 200, at: "5s", for: "20s" }), ${scale}`);
  expect(slow - plain).toBeGreaterThan(1);
});

test("leaderChange: no controller acts until the Lease has run out, and then another one does", async () => {
  // Broken on purpose: a leader that does not die. Lease 15 s, looked at every 2 s (timings §3).
  const kill = 'resetPods({ selector: "app=web", count: 1, how: "kill", at: "6s" })';
  const replacedAt = async (faults: string): Promise<number> => {
    const { events, finish } = await run(faults, "40s");
    finish();
    const created = events.find((event) => event.includes(" pod_created "));
    return Number(created!.split(" ")[0]);
  };
  expect(await replacedAt(kill)).toBeLessThan(6.5);
  const late = await replacedAt(`leaderChange({ at: "5s" }), ${kill}`);
  expect(late).toBeGreaterThan(5 + 15 - 2);
  expect(late).toBeLessThan(5 + 15 + 5);
});

test("mistakes are found together", async () => {
  const text = `import { apiOutage, failSync, partitionApi, slowApi, stopKubeProxy } from "podstorm";
export default {
  duration: "10s",
  cluster: { nodes: 2, zones: 2 },
  faults: [
    stopKubeProxy({ nodes: "outside", at: "1s" }),
    partitionApi({ nodes: "node-1", components: [], at: "1s" }),
    slowApi({ factor: 0, at: "1s" }),
    apiOutage({ what: "etc", at: "1s" }),
    failSync({ nodes: "node-3", at: "1s" }),
  ],
} as any;`;
  const nodes = "node-1, node-2, zone/zone-1, zone/zone-2";
  expect(await mistakesIn({ "scenario.ts": text }, { profile: defaultProfile })).toEqual([
    `scenario.ts:6:21 faults[0].nodes: no node outside; allowed: one of ${nodes}`,
    "scenario.ts:7:37 faults[1].components: []; allowed: a list of at least 1",
    "scenario.ts:8:15 faults[2].factor: 0; allowed: a number from 1 to 100000",
    'scenario.ts:9:17 faults[3].what: "etc"; allowed: "server", "process", "etcd" (did you mean "etcd"?)',
    `scenario.ts:10:16 faults[4].nodes: no node node-3; allowed: one of ${nodes} (did you mean node-1?)`,
  ]);
});

test("leaderChange, and a rollout that nobody leads: the successor knows the old ReplicaSet, and keeps to maxSurge", async () => {
  // Found by soak, seed 9013. Broken on purpose: workers that start before the caches have synced see no old
  // ReplicaSet, and the new one begins with all of its pods at once.
  const { web, at, finish } = await run(
    'leaderChange({ at: "5s" }), rolloutRestart({ workload: "deploy/web", at: "10s" })',
    "60s",
  );
  const before = new Set(web().map(({ metadata }) => metadata.uid));
  let most = 0;
  for (let second = 10; second < 60; second += 0.125) {
    at(second);
    const living = web().filter(({ metadata }) => metadata.deletionTimestampNs === null);
    most = Math.max(most, living.length);
  }
  finish();
  // Of 4, a quarter more: 5.
  expect(most).toBe(5);
  expect(web().filter(({ metadata }) => before.has(metadata.uid))).toEqual([]);
});

test("leaderChange beside a PodDisruptionBudget: the successor looks up its owners", async () => {
  // Broken on purpose: workers that start before the caches have synced, and before their controller is whole.
  const budget = `${webManifest({ replicas: 4 })}---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: web }
spec: { maxUnavailable: 1, selector: { matchLabels: { app: web } } }
`;
  const { compiled, finish } = await run('leaderChange({ at: "5s" })', "60s", budget);
  finish();
  const [stored] = [...compiled.cluster.api.list("PodDisruptionBudget")];
  expect(stored!.status.disruptionsAllowed).toBe(1);
});
