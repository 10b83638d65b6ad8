/**
 * What a finished run comes to: its tables, its thresholds and its summary.
 *
 * Owns: asking the recorders once, for all who want to know. Refuses to own: the figures (summary.ts, thresholds.ts)
 * and where they go.
 */
import type { DurationNs } from "../engine/index.ts";
import type { Recording, RunEnd, Table } from "../observe/index.ts";
import type { ResolvedScenario } from "../scenario/resolved.ts";
import { summarise, type Summary } from "./summary.ts";
import { checkThresholds, type Measured } from "./thresholds.ts";

export interface Conclusion {
  readonly tables: readonly Table[];
  /** Of what was recorded beside the rest because it was asked for. */
  readonly requested: readonly Table[];
  /** What any threshold can be put on. */
  readonly measured: Measured;
  /** @param resultsFingerprint of the tables, where they have one */
  summary(resultsFingerprint: string): Summary;
}

/** @param durationNs simulated time that was run */
export function conclude(
  scenario: ResolvedScenario,
  recording: Recording,
  end: RunEnd,
  durationNs: DurationNs,
): Conclusion {
  const context = { ...end, endNs: durationNs };
  const totals = recording.totals(context);
  const tables = recording.tables(context);
  const measured = { durationNs, totals, trends: recording.trends(), tables };
  const thresholds = checkThresholds(scenario.thresholds, measured);
  return {
    tables,
    requested: recording.requestedTables(context),
    measured,
    summary: (resultsFingerprint) =>
      summarise({
        scenario: scenario.name,
        seed: scenario.seed,
        durationNs,
        totals,
        thresholds,
        ignored: scenario.ignored,
        end,
        resultsFingerprint,
      }),
  };
}
