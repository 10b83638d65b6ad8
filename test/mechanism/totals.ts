/** The totals that a shipped scenario's summary is made of, for parameters and constants that a test chooses. */
import { Recording } from "../../src/observe/index.ts";
import type { RunTotals } from "../../src/observe/totals.ts";
import { loadScenario, type LoadOptions } from "../../src/scenario/load.ts";
import { FileMistakes, type Mistake } from "../../src/scenario/mistakes.ts";
import { defaultProfile, type Profile } from "../../src/scenario/profile.ts";
import { overrideProfile } from "../../src/scenario/schema/profile.ts";
import type { ProfileOverride } from "../../src/index.ts";
import { tallied } from "./tally.ts";

/** The default profile with single constants changed, as an author would ask for it. */
export function profileWith(override: ProfileOverride): Profile {
  const found: Mistake[] = [];
  const mistakes = new FileMistakes(null, () => null, found);
  const profile = overrideProfile(defaultProfile, override, mistakes);
  if (found.length > 0) throw new Error(JSON.stringify(found));
  return profile;
}

/** Runs scenarios/NAME.ts to its end, laws included. */
export async function totalsOf(name: string, options: LoadOptions = {}): Promise<RunTotals> {
  const scenario = await loadScenario(`scenarios/${name}.ts`, options);
  const recording = new Recording();
  const { run, end } = tallied(scenario, recording.observers);
  return recording.totals({ ...end, endNs: run.nowNs });
}
