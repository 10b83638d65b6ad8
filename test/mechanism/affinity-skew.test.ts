/**
 * That affinity's skew comes from how many addresses there are, and that what does not hold is forgotten by the list
 * or by the time-out.
 *
 * Broken on purpose and seen to fail: lists hold 25 addresses (many-200 moved); an entry counts for ever; affinity
 * is kept by source address and port.
 */
import { describe, expect, test } from "vitest";
import { Recording, type RunTotals } from "../../src/observe/index.ts";
import type { ProfileOverride } from "../../src/index.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { overridden } from "./profiles.ts";
import { tallied } from "./tally.ts";

async function totalsOf(env: Record<string, string>, profile: ProfileOverride = {}) {
  const options = { env, profile: overridden(profile) };
  const scenario = await loadScenario("scenarios/affinity-skew.ts", options);
  const recording = new Recording();
  const { run } = tallied(scenario, recording.observers);
  return recording.totals({ endNs: run.nowNs, hops: [], conntracks: [] });
}

function movedShare({ routes }: RunTotals, name: string): number {
  const { answered, moved } = routes.find(({ client }) => client === name)!;
  return moved / answered;
}

const maxOverMean = ({ skew }: RunTotals, name: string): number =>
  skew.find(({ service }) => service === `default/${name}`)!.maxOverMean!;

describe("affinity-skew", () => {
  test("one address is one pod, many are all; a list of a hundred loses a crowd", async () => {
    const totals = await totalsOf({});
    expect(maxOverMean(totals, "nat")).toBe(4);
    expect(maxOverMean(totals, "few")).toBeGreaterThan(1.3);
    expect(maxOverMean(totals, "many")).toBeLessThan(1.3);
    expect(maxOverMean(totals, "free")).toBeLessThan(1.2);
    // Without affinity three of four connections go elsewhere: 4 standard deviations of 3,600.
    expect(Math.abs(movedShare(totals, "free-1") - 0.75)).toBeLessThan(0.03);
    for (const name of ["nat-1", "few-5", "many-200"]) expect(movedShare(totals, name)).toBe(0);
    // Of 200 for each pod a hundred are remembered; of those that come again and are not, three of four move.
    expect(movedShare(totals, "crowd-800")).toBeGreaterThan(0.15);
    // Each address comes every 2 s: e^-0.5 of them after more than 1 s.
    expect(movedShare(totals, "brief-800")).toBeGreaterThan(0.2);
  });

  test("a longer list, or nftables' sets, keep the crowd; the time-out counts all the same", async () => {
    const long = { kubernetes: { kubeProxy: { iptables: { recentListLimit: 1000 } } } };
    for (const totals of [await totalsOf({}, long), await totalsOf({ MODE: "nftables" })]) {
      expect(movedShare(totals, "crowd-800")).toBe(0);
      expect(movedShare(totals, "brief-800")).toBeGreaterThan(0.2);
    }
  });
});
