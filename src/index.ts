/**
 * podstorm: the words of the scenario language with their types, and `run`, which plays a scenario in this process.
 *
 * Owns: what `import ... from "podstorm"` gives. The words only make plain data; the engine and the statistics
 * are podstorm/engine and podstorm/stats.
 *
 * @module
 */
export * from "./words.ts";
export { run, runReplications } from "./library/run.ts";
export { answer, type AskOptions } from "./answers/ask.ts";
export type { Answer, AnswerOptions, Matter } from "./answers/answer.ts";
export type { ClusterOptions } from "./answers/cluster.ts";
export type { Figure } from "./answers/contract.ts";
export type { QuestionName } from "./answers/questions/index.ts";
export type { SettingName, Settings, Value } from "./answers/settings.ts";
export type { Section } from "./output/summary-sections.ts";
export type { TextRow } from "./output/text-table.ts";
export type { Manifests, ReplicationsOptions, RunOptions, StopSignal } from "./library/options.ts";
export type { ReplicatedMean, ReplicationsResult, ResultRow, RunResult } from "./library/result.ts";
export type { ProgressState } from "./library/slices.ts";
export { UserError, type Mistake } from "./scenario/mistakes.ts";
export type { BrokenLaw } from "./observe/report.ts";
export type { Unit } from "./observe/metrics.ts";
export type { Cell } from "./observe/recorder.ts";
export type * from "./observe/totals.ts";
export type {
  ReplicatedFigure,
  ReplicatedSummary,
  ReplicatedThreshold,
} from "./output/replications.ts";
export type { IgnoredObject, OutcomeCount, Summary } from "./output/summary.ts";
export type { FigureUnit, ThresholdResult } from "./output/thresholds.ts";
