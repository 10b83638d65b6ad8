/**
 * A budget holds a drain back until replacements are ready, and nothing else does.
 *
 * Broken on purpose and seen to fail: the eviction subresource does not look at the budget.
 */
import { expect, test } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { tallied } from "./tally.ts";

async function play(
  pdb: string,
): Promise<{ failed: number; drained: number[]; refused: number[] }> {
  const scenario = await loadScenario("scenarios/drain-with-pdb.ts", { env: { PDB: pdb } });
  const drained: number[] = [];
  const refused: number[] = [];
  const event = (atNs: number, kind: string): void => {
    if (kind === "node_drained") drained.push(atNs);
    if (kind === "eviction_refused") refused.push(atNs);
  };
  const { tally } = tallied(scenario, [{ event }]);
  return { failed: tally.failed, drained, refused };
}

test("with a budget no request fails, and the drain waits for the new pods", async () => {
  const { failed, drained, refused } = await play("1");
  expect(failed).toBe(0);
  expect(drained.length).toBe(2);
  // Four evictions, of which each but the first waits for a pod that takes more than 12 s.
  expect(drained[1]! - seconds(10)).toBeGreaterThan(seconds(3 * 12));
  // kubectl asks again every 5 s, each time a moment later than that.
  expect(refused.length).toBeGreaterThan(3);
  const waits = refused.slice(1).map((atNs, i) => (atNs - refused[i]!) / seconds(1));
  expect(waits.filter((wait) => wait > 4.9 && wait < 5.5).length).toBeGreaterThan(3);
});

test("without one no eviction is refused, and two pods are left for the load of three", async () => {
  const { failed, drained, refused } = await play("none");
  expect(refused).toEqual([]);
  expect(failed).toBeGreaterThan(100);
  // Twice the preStop sleep, and what kubectl takes to see that the pods are gone.
  expect(drained[1]! - seconds(10)).toBeLessThan(seconds(15));
});
