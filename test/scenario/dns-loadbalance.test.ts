/** Plugin loadbalance: every answer has its addresses in an order of its own, and clients take the first. */
import { expect, test } from "vitest";
import { compile } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, webManifest } from "./files.ts";

// Broken on purpose: addresses as they are stored (one endpoint got every connection); only the first swapped away.
test("a headless Service's connections are spread over its endpoints by the order of the answers", async () => {
  const text = `import { openLoop } from "podstorm";
export default {
  duration: "20s",
  cluster: { nodes: 2, manifests: ["web.yaml"], dns: {} },
  clients: [{ name: "c", to: "dns://web:80", resolver: { pick: "first", cache: "none" }, load: openLoop(30) }],
} as any;`;
  const manifest = webManifest({ replicas: 4, service: "\n  clusterIP: None" });
  const scenario = await loadFiles(
    { "scenario.ts": text, "web.yaml": manifest },
    { profile: defaultProfile },
  );
  const dialled = new Map<number, number>();
  const run = compile(scenario, [
    {
      connectionDialled: (_node, endpoint) =>
        void dialled.set(endpoint, (dialled.get(endpoint) ?? 0) + 1),
    },
  ]);
  run.runUntil(scenario.durationNs);
  const counts = [...dialled.values()];
  const all = counts.reduce((sum, count) => sum + count, 0);
  expect(all).toBeGreaterThan(500);
  expect(counts).toHaveLength(4);
  // Binomial(n, 1/4): five standard deviations.
  for (const count of counts) {
    expect(Math.abs(count - all / 4)).toBeLessThan(5 * Math.sqrt((all * 3) / 16));
  }
  expect(run.finish().brokenLaws).toEqual([]);
});
