/**
 * The table of a node fills with connections in TIME_WAIT, and new ones of everybody are dropped; a larger table or kept
 * connections cure it. At a tenth of the scenario's size: 13,107 entries and 150 connections a second.
 *
 * Broken on purpose and seen to fail: the table has no limit (nothing is dropped); a full table lets the collector
 * take closing connections one by one, at once (hardly anything is dropped); a packet of a known connection is
 * refused too when the table is full (kept).
 */
import { expect, test } from "vitest";
import type { RunTotals } from "../../src/observe/totals.ts";
import { overridden } from "./profiles.ts";
import { totalsOf } from "./totals.ts";

const tenth = overridden({ network: { conntrack: { minEntries: 13_107, maxPerCore: 3277 } } });
const run = (env: Record<string, string> = {}): Promise<RunTotals> =>
  totalsOf("conntrack-full", { env: { RATE: "140", ...env }, profile: tenth });

function failures({ clients }: RunTotals): Record<string, number> {
  const failed = clients.map(({ client, started, byOutcome }) => {
    const served = byOutcome.find(({ outcome }) => outcome === "served")?.count ?? 0;
    return [client, (started - served) / started] as const;
  });
  return Object.fromEntries(failed);
}

test("a full table drops new connections of everyone, and none that is known", async () => {
  const totals = await run();
  const failed = failures(totals);
  for (const name of ["short-lived", "bystander", "other-node"]) {
    expect(failed[name], name).toBeGreaterThan(0.05);
  }
  expect(failed["kept"]).toBe(0);
  const [drop, ...others] = totals.drops;
  expect(others).toEqual([]);
  expect(drop).toMatchObject({ cause: "conntrack_full", worstHop: "node-2/netfilter" });
});

test.each([
  ["twice the cores, so twice the table", { CORES: "8" }],
  ["kept connections", { KEEP_ALIVE: "1" }],
])("%s: no drop at all", async (_, env) => {
  const totals = await run(env);
  expect(totals.drops).toEqual([]);
  expect(Object.values(failures(totals)).filter((share) => share > 0.001)).toEqual([]);
});
