/**
 * A longer minSyncPeriod makes fewer syncs, and lag, stale routes and failures that are never smaller; the figures are
 * those of docs/scenarios/minsync-tuning.md. One seed for all, so that pods go at the same instants.
 *
 * Broken on purpose and seen to fail: the runner starts a sync at once whatever its period.
 */
import { expect, test } from "vitest";
import { expectRow } from "./page.ts";
import { totalsOf } from "./totals.ts";

const name = "minsync-tuning";

test("minSyncPeriod from 0s to 10s", async () => {
  const found: { period: string; syncs: number; lagNs: number; stale: number; failed: number }[] =
    [];
  for (const period of ["0s", "1s", "10s"]) {
    const { kubeProxy, lag, stale, clients } = await totalsOf(name, { env: { MIN_SYNC: period } });
    const { syncs, busiest } = kubeProxy;
    const { p50Ns, maxNs } = lag.byKind.find(({ change }) => change === "removed")!.lag!;
    const failed = clients
      .flatMap(({ byOutcome }) => byOutcome)
      .reduce((sum, { outcome, count: n }) => sum + (outcome === "served" ? 0 : n), 0);
    found.push({ period, syncs, lagNs: p50Ns, stale: stale.staleConnections, failed });
    const figures = [p50Ns, maxNs, syncs, busiest!.share, stale.staleConnections, failed];
    expectRow(name, [period], figures);
  }
  for (const [index, now] of found.entries()) {
    const before = found[index - 1];
    if (before === undefined) continue;
    expect(now.syncs, now.period).toBeLessThan(before.syncs);
    expect(now.lagNs, now.period).toBeGreaterThan(before.lagNs);
    expect(now.stale, now.period).toBeGreaterThan(before.stale);
    expect(now.failed, now.period).toBeGreaterThan(before.failed);
  }
});
