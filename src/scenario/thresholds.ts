/**
 * The text of a threshold: METRIC[{TAG:VALUE,...}].AGGREGATION OPERATOR LIMIT [@CONFIDENCE%], in k6's manner.
 *
 * Owns: reading it, with what is allowed at each place. Refuses to own: which metrics there are
 * (observe/measures.ts) and whether a run keeps to it (output/thresholds.ts).
 */
import { aggregationsOf, allMeasures, type Measure } from "../observe/index.ts";
import { nearest } from "./mistakes.ts";
import { BYTES_ALLOWED, DURATION_ALLOWED, parseBytes, parseDuration } from "./units.ts";

export const thresholdOperators = ["<", "<=", ">", ">=", "==", "!="] as const;
export type ThresholdOperator = (typeof thresholdOperators)[number];

export interface Threshold {
  /** As written. */
  readonly text: string;
  readonly measure: Measure;
  /** Only what has these tags; all have to match. */
  readonly tags: readonly (readonly [tag: string, value: string])[];
  /** "rate", "max", ...; "p" with its quantile. */
  readonly aggregation: string;
  /** 0..1, for "p" alone. */
  readonly quantile: number | null;
  readonly operator: ThresholdOperator;
  /** In base units: ns, bytes, a share of 1, or a number. */
  readonly limit: number;
  /** Of the interval over replications that has to be on the right side: 0.95 for "@95%"; null: the mean. */
  readonly confidence: number | null;
}

export interface ThresholdProblem {
  readonly problem: string;
  readonly allowed: string;
  readonly suggestion: string | null;
}

export const THRESHOLD_ALLOWED =
  'METRIC[{TAG:VALUE,...}].AGGREGATION OPERATOR LIMIT [@CONFIDENCE%], such as "requests_failed.rate<0.1%" (docs/thresholds.md)';

const SHAPE =
  /^\s*(?<metric>[\w.]+?)\s*(?:\{(?<tags>[^{}]*)\})?\s*\.\s*(?<how>[a-z]+)(?:\(\s*(?<n>[\d.]+)\s*\))?\s*(?<operator><=|>=|==|!=|<|>)\s*(?<limit>[^\s@]+)\s*(?:@\s*(?<confidence>[\d.]+)%)?\s*$/;
const LONGEST_TEXT = 1000;

/** @returns the threshold, or what is wrong with the text and what is allowed there */
export function parseThreshold(text: string): Threshold | ThresholdProblem {
  const parts = text.length > LONGEST_TEXT ? undefined : SHAPE.exec(text)?.groups;
  if (parts === undefined) return problem("not a threshold", THRESHOLD_ALLOWED);
  const { metric = "", how = "", operator = "", limit: limitText = "" } = parts;
  const measures = allMeasures();
  const measure = measures.find(({ name }) => name === metric);
  if (measure === undefined) return unknownMetric(metric, measures);
  const tags = parseTags(measure, parts["tags"] ?? "");
  if (!Array.isArray(tags)) return tags;
  const aggregation = parseAggregation(measure, how, parts["n"]);
  if ("problem" in aggregation) return aggregation;
  const limit = parseLimit(measure, aggregation.aggregation, limitText);
  if ("problem" in limit) return limit;
  const confidence = parseConfidence(parts["confidence"]);
  if (confidence !== null && typeof confidence !== "number") return confidence;
  return {
    text: text.trim(),
    measure,
    tags,
    ...aggregation,
    operator: operator as ThresholdOperator,
    limit: limit.value,
    confidence,
  };
}

/**
 * @param clients what results call the scenario's clients and calls
 * @returns what is wrong with a tag that names none of them
 */
export function unknownClient(
  { tags }: Threshold,
  clients: readonly string[],
): ThresholdProblem | null {
  const wrong = tags.find(([tag, value]) => tag === "client" && !clients.includes(value));
  if (wrong === undefined) return null;
  const allowed = clients.length === 0 ? "none: it has no clients" : clients.join(", ");
  return problem(`the client ${wrong[1]}`, allowed, nearest(wrong[1], clients));
}

function unknownMetric(metric: string, measures: readonly Measure[]): ThresholdProblem {
  const names = measures.map(({ name }) => name);
  const named = names.filter((name) => !name.includes("."));
  const allowed = `${named.join(", ")}, or FILE.COLUMN of a results file (docs/metrics.md)`;
  return problem(`the unknown metric ${metric}`, allowed, nearest(metric, names));
}

function parseTags(measure: Measure, text: string): [string, string][] | ThresholdProblem {
  const tags: [string, string][] = [];
  const allowed = Object.keys(measure.tags);
  const parts = text.split(",").filter((each) => each.trim() !== "");
  for (const part of parts) {
    const at = part.indexOf(":");
    const tag = (at < 0 ? part : part.slice(0, at)).trim();
    const value = at < 0 ? "" : part.slice(at + 1).trim();
    const known = Object.hasOwn(measure.tags, tag) ? measure.tags[tag]! : undefined;
    if (known === undefined) {
      const list = allowed.length === 0 ? "none" : allowed.join(", ");
      return problem(`the tag ${tag} of ${measure.name}`, list, nearest(tag, allowed));
    }
    if (value === "") return problem(`the tag ${tag} without a value`, `${tag}:VALUE`);
    if (known !== null && !known.includes(value)) {
      return problem(`${tag}:${value}`, known.join(", "), nearest(value, known));
    }
    tags.push([tag, value]);
  }
  return tags;
}

function parseAggregation(
  { name, kind }: Measure,
  how: string,
  n: string | undefined,
): Pick<Threshold, "aggregation" | "quantile"> | ThresholdProblem {
  const all = aggregationsOf(kind);
  const allowed = `${name}.${all.join(`, ${name}.`)}`;
  if (how === "p" && all.includes("p(N)")) {
    const percent = Number(n ?? Number.NaN);
    if (!(percent >= 0 && percent <= 100)) return problem(`p(${n ?? ""})`, "p(0) to p(100)");
    return { aggregation: "p", quantile: hundredth(percent) };
  }
  if (n !== undefined || !all.includes(how)) {
    const found = n === undefined ? how : `${how}(${n})`;
    return problem(`the aggregation ${found} of ${name}`, allowed, nearest(how, all));
  }
  return { aggregation: how, quantile: null };
}

/** A count has no unit, whatever is counted. */
function parseLimit(
  { kind, unit }: Measure,
  aggregation: string,
  text: string,
): { readonly value: number } | ThresholdProblem {
  const isRatio = kind === "share" ? aggregation === "rate" : unit === "ratio";
  if (aggregation === "count" || (kind === "count" && aggregation === "rate")) {
    return parseNumber(text, "a number");
  }
  if (isRatio) {
    if (!text.endsWith("%")) return parseNumber(text, 'a share such as "0.1%" or 0.001');
    const percent = parseNumber(text.slice(0, -1), 'a share such as "0.1%" or 0.001');
    return "problem" in percent ? percent : { value: hundredth(percent.value) };
  }
  if (unit === "ns") {
    const parsed = parseDuration(text);
    return "value" in parsed ? parsed : problem(`the limit ${text}`, DURATION_ALLOWED);
  }
  if (unit === "bytes") {
    const parsed = parseBytes(text);
    return "value" in parsed ? parsed : problem(`the limit ${text}`, BYTES_ALLOWED);
  }
  return parseNumber(text, "a number");
}

function parseConfidence(percent: string | undefined): number | null | ThresholdProblem {
  if (percent === undefined) return null;
  const value = Number(percent);
  if (value > 0 && value < 100) return hundredth(value);
  return problem(`the confidence ${percent}%`, "above 0% and below 100%, such as @95%");
}

/** 99.9 / 100 is not 0.999. */
function hundredth(percent: number): number {
  return Number((percent / 100).toPrecision(15));
}

function parseNumber(text: string, allowed: string): { readonly value: number } | ThresholdProblem {
  const isNumber = /^[+-]?(\d+(\.\d*)?|\.\d+)$/.test(text);
  return isNumber ? { value: Number(text) } : problem(`the limit ${text}`, allowed);
}

function problem(
  found: string,
  allowed: string,
  suggestion: string | null = null,
): ThresholdProblem {
  return { problem: found, allowed, suggestion };
}
