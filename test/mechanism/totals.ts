/** The totals that a shipped scenario's summary is made of, for parameters and constants that a test chooses. */
import { Recording } from "../../src/observe/index.ts";
import type { Observer } from "../../src/observe/observations.ts";
import type { ClientTotals, RunTotals } from "../../src/observe/totals.ts";
import { loadScenario, type LoadOptions } from "../../src/scenario/load.ts";
import { tallied } from "./tally.ts";

/** Runs scenarios/NAME.ts to its end, laws included. */
export async function totalsOf(
  name: string,
  options: LoadOptions = {},
  observers: readonly Observer[] = [],
): Promise<RunTotals> {
  const scenario = await loadScenario(`scenarios/${name}.ts`, options);
  const recording = new Recording();
  const { run, end } = tallied(scenario, [...recording.observers, ...observers]);
  return recording.totals({ ...end, endNs: run.nowNs });
}

/** An event of a run, as events.csv has it. */
export interface Told {
  readonly atS: number;
  readonly kind: string;
  readonly object: string;
}

/** Runs scenarios/NAME.ts with parameters: its totals, and what happened. */
export async function storyOf(
  name: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly totals: RunTotals; readonly events: readonly Told[] }> {
  const events: Told[] = [];
  const totals = await totalsOf(name, { env }, [
    { event: (atNs, kind, object) => events.push({ atS: atNs / 1e9, kind, object }) },
  ]);
  return { totals, events };
}

/** Requests that failed; those still in flight at the end did not. */
export function failedOf({ byOutcome }: ClientTotals): number {
  return byOutcome
    .filter(({ outcome }) => outcome !== "served")
    .reduce((sum, { count }) => sum + count, 0);
}

/** The same, of one client. */
export function failuresOf({ clients }: RunTotals, name: string): number {
  return failedOf(clients.find(({ client }) => client === name)!);
}
