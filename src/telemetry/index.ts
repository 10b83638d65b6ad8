/**
 * The room's door: what other tools read of a run.
 *
 * Owns: which instruments a command line asks for, and its mistakes.
 */
import type { DurationNs } from "../engine/index.ts";
import { optionMistake, UserError, type Mistake } from "../scenario/mistakes.ts";
import type { ResolvedScenario } from "../scenario/resolved.ts";
import { DURATION_ALLOWED, parseDuration } from "../scenario/units.ts";
import type { Instrument } from "./contract.ts";
import { openMetrics } from "./openmetrics/index.ts";

export type { Instrument } from "./contract.ts";

/** As typed. */
export interface InstrumentOptions {
  readonly metrics?: string;
  readonly metricsEvery?: string;
}

/** @throws UserError with every mistake in the options */
export function instrumentsOf(
  options: InstrumentOptions,
  scenario: ResolvedScenario,
): readonly Instrument[] {
  const mistakes: Mistake[] = [];
  const found: Instrument[] = [];
  const { metrics, metricsEvery } = options;
  const everyNs = metricsEvery === undefined ? null : positive(metricsEvery, mistakes);
  if (metrics !== undefined) found.push(openMetrics(metrics, scenario, everyNs));
  else if (metricsEvery !== undefined) {
    mistakes.push(optionMistake("--metrics-every", "there is no --metrics", "both, or neither"));
  }
  if (mistakes.length > 0) throw new UserError(mistakes);
  return found;
}

function positive(text: string, mistakes: Mistake[]): DurationNs | null {
  const parsed = parseDuration(text);
  const problem =
    "problem" in parsed ? parsed.problem : parsed.value === 0 ? "it has to be longer" : null;
  if (problem === null && "value" in parsed) return parsed.value;
  const found = `${JSON.stringify(text.slice(0, 40))} (${problem})`;
  mistakes.push(optionMistake("--metrics-every", found, DURATION_ALLOWED));
  return null;
}
