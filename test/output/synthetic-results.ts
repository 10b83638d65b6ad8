/**
 * Results and a summary of the synthetic run of test/observe/synthetic.ts.
 *
 * Owns: what the output tests share.
 */
import type { RunEnd } from "../../src/observe/index.ts";
import { summarise, type Summary } from "../../src/output/index.ts";
import { conntracks, endNs, hops, recorded } from "../observe/synthetic.ts";

export const context = { endNs, hops, conntracks };
export const end: RunEnd = {
  hops,
  conntracks,
  brokenLaws: [],
  eventFingerprint: "0123456789abcdef",
};

export function syntheticSummary(changed: Partial<Parameters<typeof summarise>[0]> = {}): Summary {
  return summarise({
    scenario: "synthetic",
    seed: "1",
    durationNs: endNs,
    totals: recorded().totals(context),
    thresholds: [],
    ignored: [],
    end,
    resultsFingerprint: "fedcba9876543210",
    ...changed,
  });
}
