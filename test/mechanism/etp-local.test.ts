/**
 * That what etp-local shows comes from externalTrafficPolicy and from the balancer's checks: each is turned alone.
 *
 * Broken on purpose and seen to fail: the health server counts the endpoints of all nodes; terminating endpoints are
 * not fallen back to; policy Local masquerades.
 */
import { describe, expect, test } from "vitest";
import { Recording, type RouteTotals, type RunTotals } from "../../src/observe/index.ts";
import type { ProfileOverride } from "../../src/index.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { overridden } from "./profiles.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import { tallied } from "./tally.ts";

const load = (how: string, override: ProfileOverride = {}): Promise<ResolvedScenario> =>
  loadScenario("scenarios/etp-local.ts", {
    duration: "45s",
    env: { HOW: how },
    profile: overridden(override),
  });

function totalsOf(scenario: ResolvedScenario): RunTotals {
  const recording = new Recording();
  const { run } = tallied(scenario, recording.observers);
  return recording.totals({ endNs: run.nowNs, hops: [], conntracks: [] });
}

/** Requests of the client that timed out, of all that ended. */
function lost({ clients }: RunTotals, name: string): number {
  const { byOutcome } = clients.find(({ client }) => client === name)!;
  const ended = byOutcome.reduce((sum, { count }) => sum + count, 0);
  return byOutcome.find(({ outcome }) => outcome === "timeout")!.count / ended;
}

const wayOf = ({ routes }: RunTotals, name: string): RouteTotals =>
  routes.find(({ client }) => client === name)!;

/** The Service "local" as it is but for its policy. */
function withPolicyCluster(scenario: ResolvedScenario): ResolvedScenario {
  const services = scenario.cluster.services.map((service) => ({
    ...service,
    spec: { ...service.spec, externalTrafficPolicy: "Cluster" as const, healthCheckNodePort: null },
  }));
  return { ...scenario, cluster: { ...scenario.cluster, services } };
}

describe("etp-local", () => {
  test("policy Local keeps addresses and hops, and loses what comes to a node without a pod", async () => {
    const totals = totalsOf(await load("kill"));
    // Three nodes, two of them with a pod until 10 s: a third, then two thirds, of 45 s.
    expect(lost(totals, "local-node-port")).toBeGreaterThan(1 / 3);
    // Half of the connections for three checks, of which the first comes within 8 s: 16 s to 24 s of 45 s.
    expect(lost(totals, "local-balancer")).toBeGreaterThan((0.5 * 14) / 45);
    expect(lost(totals, "local-balancer")).toBeLessThan((0.5 * 26) / 45);
    expect(lost(totals, "cluster-balancer")).toBeLessThan(0.01);
    const local = wayOf(totals, "local-balancer");
    expect(local).toMatchObject({ toOtherNode: 0, masqueraded: 0, sourcesSeen: 20 });
    const cluster = wayOf(totals, "cluster-balancer");
    expect(cluster).toMatchObject({ masqueraded: cluster.answered, sourcesSeen: 5 });
    // Of the three nodes one holds two thirds of the pods, one a third, one none; later one all, two none:
    // two thirds of the connections either way, +- 4 x sqrt(2/3 x 1/3 / n).
    expect(Math.abs(cluster.toOtherNode / cluster.answered - 2 / 3)).toBeLessThan(
      4 * Math.sqrt(2 / 9 / cluster.answered),
    );
  });

  test("with policy Cluster the same Service loses nothing, and nobody is seen", async () => {
    const totals = totalsOf(withPolicyCluster(await load("kill")));
    expect(lost(totals, "local-balancer")).toBeLessThan(0.01);
    expect(lost(totals, "local-node-port")).toBeLessThan(0.01);
    const way = wayOf(totals, "local-balancer");
    expect(way).toMatchObject({ masqueraded: way.answered, sourcesSeen: 5 });
    expect(totals.targetChanges).toEqual([]);
  });

  test("a balancer that checks four times as often loses a quarter", async () => {
    const slow = totalsOf(await load("kill"));
    const healthCheck = { interval: "2s" } as const;
    const fast = totalsOf(await load("kill", { kubernetes: { loadBalancer: { healthCheck } } }));
    expect(fast.targetChanges[0]!.atNs).toBeLessThan(18e9);
    expect(lost(fast, "local-balancer")).toBeLessThan(0.4 * lost(slow, "local-balancer"));
  });

  test("pods that serve while they terminate give the balancer time: it loses nothing", async () => {
    const totals = totalsOf(await load("delete"));
    expect(lost(totals, "local-balancer")).toBe(0);
    expect(totals.targetChanges.map(({ object, healthy }) => [object, healthy])).toContainEqual([
      "node/node-2",
      false,
    ]);
  });
});
