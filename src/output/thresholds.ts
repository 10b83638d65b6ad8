/**
 * Whether a run kept to its thresholds.
 *
 * Owns: the figure of each threshold, by exact counts, merged histograms or the rows of a results file.
 * Refuses to own: their text (scenario/thresholds.ts) and how the outcome is shown (summary-text.ts).
 */
import {
  rank,
  type NamedMeasure,
  type RunTotals,
  type Table,
  type Trend,
  type Unit,
} from "../observe/index.ts";
import type { Threshold, ThresholdOperator } from "../scenario/thresholds.ts";
import { Histogram } from "../stats/index.ts";

export type FigureUnit = Unit | "share";

export interface ThresholdResult {
  readonly threshold: string;
  readonly passed: boolean;
  /** In `unit`; a share is of 1. null when nothing that was asked for happened, which does not pass. */
  readonly figure: number | null;
  readonly unit: FigureUnit;
  readonly operator: ThresholdOperator;
  /** In `unit`. */
  readonly limit: number;
  /** Of the interval that has to be on the right side, over replications; null: the mean has to be. */
  readonly confidence: number | null;
}

export interface Measured {
  readonly durationNs: number;
  readonly totals: RunTotals;
  readonly trends: readonly Trend[];
  readonly tables: readonly Table[];
}

type Tags = Threshold["tags"];
type Figure = number | null;

export function checkThresholds(
  thresholds: readonly Threshold[],
  measured: Measured,
): ThresholdResult[] {
  return thresholds.map((threshold) => {
    const figure = figureOf(threshold, measured);
    const { operator, limit, confidence } = threshold;
    return {
      threshold: threshold.text,
      passed: figure !== null && isKept(figure, operator, limit),
      figure,
      unit: unitOf(threshold),
      operator,
      limit,
      confidence,
    };
  });
}

export function isKept(figure: number, operator: ThresholdOperator, limit: number): boolean {
  return compare[operator](figure, limit);
}

const compare: Readonly<Record<ThresholdOperator, (a: number, b: number) => boolean>> = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
};

function unitOf({ measure, aggregation }: Threshold): FigureUnit {
  if (aggregation === "count") return "count";
  return measure.kind === "share" ? "share" : measure.unit;
}

function figureOf(threshold: Threshold, measured: Measured): Figure {
  const { measure } = threshold;
  if (measure.kind === "column") return columnFigure(threshold, measured.tables);
  return named[measure.name as NamedMeasure](threshold, measured);
}

const named: Readonly<Record<NamedMeasure, (threshold: Threshold, run: Measured) => Figure>> = {
  requests: (threshold, run) => total(threshold, run, clientsOf(threshold, run), "started"),
  request_retries: (threshold, run) => total(threshold, run, clientsOf(threshold, run), "retries"),
  requests_failed: (threshold, run) => {
    const cause = threshold.tags.find(([tag]) => tag === "cause")?.[1];
    const counts = clientsOf(threshold, run).flatMap(({ byOutcome }) => byOutcome);
    const failed = counts.filter(({ outcome }) =>
      cause === undefined ? outcome !== "served" : outcome === cause,
    );
    return share(threshold, sum(failed, "count"), sum(counts, "count"));
  },
  requests_stale_routed: (threshold, run) => {
    const clients = clientsOf(threshold, run);
    const ended = clients.flatMap(({ byOutcome }) => byOutcome);
    return share(threshold, sum(clients, "staleRouted"), sum(ended, "count"));
  },
  request_duration: (threshold, run) => trendFigure(threshold, run.trends),
  packets_dropped: (threshold, run) => {
    const drops = run.totals.drops.filter((each) => hasTags(threshold.tags, each));
    // Nothing dropped is none dropped.
    return perSecond(threshold, run, sum(drops, "packets"));
  },
};

function clientsOf({ tags }: Threshold, { totals }: Measured): RunTotals["clients"] {
  const own = tags.filter(([tag]) => tag !== "cause");
  const counts = takesCalls(own);
  return totals.clients.filter((each) => hasTags(own, each) && (counts || each.isCall !== true));
}

/** Calls of servers are part of the requests that they answer: they count only where they are asked for by name. */
function takesCalls(tags: Tags): boolean {
  return tags.some(([tag]) => tag === "client");
}

function hasTags(tags: Tags, object: object): boolean {
  const fields = object as Readonly<Record<string, unknown>>;
  return tags.every(([tag, value]) => isNamed(String(fields[tag]), value));
}

/** A Service or pod may be named without its namespace. */
function isNamed(name: string, wanted: string): boolean {
  return name === wanted || (!wanted.includes("/") && name.endsWith(`/${wanted}`));
}

function sum<K extends string>(list: readonly Readonly<Record<K, number>>[], field: K): number {
  return list.reduce((all, each) => all + each[field], 0);
}

function total<K extends "started" | "retries">(
  threshold: Threshold,
  run: Measured,
  clients: RunTotals["clients"],
  field: K,
): Figure {
  return clients.length === 0 ? null : perSecond(threshold, run, sum(clients, field));
}

function perSecond({ aggregation }: Threshold, { durationNs }: Measured, count: number): Figure {
  if (aggregation === "count") return count;
  return durationNs === 0 ? null : (count * 1e9) / durationNs;
}

function share({ aggregation }: Threshold, part: number, whole: number): Figure {
  if (whole === 0) return null;
  return aggregation === "count" ? part : part / whole;
}

function trendFigure(threshold: Threshold, trends: readonly Trend[]): Figure {
  const { measure, tags, aggregation, quantile } = threshold;
  const all = new Histogram();
  const counts = takesCalls(tags);
  for (const trend of trends) {
    if (trend.metric !== measure.name || !hasTags(tags, trend.tags)) continue;
    if (counts || trend.tags["isCall"] === undefined) all.merge(trend.histogram);
  }
  if (aggregation === "count") return all.count;
  if (all.count === 0) return null;
  switch (aggregation) {
    case "avg":
      return all.mean;
    case "min":
      return all.min;
    case "max":
      return all.max;
    case "med":
      return all.quantile(0.5);
    default:
      return all.quantile(quantile!);
  }
}

function columnFigure(threshold: Threshold, tables: readonly Table[]): Figure {
  const { measure, tags, aggregation, quantile } = threshold;
  const [file = "", column = ""] = measure.name.split(".");
  const table = tables.find((each) => each.file === `${file}.csv`)!;
  const at = table.columns.indexOf(column);
  const wanted = tags.map(([tag, value]) => [table.columns.indexOf(tag), value] as const);
  const values: number[] = [];
  for (const row of table.rows) {
    const cell = row[at];
    if (typeof cell !== "number") continue;
    if (wanted.every(([place, value]) => isNamed(String(row[place]), value))) values.push(cell);
  }
  return summedUp(values, aggregation, quantile);
}

function summedUp(values: number[], aggregation: string, quantile: number | null): Figure {
  if (aggregation === "count") return values.length;
  if (values.length === 0) return null;
  values.sort((a, b) => a - b);
  const all = values.reduce((whole, each) => whole + each, 0);
  switch (aggregation) {
    case "sum":
      return all;
    case "avg":
      return all / values.length;
    case "min":
      return values[0]!;
    case "max":
      return values.at(-1)!;
    case "med":
      return values[rank(0.5, values.length)]!;
    default:
      return values[rank(quantile!, values.length)]!;
  }
}
