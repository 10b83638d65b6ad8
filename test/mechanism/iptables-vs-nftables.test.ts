/**
 * That Services cost first packets and updates what docs/scenarios/iptables-vs-nftables.md says, and that it is the
 * walk through the rules and the length of a sync that do it.
 *
 * Broken on purpose and seen to fail: a rule's walk is not charged to the packet (latency); every Service has
 * position 1 (the table, and latency); syncs of nftables grow with all Services (the table).
 */
import { describe, expect, test } from "vitest";
import { count } from "../../src/output/format.ts";
import type { ProfileOverride } from "../../src/index.ts";
import type { RunTotals } from "../../src/observe/totals.ts";
import { overridden } from "./profiles.ts";
import { expectRow } from "./page.ts";
import { totalsOf } from "./totals.ts";

const name = "iptables-vs-nftables";
const run = (mode: string, services: number, profile = overridden({})): Promise<RunTotals> =>
  totalsOf(name, { env: { MODE: mode, SERVICES: String(services) }, profile });

/** Median latency of served requests by client, in the order of their Services in the list. */
function medians({ clients }: RunTotals): number[] {
  return clients.map(({ servedLatency }) => servedLatency!.p50Ns);
}

describe("the page's table", () => {
  test.each([
    ["iptables", 100],
    ["iptables", 10_000],
    ["nftables", 10_000],
    ["ipvs", 1000],
  ])("%s, %i Services", async (mode, services) => {
    const { kubeProxy, lag } = await run(mode, services);
    const removed = lag.byKind.find(({ change }) => change === "removed")!.lag!;
    const { p50Ns, p90Ns } = kubeProxy.walkTime!;
    const figures = [p50Ns, p90Ns, kubeProxy.syncTime!.p50Ns, removed.p50Ns];
    expectRow(name, [mode, count(services)], figures);
  });
});

test("a Service's place in iptables' list is what its first packets wait for", async () => {
  const latency = medians(await run("iptables", 5000));
  // From 10 % of the list to 90 %: 4,000 rules of 16.7 ns.
  expect(latency.at(-1)! - latency[0]!).toBeCloseTo(4000 * 16.7, -3.5);
  const free: ProfileOverride = { kubernetes: { kubeProxy: { iptables: { ruleWalk: "0" } } } };
  const [first, ...others] = medians(await run("iptables", 5000, overridden(free)));
  for (const other of others) expect(other).toBeCloseTo(first!, -3);
});
