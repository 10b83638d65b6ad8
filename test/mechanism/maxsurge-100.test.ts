/**
 * maxSurge is how many pods may start at a time: with all of them at once a rollout takes one start of a pod, at the
 * price of twice the pods, and nodes have fewer changes to write one by one.
 *
 * Broken on purpose and seen to fail: the new ReplicaSet grows by one pod at a time, whatever the surge.
 */
import { expect, test } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { tallied } from "./tally.ts";

/** What a rollout at 5 s took, the most pods that there were beside the twelve, and syncs of a node. */
async function play(surge: string): Promise<{ tookS: number; extra: number; syncs: number }> {
  const scenario = await loadScenario("scenarios/maxsurge-100.ts", { env: { SURGE: surge } });
  let now = 0;
  let extra = 0;
  let readyNs = 0;
  let syncs = 0;
  const event = (atNs: number, kind: string): void => {
    if (kind === "pod_created") extra = Math.max(extra, ++now);
    if (kind === "pod_removed") now--;
    if (kind === "pod_ready") readyNs = atNs;
  };
  const { tally } = tallied(scenario, [{ event, rulesSynced: () => void syncs++ }]);
  expect(tally.failed).toBe(0);
  return { tookS: readyNs / seconds(1) - 5, extra, syncs: syncs / 4 };
}

test("all at once: one start of a pod, twice the pods, fewer syncs", async () => {
  const all = await play("100");
  const some = await play("25");
  expect(all.extra).toBe(12);
  // A start is 5 s and a probe; twelve pods in threes are four of them.
  expect(all.tookS).toBeGreaterThan(5);
  expect(all.tookS).toBeLessThan(10);
  expect(some.tookS).toBeGreaterThan(4 * 5);
  // Three beyond twelve, and those that are still in their preStop sleep.
  expect(some.extra).toBeGreaterThanOrEqual(3);
  expect(some.extra).toBeLessThan(12);
  expect(all.syncs).toBeLessThan(some.syncs / 2);
});
