/**
 * That a preStop sleep helps as far as it is longer than the slowest node's lag, and no further: with quick nodes a short
 * one is enough, with slow ones it is not.
 *
 * Broken on purpose and seen to fail: SIGTERM comes before the sleep; a pod that is told to go stays ready in its slice.
 */
import { describe, expect, test } from "vitest";
import { loadScenario } from "../../src/scenario/load.ts";
import { Recording } from "../../src/observe/index.ts";
import { compile } from "../../src/scenario/compile.ts";

/** Failed requests by client, and the longest lag of a removal, in seconds. */
async function play(minSync: string): Promise<{ failed: number[]; slowestS: number }> {
  const scenario = await loadScenario("scenarios/prestop-sweep.ts", { env: { MIN_SYNC: minSync } });
  const recording = new Recording();
  const run = compile(scenario, recording.observers);
  run.runUntil(scenario.durationNs);
  const { brokenLaws, hops, conntracks } = run.finish();
  expect(brokenLaws).toEqual([]);
  const { clients, lag } = recording.totals({ endNs: run.nowNs, hops, conntracks });
  const failed = clients.map(({ byOutcome }) =>
    byOutcome.reduce((sum, { outcome, count }) => sum + (outcome === "served" ? 0 : count), 0),
  );
  return { failed, slowestS: lag.slowestRemoval!.lagNs / 1e9 };
}

describe("prestop-sweep: sleeps of 0, 1, 2 and 5 s", () => {
  test.each(["0s", "1s", "4s"])("with minSyncPeriod %s", async (minSync) => {
    const { failed, slowestS } = await play(minSync);
    const enough = [0, 1, 2, 5].map((sleep) => sleep > slowestS);
    expect(failed.filter((_count, i) => enough[i])).not.toContain(undefined);
    expect(failed.filter((count, i) => enough[i]! && count > 0)).toEqual([]);
    // Some are not enough, and the shorter the worse.
    expect(failed[0]).toBeGreaterThan(0);
    expect(failed.toSorted((a, b) => b - a)).toEqual(failed);
    expect(enough).toContain(true);
  });

  test("it is the nodes' lag that decides: 2 s are enough for the one and not for the other", async () => {
    const quick = await play("1s");
    const slow = await play("4s");
    expect([quick.failed[2], quick.slowestS < 2]).toEqual([0, true]);
    expect(slow.failed[2]).toBeGreaterThan(50);
    expect(slow.slowestS).toBeGreaterThan(2);
  });
});
