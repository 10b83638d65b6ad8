/**
 * That traffic stays in its zone because of hints, that they are there for the numbers of endpoints for which the
 * controller can be fair, and that nobody looks at load.
 *
 * Broken on purpose and seen to fail: kube-proxy does not read hints; the controller gives a zone fewer endpoints
 * than its share of CPUs needs.
 */
import { describe, expect, test } from "vitest";
import { Recording, type RunTotals } from "../../src/observe/index.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import { loadFiles, webManifest } from "../scenario/files.ts";
import { tallied } from "./tally.ts";
import { failuresOf } from "./totals.ts";

function totalsOf(scenario: ResolvedScenario): RunTotals {
  const recording = new Recording();
  const { run } = tallied(scenario, recording.observers);
  return recording.totals({ endNs: run.nowNs, hops: [], conntracks: [] });
}

function crossZoneShare({ routes }: RunTotals, name: string): number {
  const { answered, toOtherZone } = routes.find(({ client }) => client === name)!;
  return toOtherZone! / answered;
}

describe("three zones alike, topology-mode Auto", () => {
  const metadata = "{ name: auto, annotations: { service.kubernetes.io/topology-mode: Auto } }";
  const service = `
---
{ apiVersion: v1, kind: Service, metadata: ${metadata}, spec: { selector: { app: web }, ports: [{ port: 80 }] } }`;
  const text = `import { openLoop, pods } from "podstorm";
export default { duration: "5s", cluster: { nodes: 3, zones: 3, manifests: ["web.yaml"] },
  clients: [{ name: "auto", to: "svc/auto", load: openLoop(200) }] };`;

  // timings §2.1: hints vanish at 1, 2, 4, 5, 8 and 11 endpoints.
  test.each([
    [3, true],
    [4, false],
    [5, false],
    [6, true],
    [7, true],
    [8, false],
    [9, true],
    [10, true],
    [11, false],
    [12, true],
  ])("%i endpoints: traffic stays in its zone: %s", async (replicas, stays) => {
    const files = { "scenario.ts": text, "web.yaml": webManifest({ replicas, service }) };
    const totals = totalsOf(await loadFiles(files, { profile: defaultProfile }));
    const share = crossZoneShare(totals, "auto");
    if (stays) expect(share).toBe(0);
    else expect(share).toBeGreaterThan(0.4);
  });
});

/** The scenario with another number of pods in zone-1. */
function withPodsInZone1(scenario: ResolvedScenario, replicas: number): ResolvedScenario {
  const deployments = scenario.cluster.deployments.map((each) =>
    each.metadata.name === "nine-a" ? { ...each, spec: { ...each.spec, replicas } } : each,
  );
  return { ...scenario, cluster: { ...scenario.cluster, deployments } };
}

describe("topology-hints", () => {
  test("PreferSameZone stays and overloads, Auto takes from the others, none spreads", async () => {
    const totals = totalsOf(await loadScenario("scenarios/topology-hints.ts"));
    for (const zone of [1, 2, 3]) {
      expect(crossZoneShare(totals, `prefer-zone-${zone}`)).toBe(0);
      expect(crossZoneShare(totals, `none-zone-${zone}`)).toBeGreaterThan(0.5);
      // Eight: Auto gives no hints.
      expect(crossZoneShare(totals, `auto-eight-zone-${zone}`)).toBeGreaterThan(0.5);
      expect(
        failuresOf(totals, `none-zone-${zone}`) + failuresOf(totals, `auto-zone-${zone}`),
      ).toBe(0);
    }
    // One of the three that zone-1 is given is its own: 2/3 +- 4 x sqrt(2/9/1500).
    expect(Math.abs(crossZoneShare(totals, "auto-zone-1") - 2 / 3)).toBeLessThan(0.05);
    expect(crossZoneShare(totals, "auto-zone-2") + crossZoneShare(totals, "auto-zone-3")).toBe(0);
    // 150 a second at one pod that serves 100.
    expect(failuresOf(totals, "prefer-zone-1")).toBeGreaterThan(200);
    expect(failuresOf(totals, "prefer-zone-2") + failuresOf(totals, "prefer-zone-3")).toBe(0);
  });

  test("with as many pods as the others zone-1 is not overloaded", async () => {
    const totals = totalsOf(withPodsInZone1(await loadScenario("scenarios/topology-hints.ts"), 4));
    expect(failuresOf(totals, "prefer-zone-1")).toBe(0);
    expect(crossZoneShare(totals, "prefer-zone-1")).toBe(0);
  });
});
