/**
 * That the second hop of a node port is the node's choice among all endpoints, and what it costs is the wire's.
 *
 * Broken on purpose and seen to fail: a node prefers its own endpoints; what is passed on is not masqueraded (the
 * answers go past the node, and nobody knows them).
 */
import { describe, expect, test } from "vitest";
import { Recording, type RunTotals } from "../../src/observe/index.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import { loadFiles, webManifest } from "../scenario/files.ts";
import { overridden } from "./profiles.ts";
import { tallied } from "./tally.ts";

function totalsOf(scenario: ResolvedScenario): RunTotals {
  const recording = new Recording();
  const { run } = tallied(scenario, recording.observers);
  return recording.totals({ endNs: run.nowNs, hops: [], conntracks: [] });
}

const served = ({ clients }: RunTotals, name: string): number =>
  clients.find(({ client }) => client === name)!.byOutcome[0]!.count;

const p50Ns = ({ clients }: RunTotals, name: string): number =>
  clients.find(({ client }) => client === name)!.servedLatency!.p50Ns;

describe("the share that hops", () => {
  test.each([2, 4, 8])(
    "is (n-1)/n of %i nodes, each with a pod; with Local none",
    async (nodes) => {
      const local = `
---
{ apiVersion: v1, kind: Service, metadata: { name: local }, spec: { type: NodePort, externalTrafficPolicy: Local, selector: { app: web }, ports: [{ port: 80 }] } }`;
      const text = `import { nodePort, openLoop, outside } from "podstorm";
const load = openLoop(400);
export default { duration: "5s", cluster: { nodes: ${nodes}, manifests: ["web.yaml"] },
  clients: [{ name: "any", from: outside(1), to: nodePort("svc/web"), load },
    { name: "local", from: outside(1), to: nodePort("svc/local"), load }] };`;
      const manifest = webManifest({ replicas: nodes, service: `\n  type: NodePort${local}` });
      const files = { "scenario.ts": text, "web.yaml": manifest };
      const { routes } = totalsOf(await loadFiles(files, { profile: defaultProfile }));
      const [any, own] = routes;
      const share = (nodes - 1) / nodes;
      const { answered, toOtherNode } = any!;
      expect(answered).toBeGreaterThan(1800);
      // 4 standard deviations.
      expect(Math.abs(toOtherNode / answered - share)).toBeLessThan(
        4 * Math.sqrt((share * (1 - share)) / answered),
      );
      expect(own).toMatchObject({ toOtherNode: 0, masqueraded: 0 });
    },
  );
});

describe("nodeport-hop", () => {
  test("is answered later by two wires, and delivers less", async () => {
    const totals = totalsOf(await loadScenario("scenarios/nodeport-hop.ts"));
    expect(served(totals, "one-another")).toBeGreaterThan(900);
    const laterNs = p50Ns(totals, "one-another") - p50Ns(totals, "one-its-node");
    expect(laterNs).toBeGreaterThan(90e3);
    expect(laterNs).toBeLessThan(300e3);
    // 50 Gbit/s by five NICs, of which each answer takes one, and four fifths of them another: 27.8 Gbit/s.
    const bitsOf = (name: string): number => (served(totals, name) * 64 * 1024 * 8) / 0.5;
    expect(bitsOf("five-any-node-max")).toBeLessThan(27.8e9);
    expect(bitsOf("five-any-node-max")).toBeGreaterThan(0.85 * 27.8e9);
    expect(bitsOf("five-local-max")).toBeGreaterThan(1.4 * bitsOf("five-any-node-max"));
  });

  test("delivers almost as much through any node where links are ten times as fast", async () => {
    const fast = { linkRateBps: 1e11 };
    const profile = overridden({ network: { nic: fast, switchPort: fast } });
    const totals = totalsOf(await loadScenario("scenarios/nodeport-hop.ts", { profile }));
    const ratio = served(totals, "five-local-max") / served(totals, "five-any-node-max");
    expect(ratio).toBeGreaterThan(1);
    expect(ratio).toBeLessThan(1.25);
  });
});
