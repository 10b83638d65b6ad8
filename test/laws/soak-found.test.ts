/**
 * Scenarios of the soak that broke law 12 (workloads) when it compared pods with what is stored now: a Deployment's
 * controller decides by what it has seen. Kept as they were found, in test/laws/found/.
 *
 * Broken on purpose: with LATELY_NS of laws/workloads.ts 0, seed 5001 was seen to fail. Seed 9013, a rollout after
 * a change of leader, was not: since that was found a new leader's workers wait for their caches.
 */
import { expect, test } from "vitest";
import { loadScenario } from "../../src/scenario/load.ts";
import { play } from "./law.ts";

test.each([5001, 9013])("seed %d", async (seed) => {
  const { end } = play(await loadScenario(`test/laws/found/${seed}/scenario.ts`));
  expect(end.brokenLaws).toEqual([]);
});
