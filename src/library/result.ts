/**
 * What `run` and `runReplications` give.
 *
 * Owns: the figures and rows of a run under the names that docs/metrics.md and docs/thresholds.md document. Refuses to
 * own: how they are come by (observe/, output/).
 */
import type { Cell } from "../observe/recorder.ts";
import type { BrokenLaw } from "../observe/report.ts";
import type { Conclusion } from "../output/conclusion.ts";
import type { ReplicatedSummary } from "../output/replications.ts";
import type { Summary } from "../output/summary.ts";
import { checkThresholds, type ThresholdResult } from "../output/thresholds.ts";
import { optionMistake, UserError } from "../scenario/mistakes.ts";
import { parseThreshold } from "../scenario/thresholds.ts";
import { studentTInterval } from "../stats/intervals.ts";

/** A row of a results file, by its columns. null: no such value, which is not the same as zero. */
export type ResultRow = Readonly<Record<string, Cell>>;

/** A finished run. */
export class RunResult {
  /** What `sim run` writes as summary.json. */
  readonly summary: Summary;
  /** null for a scenario that is no file. */
  readonly replay: string | null;
  readonly #conclusion: Conclusion;

  /** @internal */
  constructor(summary: Summary, conclusion: Conclusion, replay: string | null) {
    this.summary = summary;
    this.replay = replay;
    this.#conclusion = conclusion;
  }

  /** How many requests began, ended, failed and of what. */
  get requests(): Summary["requests"] {
    return this.summary.requests;
  }

  /** Of events and of results: the same scenario and seed give the same, here and by `sim run`. */
  get fingerprints(): Summary["fingerprints"] {
    return this.summary.fingerprints;
  }

  /** Thresholds of the scenario and of the options, each with its figure. */
  get thresholds(): readonly ThresholdResult[] {
    return this.summary.thresholds;
  }

  /** Routing laws found broken: none, unless podstorm is wrong. */
  get brokenLaws(): readonly BrokenLaw[] {
    return this.summary.brokenLaws;
  }

  /** Whether every threshold was kept to and no law was broken: when `sim run` exits with 0. */
  get passed(): boolean {
    return this.brokenLaws.length === 0 && this.thresholds.every(({ passed }) => passed);
  }

  /** Names of its tables, as docs/metrics.md lists them. */
  get files(): readonly string[] {
    return this.#conclusion.tables.map(({ file }) => file);
  }

  /**
   * The rows of a results file.
   * @param file as "endpoint_load.csv"
   * @throws Error for a file that no run has
   */
  table(file: string): ResultRow[] {
    const table = this.#conclusion.tables.find((each) => each.file === file);
    if (table === undefined) {
      throw new Error(`no results file ${file}; there are ${this.files.join(", ")}`);
    }
    const { columns } = table;
    return Array.from(table.rows, (row) =>
      Object.fromEntries(columns.map((column, i) => [column, row[i] ?? null])),
    );
  }

  /**
   * Any figure that a threshold can be put on: `"request_duration{client:web}.p(99)"`.
   * @returns in base units (ns, bytes, a share of 1); null when nothing that was asked for happened
   * @throws {@link UserError} for a figure that there is not, with what was probably meant
   */
  figure(name: string): number | null {
    // The figure is the left side of a threshold; what it is compared with does not matter.
    return this.judge(`${name}>=0`).figure;
  }

  /**
   * Whether it kept to a threshold.
   * @throws {@link UserError} for what is none
   */
  judge(threshold: string): ThresholdResult {
    const parsed = parseThreshold(threshold);
    if ("problem" in parsed) {
      const { problem, allowed, suggestion } = parsed;
      throw new UserError([optionMistake(threshold.slice(0, 80), problem, allowed, suggestion)]);
    }
    return checkThresholds([parsed], this.#conclusion.measured)[0]!;
  }
}

/** Mean of a figure over replications. */
export interface ReplicatedMean {
  readonly mean: number;
  /** Student's t, 95 %; null when fewer than two replications had the figure. */
  readonly low: number | null;
  readonly high: number | null;
  /** Of each replication that had it, in their order. */
  readonly values: readonly number[];
}

/** Finished replications of one experiment. */
export class ReplicationsResult {
  /** Of each replication, in their order. */
  readonly runs: readonly RunResult[];
  /** Every figure of the summaries, with its interval. */
  readonly summary: ReplicatedSummary;

  /** @internal */
  constructor(runs: readonly RunResult[], summary: ReplicatedSummary) {
    this.runs = runs;
    this.summary = summary;
  }

  /** Whether the thresholds hold over all replications, and no law was broken in any. */
  get passed(): boolean {
    const lawful = this.runs.every(({ brokenLaws }) => brokenLaws.length === 0);
    return lawful && this.summary.thresholds.every(({ passed }) => passed);
  }

  /** As {@link RunResult.figure}, with its interval. @throws {@link UserError} when no replication had it */
  figure(name: string, confidence = 0.95): ReplicatedMean {
    const values = this.runs
      .map((each) => each.figure(name))
      .filter((value): value is number => value !== null);
    if (values.length === 0) {
      throw new UserError([optionMistake(name, "nothing of that happened", "what did happen")]);
    }
    if (values.length === 1) return { mean: values[0]!, low: null, high: null, values };
    const { mean, low, high } = studentTInterval(values, confidence);
    return { mean, low, high, values };
  }
}
