/**
 * That a container that dies again and again is away for 10, 20, 40 ... 300 s (timings §7: the back-off
 * doubles, is at most 300 s, and begins when the container has exited), and that each time costs requests only
 * until the nodes know.
 *
 * Broken on purpose and seen to fail: the back-off does not double; memory of requests is not counted.
 */
import { expect, test } from "vitest";
import { failuresOf, storyOf } from "./totals.ts";

test("the ladder, and the flapping endpoint", async () => {
  const { totals, events } = await storyOf("crashloop");
  const ofPod = (kind: string) => events.filter((told) => told.kind === kind);
  const deaths = ofPod("oom_killed").map(({ atS }) => atS);
  const starts = ofPod("container_started").map(({ atS }) => atS);
  expect(ofPod("oom_killed").every(({ object }) => object.includes("web-small"))).toBe(true);
  expect(starts.length).toBe(7);
  const awayS = starts.map((atS, index) => atS - deaths[index]!);
  // The first restart waits for nothing but the kubelet's next look.
  expect(awayS[0]).toBeLessThan(3);
  // Never earlier than the back-off; the pod worker asks again after 1 to 1.5 times as long.
  for (const [index, backoffS] of [10, 20, 40, 80, 160, 300].entries()) {
    expect(awayS[index + 1]).toBeGreaterThanOrEqual(backoffS);
    expect(awayS[index + 1]).toBeLessThan(1.5 * backoffS + 2);
  }
  // Ready and not ready in turn, as often as it died after it had been ready.
  expect(ofPod("pod_not_ready").length).toBe(deaths.length);
  // Fifteen requests a second are its share: what failed is a second's worth of each death, not of the time away.
  expect(failuresOf(totals, "web")).toBeGreaterThan(deaths.length);
  expect(failuresOf(totals, "web")).toBeLessThan(deaths.length * 20);
});
