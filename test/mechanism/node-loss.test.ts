/**
 * That a lost node's pods get traffic for as long as the lease's grace lasts and no longer, and that
 * tolerationSeconds decides about replacements alone.
 *
 * Broken on purpose and seen to fail: the node controller leaves the pods of a silent node ready; the taint
 * manager does not wait for tolerationSeconds.
 */
import { expect, test } from "vitest";
import { failuresOf, storyOf, type Told } from "./totals.ts";

const lostAtS = 20;

/** When the first event of this kind came to a pod of a Deployment. */
const first = (events: readonly Told[], kind: string, name: string): number =>
  events.find((told) => told.kind === kind && told.object.includes(`/${name}-`))!.atS;

test.each([20, 50])("grace %i s", async (graceS) => {
  const { totals, events } = await storyOf("node-loss", { GRACE: `${graceS}s` });
  for (const [name, tolerationS] of [
    ["patient", 300],
    ["quick", 30],
  ] as const) {
    const goneS = first(events, "pod_not_ready", name) - lostAtS;
    // The controller looks every 5 s; the last lease was renewed up to 10 s before (timings §5).
    expect(goneS).toBeGreaterThan(graceS - 10);
    expect(goneS).toBeLessThan(graceS + 5.1);
    const createdS = first(events, "pod_created", name) - lostAtS;
    expect(createdS).toBeGreaterThan(goneS + tolerationS);
    expect(createdS).toBeLessThan(goneS + tolerationS + 1);
    // One of four endpoints, 20 requests a second, for so long: within four standard deviations.
    const lost = 20 * goneS * 0.25;
    expect(Math.abs(failuresOf(totals, name) - lost)).toBeLessThan(4 * Math.sqrt(lost) + 10);
  }
});
