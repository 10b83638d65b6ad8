/**
 * A reset deep in a shop is felt at the front door, and through whom: time-outs hold the workers of those in between,
 * who then turn others away. Tries alone do not help that, a short time-out alone fails calls, both together do.
 *
 * Broken on purpose and seen to fail: a server that frees its worker before its calls end (nobody is turned away), and
 * one that answers whatever its calls came to (no customer fails).
 */
import { expect, test } from "vitest";
import type { RunTotals } from "../../src/observe/totals.ts";
import { expectRow } from "./page.ts";
import { failuresOf, storyOf } from "./totals.ts";

function causeOf({ clients }: RunTotals, cause: string, ...names: string[]): number {
  return clients
    .filter(({ client }) => names.includes(client))
    .flatMap(({ byOutcome }) => byOutcome)
    .filter(({ outcome }) => outcome === cause)
    .reduce((sum, { count }) => sum + count, 0);
}

async function play(env: Readonly<Record<string, string>>) {
  const { totals } = await storyOf("shop", env);
  return {
    customers: failuresOf(totals, "customers"),
    timedOut: causeOf(totals, "timeout", "catalog -> inventory"),
    turnedAway: causeOf(totals, "overloaded", "front -> search", "front -> recommend"),
  };
}

test("waiting for dead pods fills the workers in front of them", async () => {
  const [asIs, tries, quick, both] = await Promise.all([
    play({}),
    play({ TRIES: "3" }),
    play({ TIMEOUT: "100ms" }),
    play({ TIMEOUT: "100ms", TRIES: "3" }),
  ]);
  for (const { turnedAway } of [asIs, tries]) expect(turnedAway).toBeGreaterThan(100);
  for (const { turnedAway } of [quick, both]) expect(turnedAway).toBeLessThan(20);
  expect(tries.timedOut).toBeLessThan(asIs.timedOut / 4);
  expect(tries.customers).toBeGreaterThan(asIs.customers / 2);
  expect(both.customers).toBeLessThan(asIs.customers / 4);
  const rows = [
    ["none", asIs],
    ["`TRIES=3`", tries],
    ["`TIMEOUT=100ms`", quick],
    ["`TIMEOUT=100ms`, `TRIES=3`", both],
  ] as const;
  for (const [name, { customers, timedOut, turnedAway }] of rows) {
    expectRow("shop", [name], [customers, timedOut, turnedAway]);
  }
});
