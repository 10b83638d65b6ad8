/**
 * That a zone's outage reaches other zones by the endpoints that their nodes choose: with trafficDistribution
 * PreferSameZone not at all, without it a third of their requests until the endpoints are gone.
 *
 * Broken on purpose and seen to fail: kube-proxy does not read hints.
 */
import { expect, test } from "vitest";
import { failuresOf, storyOf } from "./totals.ts";

test.each(["power", "network"])("a zone without %s", async (how) => {
  const { totals, events } = await storyOf("zone-outage", { HOW: how });
  const gone = events.filter(
    ({ kind, object, atS }) => kind === "pod_not_ready" && object.includes("/web-") && atS < 100,
  );
  expect(gone.length).toBe(3);
  const meanS = gone.reduce((sum, { atS }) => sum + atS, 0) / gone.length - 20;
  // 50 requests a second, a third of them to the dark zone: within four standard deviations, and a second of lag.
  const lost = (50 * meanS) / 3;
  for (const zone of [1, 2]) {
    expect(failuresOf(totals, `same-zone-zone-${zone}`)).toBe(0);
    const failed = failuresOf(totals, `any-zone-zone-${zone}`);
    expect(Math.abs(failed - lost)).toBeLessThan(4 * Math.sqrt(lost) + 20);
  }
  // Inside the dark zone: without power nobody asks, without a network two thirds are lost to the end of it.
  const inside = failuresOf(totals, "any-zone-zone-3");
  if (how === "network") expect(inside).toBeGreaterThan(50 * 80 * 0.6);
  expect(failuresOf(totals, "same-zone-zone-3")).toBeLessThan(3);
});
