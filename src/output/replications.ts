/**
 * Several independent replications of a run, as one result: each figure with its interval.
 *
 * Owns: which figures there are, their intervals and the two tables. Refuses to own: running (cli/) and the
 * statistics (stats/). A figure is a number of the summary, under its path there (figures.ts).
 */
import type { DurationNs } from "../engine/index.ts";
import type { Table } from "../observe/index.ts";
import { studentTInterval } from "../stats/index.ts";
import { summaryFigures } from "./figures.ts";
import type { Summary } from "./summary.ts";
import { isKept, type FigureUnit, type ThresholdResult } from "./thresholds.ts";

/** Of every interval, unless a threshold asks for another. */
export const CONFIDENCE = 0.95;

export interface ReplicatedFigure {
  readonly figure: string;
  /** Replications that had it. */
  readonly count: number;
  readonly mean: number;
  /** Student's t; null for a figure that fewer than two replications had. */
  readonly low: number | null;
  readonly high: number | null;
  readonly min: number;
  readonly max: number;
}

export interface ReplicatedThreshold extends Omit<ThresholdResult, "figure"> {
  /** Means over replications; null where one of them had nothing to measure. */
  readonly figure: number | null;
  readonly low: number | null;
  readonly high: number | null;
  /** Replications that kept to it by themselves. */
  readonly keptBy: number;
  readonly unit: FigureUnit;
}

export interface ReplicatedSummary {
  readonly scenario: string;
  readonly seed: string;
  readonly durationNs: DurationNs;
  readonly replications: number;
  readonly confidence: number;
  readonly figures: readonly ReplicatedFigure[];
  readonly thresholds: readonly ReplicatedThreshold[];
  /** Of the replications, in their order. */
  readonly fingerprints: readonly Summary["fingerprints"][];
}

/** Lists of what occurred: what is absent from one replication occurred there not once. */
const OCCURRENCES = /^(requests\.byOutcome|drops)\[/;

/** Names of what is compared, not measured. */
const NOT_MEASURED =
  /^(seed|durationNs|fingerprints|ignored|thresholds|brokenLaws)\b|\.(share|atNs)$/;

type Values = Map<string, (number | undefined)[]>;

/** Every numeric figure of the summaries, in the order in which it first appears. */
function valuesOf(summaries: readonly Summary[]): Values {
  const values: Values = new Map();
  for (const [replication, summary] of summaries.entries()) {
    for (const [figure, value] of summaryFigures(summary)) {
      if (typeof value !== "number" || NOT_MEASURED.test(figure)) continue;
      let all = values.get(figure);
      if (all === undefined) values.set(figure, (all = Array.from({ length: summaries.length })));
      all[replication] = value;
    }
  }
  return values;
}

/** @param summaries in the order of the replications, at least one */
export function combine(summaries: readonly Summary[]): ReplicatedSummary {
  const { scenario, seed, durationNs } = summaries[0]!;
  return {
    scenario,
    seed,
    durationNs,
    replications: summaries.length,
    confidence: CONFIDENCE,
    figures: [...valuesOf(summaries)].map(([figure, values]) => {
      const absent = OCCURRENCES.test(figure) ? [0] : [];
      return interval(
        figure,
        values.flatMap((value) => (value === undefined ? absent : [value])),
      );
    }),
    thresholds: summaries[0]!.thresholds.map((_first, i) =>
      threshold(summaries.map(({ thresholds }) => thresholds[i]!)),
    ),
    fingerprints: summaries.map(({ fingerprints }) => fingerprints),
  };
}

function interval(figure: string, values: readonly number[]): ReplicatedFigure {
  const between = values.length < 2 ? null : studentTInterval(values, CONFIDENCE);
  return {
    figure,
    count: values.length,
    mean: values.reduce((sum, value) => sum + value, 0) / values.length,
    low: between?.low ?? null,
    high: between?.high ?? null,
    min: Math.min(...values),
    max: Math.max(...values),
  };
}

/** Kept to if the mean is on the right side; with a confidence, if the whole interval is. */
function threshold(results: readonly ThresholdResult[]): ReplicatedThreshold {
  const { threshold: text, unit, confidence, limit, operator } = results[0]!;
  const asked = { threshold: text, unit, confidence, limit, operator };
  const figures = results.flatMap(({ figure }) => (figure === null ? [] : [figure]));
  const whole = figures.length === results.length;
  const mean = figures.reduce((sum, figure) => sum + figure, 0) / figures.length;
  const between =
    whole && figures.length > 1 ? studentTInterval(figures, confidence ?? CONFIDENCE) : null;
  const judged = confidence === null ? [mean] : [between?.low ?? NaN, between?.high ?? NaN];
  return {
    ...asked,
    passed: whole && judged.every((value) => isKept(value, operator, limit)),
    figure: whole ? mean : null,
    low: between?.low ?? null,
    high: between?.high ?? null,
    keptBy: results.filter(({ passed }) => passed).length,
  };
}

/** Every figure with its interval, a row each. */
export function intervalTable({ figures }: ReplicatedSummary): Table {
  return {
    file: "intervals.csv",
    columns: ["figure", "replications", "mean", "low", "high", "min", "max"],
    rows: figures.map(({ figure, count, mean, low, high, min, max }) => [
      figure,
      count,
      mean,
      low,
      high,
      min,
      max,
    ]),
  };
}

export function replicationTables(
  summaries: readonly Summary[],
  combined: ReplicatedSummary,
): Table[] {
  return [
    intervalTable(combined),
    {
      file: "replications.csv",
      columns: ["figure", "replication", "value"],
      rows: [...valuesOf(summaries)].flatMap(([figure, values]) =>
        values.map((value, replication) => [figure, replication, value ?? null]),
      ),
    },
  ];
}
