/** container_cpu.csv: a row for each run of a container with a CPU limit, and no file where none has one. */
import { expect, test } from "vitest";
import { Recording } from "../../src/observe/index.ts";
import { compile } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, webManifest } from "./files.ts";

/** Two pods of which one crashes at 3 s, under more work than 200m have time for. */
async function rowsWith(limits: string) {
  const text = `import { openLoop, resetPods } from "podstorm";
export default { duration: "6s", cluster: { nodes: 2, manifests: ["web.yaml"] },
  servers: { "deploy/web": { serviceTime: "10ms", startupTime: "100ms" } },
  clients: [{ name: "c", to: "svc/web:8080", timeout: "1s", load: openLoop(60) }],
  faults: [resetPods({ selector: "app=web", count: 1, how: "crash", at: "3s" })],
} as any;`;
  const web = webManifest({ replicas: 2 }).replace("image: web,", `image: web, ${limits},`);
  const files = { "scenario.ts": text, "web.yaml": web };
  const scenario = await loadFiles(files, { profile: defaultProfile });
  const recording = new Recording();
  const run = compile(scenario, recording.observers);
  run.runUntil(scenario.durationNs);
  const end = run.finish();
  expect(end.brokenLaws).toEqual([]);
  const tables = recording.tables({ ...end, endNs: scenario.durationNs });
  const table = tables.find(({ file }) => file === "container_cpu.csv");
  return table === undefined ? null : [...table.rows];
}

// Broken on purpose: a process that has ended goes on throttling its last work.
test("each run has its own", async () => {
  const rows = (await rowsWith("resources: { limits: { cpu: 200m } }"))!;
  expect(rows.map(([, container, restarts, , limit]) => [container, restarts, limit])).toEqual([
    ["web", 0, 200],
    ["web", 0, 200],
    ["web", 1, 200],
  ]);
  const crashed = rows[2]![0];
  expect(rows.filter(([pod]) => pod === crashed).length).toBe(2);
  for (const [pod, , restarts, node, , usedNs, periods, throttledPeriods, throttledNs] of rows) {
    expect(String(node)).toMatch(/^node-[12]$/);
    const ranS = restarts === 1 ? 3 : pod === crashed ? 3 : 6;
    // 20 ms of each 100.
    expect(Number(usedNs)).toBeLessThanOrEqual(0.2e9 * ranS + 0.02e9);
    expect(Number(periods)).toBeLessThanOrEqual(10 * ranS + 2);
    expect(Number(throttledPeriods)).toBeGreaterThan(10);
    expect(Number(throttledPeriods)).toBeLessThanOrEqual(Number(periods));
    expect(Number(throttledNs)).toBeGreaterThan(0.05e9 * Number(throttledPeriods));
  }
});

test("without a limit there is no file", async () => {
  expect(await rowsWith("resources: { requests: { cpu: 200m } }")).toBeNull();
});
