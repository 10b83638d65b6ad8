/**
 * That an outage of the API server costs no request by itself: what it costs are pods that stop answering
 * meanwhile, since no node hears of them; and that a rollout waits and goes on by itself afterwards.
 *
 * Broken on purpose and seen to fail: kubelets' writes are committed during the outage (no difference left).
 */
import { expect, test } from "vitest";
import { failuresOf, storyOf } from "./totals.ts";

test.each(["server", "etcd"])("an outage of the %s", async (outage) => {
  const without = await storyOf("api-outage", { OUTAGE: "none" });
  const { totals, events } = await storyOf("api-outage", { OUTAGE: outage });
  // Two of six pods do not listen for 10 s and their containers' start, at 100 requests a second.
  const listens = events.filter(({ kind, atS }) => kind === "container_started" && atS > 25);
  const awayS = listens.slice(0, 2).reduce((sum, { atS }) => sum + atS + 10 - 25, 0);
  const lost = (100 * awayS) / 6;
  expect(Math.abs(failuresOf(totals, "web") - lost)).toBeLessThan(4 * Math.sqrt(lost));
  // Otherwise until the nodes know, a second or so each: a tenth.
  expect(failuresOf(without.totals, "web")).toBeLessThan(lost / 5);
  expect(failuresOf(totals, "rolling")).toBe(0);

  const during = (kinds: readonly string[], told: typeof events): number =>
    told.filter(({ kind, atS }) => kinds.includes(kind) && atS > 20 && atS < 50).length;
  const changes = ["pod_ready", "pod_not_ready", "pod_created", "pod_terminating"];
  expect(during(changes, events)).toBe(0);
  expect(during(changes, without.events)).toBeGreaterThan(10);
  // Within the 10 s of the kubelets' ticker, and what a connection needs to find out that it is dead.
  const ready = events.filter(({ kind, atS }) => kind === "pod_ready" && atS >= 50);
  expect(ready[0]!.atS).toBeLessThan(50 + 15 + 10);
  expect(ready.length).toBe(6);
});
