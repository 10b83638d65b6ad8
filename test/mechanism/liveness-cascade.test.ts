/**
 * That a burst kills servers by their own liveness probes, and that those left cannot carry what the others
 * carried: with readiness or a longer time-out no container is restarted, and the burst is over when it is over.
 *
 * Broken on purpose and seen to fail: an HTTP probe is answered by the kernel, as a TCP one is.
 */
import { expect, test } from "vitest";
import { failuresOf, storyOf, type Told } from "./totals.ts";

const killed = (events: readonly Told[], name: string): number[] =>
  events
    .filter(({ kind, object }) => kind === "container_killed" && object.includes(`/${name}-`))
    .map(({ atS }) => atS);

test("restarts go on after the burst, with liveness only", async () => {
  const { totals, events } = await storyOf("liveness-cascade");
  const kills = killed(events, "liveness");
  expect(kills.length).toBeGreaterThan(4);
  // The burst is from 20 s to 30 s.
  expect(Math.min(...kills)).toBeGreaterThan(20);
  expect(Math.max(...kills)).toBeGreaterThan(40);
  expect(killed(events, "readiness")).toEqual([]);
  expect(killed(events, "patient")).toEqual([]);
  for (const other of ["readiness", "patient"])
    expect(failuresOf(totals, "liveness")).toBeGreaterThan(3 * failuresOf(totals, other));
});

test("a burst that the pods can serve restarts none", async () => {
  const { totals, events } = await storyOf("liveness-cascade", { PEAK: "360" });
  expect(events.filter(({ kind }) => kind === "container_killed")).toEqual([]);
  expect(failuresOf(totals, "liveness")).toBeLessThan(10);
});
