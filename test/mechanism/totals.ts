/** The totals that a shipped scenario's summary is made of, for parameters and constants that a test chooses. */
import { Recording } from "../../src/observe/index.ts";
import type { ClientTotals, RunTotals } from "../../src/observe/totals.ts";
import { loadScenario, type LoadOptions } from "../../src/scenario/load.ts";
import { tallied } from "./tally.ts";

/** Runs scenarios/NAME.ts to its end, laws included. */
export async function totalsOf(name: string, options: LoadOptions = {}): Promise<RunTotals> {
  const scenario = await loadScenario(`scenarios/${name}.ts`, options);
  const recording = new Recording();
  const { run, end } = tallied(scenario, recording.observers);
  return recording.totals({ ...end, endNs: run.nowNs });
}

/** Requests that failed; those still in flight at the end did not. */
export function failedOf({ byOutcome }: ClientTotals): number {
  return byOutcome
    .filter(({ outcome }) => outcome !== "served")
    .reduce((sum, { count }) => sum + count, 0);
}
