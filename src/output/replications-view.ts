/**
 * What is printed of several replications, and their manifest.
 *
 * Owns: which figures a person wants first, and their words; all others are in intervals.csv. Refuses to own: the
 * figures (replications.ts) and the look (summary-text.ts, formats/).
 */
import { generator, type ResultsDigest } from "./folder.ts";
import { counted, duration, figureText, measured, printable } from "./format.ts";
import {
  intervalTable,
  type ReplicatedFigure,
  type ReplicatedSummary,
  type ReplicatedThreshold,
} from "./replications.ts";
import { formatVersion } from "./manifest.ts";
import type { Section } from "./summary-sections.ts";
import type { Summary } from "./summary.ts";
import { lawCase, type Case, type SummaryView } from "./view.ts";

/** Groups of figures as they are shown: what stands before and after a name decides. */
const shown: readonly {
  readonly title: string;
  readonly pattern: RegExp;
}[] = [
  { title: "Requests", pattern: /^requests\.(started|served|failed|retries|staleRouted)$/ },
  { title: "Failures by cause", pattern: /^requests\.byOutcome\[((?!served).*)\]\.count$/ },
  {
    title: "Latency of served requests",
    pattern: /^clients\[(.*)\]\.servedLatency\.(p50|p99|max)Ns$/,
  },
  { title: "Endpoint updates", pattern: /^lag\.byKind\[(.*)\]\.lag\.(p50|p99|max)Ns$/ },
  { title: "Stale routing", pattern: /^stale\.(connections|staleConnections)$/ },
  { title: "Load skew", pattern: /^skew\[(.*)\]\.(maxOverMean|cv|jain|gini)$/ },
  { title: "Dropped packets", pattern: /^drops\[(.*)\]\.packets$/ },
];

export function viewOfReplications(
  combined: ReplicatedSummary,
  summaries: readonly Summary[],
  resultsFingerprint: string,
): SummaryView {
  const { scenario, seed, durationNs, replications, confidence, figures } = combined;
  const brokenLaws = summaries.flatMap((summary) => summary.brokenLaws);
  const failed = figures.find(({ figure }) => figure === "requests.failed");
  const percent = `${100 * confidence} %`;
  return {
    scenario,
    verdict: brokenLaws.length > 0 || (failed?.max ?? 0) > 0 ? "bad" : "good",
    sentences: [
      ...(brokenLaws.length === 0
        ? []
        : ["FAILED: a routing law was broken. This is a fault in podstorm."]),
      failedSentence(failed, replications),
    ],
    title: `${scenario}, seed ${seed}, ${counted(replications, "replication")} of ${duration(durationNs)} simulated; means and ${percent} intervals`,
    sections: [
      ...thresholdSection(combined),
      ...shown.flatMap(({ title, pattern }) => figureSection(title, pattern, figures)),
    ],
    fingerprints: [["results", resultsFingerprint]],
    cases: [...combined.thresholds.map(thresholdCase), lawCase(brokenLaws)],
    data: combined,
    figures: intervalTable(combined),
  };
}

function failedSentence(failed: ReplicatedFigure | undefined, replications: number): string {
  if (failed === undefined || failed.max === 0) {
    return `No request failed in any of ${counted(replications, "replication")}.`;
  }
  const { mean, low, high, min, max } = failed;
  const range = low === null || high === null ? "" : ` (${text(low, "")} to ${text(high, "")})`;
  return `${text(mean, "")} requests failed on average${range}; at least ${min}, at most ${max} in one replication.`;
}

function thresholdSection({ thresholds, replications }: ReplicatedSummary): Section[] {
  if (thresholds.length === 0) return [];
  const rows = thresholds.map((each) => [
    `${each.passed ? "✓" : "✗"} ${printable(each.threshold)}`,
    ...(each.figure === null
      ? ["nothing to measure", ""]
      : [measured(each.figure, each.unit), between(each)]),
    `${each.keptBy} of ${replications}`,
  ]);
  const alarm = thresholds.some(({ passed }) => !passed);
  return [{ title: "Thresholds", head: ["mean", "interval", "kept by"], rows, alarm }];
}

function between({ low, high, unit }: ReplicatedThreshold): string {
  return low === null || high === null ? "-" : `${measured(low, unit)} to ${measured(high, unit)}`;
}

function figureSection(
  title: string,
  pattern: RegExp,
  figures: readonly ReplicatedFigure[],
): Section[] {
  const rows = figures.flatMap(({ figure, mean, low, high, min, max }) => {
    const found = pattern.exec(figure);
    if (found === null) return [];
    const name = found.slice(1).map(inWords).join(" ");
    const interval =
      low === null || high === null ? "-" : `${text(low, figure)} to ${text(high, figure)}`;
    return [[printable(name), text(mean, figure), interval, text(min, figure), text(max, figure)]];
  });
  return rows.length === 0 ? [] : [{ title, head: ["mean", "interval", "min", "max"], rows }];
}

/** "maxOverMean" to "max over mean"; names from outside stay. */
function inWords(name: string): string {
  return /^[a-z]+[A-Z]/.test(name) ? name.replaceAll(/[A-Z]/g, (c) => ` ${c.toLowerCase()}`) : name;
}

/** Below zero an interval may reach where its figure cannot: it is said as it is. */
function text(value: number, figure: string): string {
  if (!figure.endsWith("Ns")) return measured(value, "ratio");
  return value < 0 ? `-${duration(Math.round(-value))}` : duration(Math.round(value));
}

function thresholdCase(result: ReplicatedThreshold): Case {
  const { threshold, passed, figure, unit } = result;
  const interval = figure === null ? "" : `, ${between(result)}`;
  const found = `${figureText(figure, unit)}${interval}`;
  return { name: threshold, failure: passed ? null : found };
}

/** manifest.json of the whole; each replication's folder has its own, with all parameters. */
export function replicationsManifest(
  { scenario, seed, durationNs, replications }: ReplicatedSummary,
  replay: string,
  version: string,
): (digest: ResultsDigest) => object {
  const folders = Array.from({ length: replications }, (_, i) => `replication-${i}`);
  return ({ files, fingerprint }) => ({
    generator,
    formatVersion,
    scenario,
    seed,
    durationNs,
    replications,
    replay,
    versions: { podstorm: version, node: process.version },
    fingerprints: { results: fingerprint },
    files: [...Object.keys(files), "manifest.json", "summary.json", ...folders],
    sha256: files,
  });
}
