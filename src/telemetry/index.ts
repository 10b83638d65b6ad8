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
import { captureRequest, captures } from "./pcap/index.ts";
import { requestFilter } from "./traces/filter.ts";
import { traces } from "./traces/index.ts";

export type { Instrument } from "./contract.ts";

/** As typed. */
export interface InstrumentOptions {
  readonly metrics?: string;
  readonly metricsEvery?: string;
  readonly trace?: readonly string[];
  readonly traceFilter?: readonly string[];
  readonly traceLimit?: number;
  readonly pcap?: readonly string[];
  readonly replication?: number;
}

/** Requests in a trace, unless somebody asks for another number: what a browser shows at once. */
const TRACE_LIMIT = 1000;

/**
 * @param version of podstorm, which files tell
 * @throws UserError with every mistake in the options
 */
export function instrumentsOf(
  options: InstrumentOptions,
  scenario: ResolvedScenario,
  version: string,
): readonly Instrument[] {
  const mistakes: Mistake[] = [];
  const found = [
    ...metricsOf(options, scenario, mistakes),
    ...tracesOf(options, scenario, version, mistakes),
    ...capturesOf(options, mistakes),
  ];
  if (mistakes.length > 0) throw new UserError(mistakes);
  return found;
}

function metricsOf(
  { metrics, metricsEvery }: InstrumentOptions,
  scenario: ResolvedScenario,
  mistakes: Mistake[],
): Instrument[] {
  const everyNs = metricsEvery === undefined ? null : positive(metricsEvery, mistakes);
  if (metrics !== undefined) return [openMetrics(metrics, scenario, everyNs)];
  refuseAlone({ "--metrics-every": metricsEvery }, "--metrics", mistakes);
  return [];
}

function tracesOf(
  { trace, traceFilter, traceLimit, replication = 0 }: InstrumentOptions,
  scenario: ResolvedScenario,
  version: string,
  mistakes: Mistake[],
): Instrument[] {
  const filterTexts = traceFilter ?? [];
  const filter = requestFilter(filterTexts, mistakes);
  if (trace === undefined) {
    refuseAlone(
      { "--trace-filter": traceFilter, "--trace-limit": traceLimit },
      "--trace",
      mistakes,
    );
    return [];
  }
  const limit = traceLimit ?? TRACE_LIMIT;
  return [traces(scenario, { paths: trace, filter, filterTexts, limit, replication, version })];
}

function capturesOf({ pcap = [] }: InstrumentOptions, mistakes: Mistake[]): Instrument[] {
  const requests = pcap.flatMap((text) => captureRequest(text, mistakes) ?? []);
  return requests.length === 0 ? [] : [captures(requests)];
}

/** Options that say something of another one, which is not there. */
function refuseAlone(
  options: Readonly<Record<string, unknown>>,
  needed: string,
  mistakes: Mistake[],
): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    mistakes.push(optionMistake(name, `there is no ${needed}`, "both, or neither"));
  }
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
