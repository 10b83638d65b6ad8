/**
 * The OpenMetrics text format 1.0, with the time of each scrape.
 *
 * Owns: lines, escapes and numbers. All samples of a family stand together, those of one series in order of time: what
 * `promtool tsdb create-blocks-from openmetrics` reads.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { sampleNames, type Family } from "./families.ts";
import { HistogramSeries, type NumberSeries, type Registry } from "./registry.ts";

const NS_PER_S = 1e9;

export function* openMetricsText(registry: Registry): Generator<string> {
  const times = registry.scrapedAtNs.map(decimalSeconds);
  for (const { family, all } of registry.families) {
    if (all.length === 0) continue;
    yield header(family);
    for (const series of all) {
      if (series instanceof HistogramSeries) yield* histogramLines(family, series, times);
      else yield* numberLines(family, series, times);
    }
  }
  yield "# EOF\n";
}

function header({ name, type, unit, help }: Family): string {
  const lines = [`# TYPE ${name} ${type}`];
  if (unit !== undefined) lines.push(`# UNIT ${name} ${unit}`);
  lines.push(`# HELP ${name} ${escaped(help)}`);
  return `${lines.join("\n")}\n`;
}

function* numberLines(
  family: Family,
  series: NumberSeries,
  times: readonly string[],
): Generator<string> {
  const [sample] = sampleNames(family);
  const labels = labelText(family.labels, series.labels);
  let lines = "";
  for (const [scrape, value] of series.points(times.length)) {
    lines += `${sample}${labels} ${value} ${times[scrape]}\n`;
  }
  yield lines;
}

function* histogramLines(
  family: Family,
  series: HistogramSeries,
  times: readonly string[],
): Generator<string> {
  const { name, boundsS = [] } = family;
  const labels = labelText(family.labels, series.labels);
  const bounds = [...boundsS.map(canonical), "+Inf"];
  const heads = bounds.map(
    (bound) => `${name}_bucket${labelText([...family.labels, "le"], [...series.labels, bound])} `,
  );
  for (const [scrape, { counts, sumNs }] of series.points(times.length)) {
    let lines = "";
    let total = 0;
    for (const [i, head] of heads.entries()) {
      total += counts[i]!;
      lines += `${head}${total} ${times[scrape]}\n`;
    }
    lines += `${name}_count${labels} ${total} ${times[scrape]}\n`;
    lines += `${name}_sum${labels} ${sumNs / NS_PER_S} ${times[scrape]}\n`;
    yield lines;
  }
}

function labelText(names: readonly string[], values: readonly string[]): string {
  return `{${names.map((name, i) => `${name}="${escaped(values[i]!)}"`).join(",")}}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

/** A bound as the format wants it: always with a point, so that "1" and "1.0" are not two series. */
function canonical(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** Exact: a double of seconds would not hold every nanosecond of a long run. */
function decimalSeconds(ns: SimTimeNs): string {
  const fraction = String(ns % NS_PER_S)
    .padStart(9, "0")
    .replace(/0+$/, "");
  return `${Math.floor(ns / NS_PER_S)}${fraction === "" ? "" : `.${fraction}`}`;
}
