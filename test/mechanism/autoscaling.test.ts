/**
 * An autoscaler acts on the CPU time that servers have really used, as late as the pipeline brings it.
 *
 * 100 requests/s of 10 ms each are one CPU. Pods ask for 500m and are to use half of it: four pods.
 * Broken on purpose and seen to fail: servers that count no CPU time.
 */
import { expect, test } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import type { Deployment } from "../../src/kubernetes/api/types.ts";
import { compile } from "../../src/scenario/compile.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, webManifest } from "../scenario/files.ts";

const hpa = `---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: web }
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: web }
  maxReplicas: 10
  metrics: [{ type: Resource, resource: { name: cpu, target: { type: Utilization, averageUtilization: 50 } } }]
`;

/** The sizes that the Deployment was given, and when, with the load from second 30 on. */
async function sizesOf(load: string, withScaler = true): Promise<[second: number, size: number][]> {
  const text = `import { closedLoop, openLoop, pods, stages } from "podstorm";
export default { duration: "150s", window: "10s", cluster: { nodes: 2, manifests: ["web.yaml"] },
  servers: { "deploy/web": { concurrency: 64, serviceTime: "10ms" } },
  clients: [{ name: "c", from: pods(1), to: "svc/web:8080", load: ${load}, start: "30s" }] };`;
  const manifest = webManifest({ replicas: 1 }).replace(
    "containerPort: 80 }]",
    "containerPort: 80 }], resources: { requests: { cpu: 500m } }",
  );
  const files = { "scenario.ts": text, "web.yaml": manifest + (withScaler ? hpa : "") };
  const scenario = await loadFiles(files, { profile: defaultProfile });
  const sizes: [number, number][] = [];
  const run = compile(scenario, []);
  run.cluster.onCommit((kind, previous, object) => {
    if (kind !== "Deployment" || previous === null || object === null) return;
    const [before, now] = [previous as Deployment, object as Deployment];
    if (before.spec.replicas === now.spec.replicas) return;
    sizes.push([run.nowNs / seconds(1), now.spec.replicas]);
  });
  run.runUntil(scenario.durationNs);
  expect(run.finish().brokenLaws).toEqual([]);
  return sizes;
}

test("it reaches the size that the load asks for, 15 to 60 s after the load came", async () => {
  const sizes = await sizesOf('openLoop(100, { arrivals: "deterministic" })');
  expect(sizes.length).toBeGreaterThan(0);
  expect(sizes[0]![0] - 30).toBeGreaterThan(10);
  expect(sizes[0]![0] - 30).toBeLessThan(60);
  expect(sizes.at(-1)![1]).toBe(4);
});

test("without load, and without an autoscaler, it stays as it is", async () => {
  expect(await sizesOf('openLoop(10, { arrivals: "deterministic" })')).toEqual([]);
  expect(await sizesOf('openLoop(100, { arrivals: "deterministic" })', false)).toEqual([]);
});

test("hpa-burst: requests fail for want of pods, and the more the later pods come", async () => {
  // Without the burst none fails; with pods that start for longer more do, by the same draws.
  const failedWith = async (env: Record<string, string>): Promise<number> => {
    const scenario = await loadScenario("scenarios/hpa-burst.ts", { env });
    let failed = 0;
    const ended = (_client: number, _service: number, outcome: number): void => {
      if (outcome !== 0) failed++;
    };
    const run = compile(scenario, [{ requestEnded: ended }]);
    run.runUntil(scenario.durationNs);
    expect(run.finish().brokenLaws).toEqual([]);
    return failed;
  };
  const [quiet, early, late] = [
    await failedWith({ PEAK: "100" }),
    await failedWith({}),
    await failedWith({ STARTUP: "30" }),
  ];
  expect(quiet).toBe(0);
  expect(early).toBeGreaterThan(1000);
  expect(late).toBeGreaterThan(early);
});
