/**
 * How a change of a headless Service comes to its clients: by each DNS server's own watch and cache, and by no kube-proxy.
 */
import { expect, test } from "vitest";
import { Recording } from "../../src/observe/index.ts";
import { metricsFiles } from "../../src/observe/metrics.ts";
import { compile } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, webManifest } from "./files.ts";

type Cells = Record<string, string | number | null>;

/** One of two pods goes at 10.5 s; a client asks every 100 ms and keeps nothing. */
async function run(cache: string, clusterIP = "None") {
  const text = `import { openLoop, resetPods } from "podstorm";
export default { duration: "60s",
  cluster: { nodes: 2, manifests: ["web.yaml"], dns: { ${cache} } },
  servers: { "deploy/web": { serviceTime: "1ms" } },
  clients: [{ name: "c", to: "dns://web:${clusterIP === "None" ? 80 : 8080}", timeout: "1s",
    resolver: { pick: "random" }, load: openLoop(10, { arrivals: "deterministic" }) }],
  faults: [resetPods({ selector: "app=web", count: 1, how: "kill", at: "10.5s" })],
} as any;`;
  const web = webManifest({ replicas: 2 }).replace(
    "spec:\n  selector: { app",
    `spec:\n  clusterIP: ${clusterIP}\n  selector: { app`,
  );
  const scenario = await loadFiles(
    { "scenario.ts": text, "web.yaml": web },
    { profile: defaultProfile },
  );
  const recording = new Recording();
  const stale: number[] = [];
  const syncs: number[] = [];
  const compiled = compile(scenario, [
    ...recording.observers,
    {
      connectionDialled: (_node, _endpoint, atNs, isStale) => {
        if (isStale === 1) stale.push(atNs / 1e9);
      },
      rulesSynced: (_node, startedAtNs) => void syncs.push(startedAtNs),
    },
  ]);
  compiled.runUntil(scenario.durationNs);
  const end = compiled.finish();
  expect(end.brokenLaws).toEqual([]);
  const tables = recording.tables({ ...end, endNs: scenario.durationNs });
  const rowsOf = (file: string): Cells[] => {
    const { columns } = metricsFiles.find((each) => each.file === file)!;
    const rows = [...(tables.find((each) => each.file === file)?.rows ?? [])];
    return rows.map((row) => Object.fromEntries(columns.map(({ name }, i) => [name, row[i]!])));
  };
  return { rowsOf, stale, syncs };
}

const sumOfStages = (row: Cells): number =>
  Object.entries(row).reduce(
    (sum, [name, cell]) => sum + (name.startsWith("stage_") ? Number(cell) : 0),
    0,
  );

/**
 * Seen to fail with keepsUntilNs() giving now, with kube-proxy's watch asking for all slices (it synced), and with rows of
 * endpoint_update_lag.csv that no node can fill.
 */
test("CoreDNS' answers hold it when the cache is over, and no node's rules ever do", async () => {
  const { rowsOf, stale, syncs } = await run("replicas: 1");
  const rows = rowsOf("dns_update_lag.csv");
  expect(rows.map(({ change }) => change)).toEqual(["removed", "added"]);
  const [removed, added] = rows as [Cells, Cells];
  expect(removed["server"]).toMatch(/^kube-system\/coredns-/);
  expect(removed["stage_watch_ns"]).toBeGreaterThan(0);
  expect(removed["stage_cache_ns"]).toBeGreaterThan(5e9);
  for (const row of rows) expect(sumOfStages(row)).toBe(row["lag_ns"]);
  // What clients saw: with one server that is asked all the time they are wrong to that very moment.
  const answeredS = Number(removed["answered_at_ns"]) / 1e9;
  expect(stale.at(-1)!).toBeLessThan(answeredS + 0.01);
  expect(stale.at(-1)!).toBeGreaterThan(answeredS - 0.5);
  // Its replacement is answered from the same moment on: one answer holds both.
  expect(added["answered_at_ns"]).toBe(removed["answered_at_ns"]);
  expect(rowsOf("endpoint_update_lag.csv")).toEqual([]);
  expect(rowsOf("fleet_convergence.csv")).toEqual([]);
  expect(syncs).toEqual([]);
});

test("without a cache it is the watch alone", async () => {
  const { rowsOf } = await run('cache: { success: "0", denial: "0" }');
  const rows = rowsOf("dns_update_lag.csv");
  // Two servers, each by its own watch.
  expect(new Set(rows.map(({ server }) => server)).size).toBe(2);
  expect(rows.map((row) => row["stage_cache_ns"])).toEqual([0, 0, 0, 0]);
  expect(Number(rows[0]!["lag_ns"])).toBeLessThan(0.5e9);
});

test("a Service with a cluster IP is nothing that DNS has to learn of", async () => {
  const { rowsOf, syncs } = await run("replicas: 1", '""');
  expect(rowsOf("dns_update_lag.csv")).toEqual([]);
  expect(rowsOf("endpoint_update_lag.csv").length).toBe(4);
  expect(syncs.length).toBeGreaterThan(0);
});
