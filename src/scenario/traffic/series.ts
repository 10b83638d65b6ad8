/**
 * Rates over time: CSV of `timestamp,rps`, and what Prometheus' range queries answer.
 *
 * Owns: reading both, and a rate profile of not too many steps. Refuses to own: logs of single requests
 * (accessLog.ts).
 */
import { Word } from "../import/text.ts";
import { listAt, recordAt, textAt } from "../import/json.ts";
import { isRecord } from "../schema/reading.ts";
import { decimals, durationText, type Traffic, type TrafficFormat } from "./contract.ts";

/** A rate from an instant on, both in seconds. */
export interface Sample {
  readonly atS: number;
  readonly rps: number;
}

/** Steps of a rate profile: a scenario that people still read. */
const MOST_STEPS = 120;
const MOST_SAMPLES = 2_000_000;

/** A rate profile that holds each sample's rate until the next one. */
export function profileOf(samples: readonly Sample[], endS: number): unknown {
  const [first] = samples;
  if (first === undefined) return 0;
  const steps = thinned(samples, endS);
  const stages = steps
    .filter(({ rps }, index) => index === 0 || steps[index - 1]!.rps !== rps)
    .map(({ atS, rps }) => ({ at: durationText((atS - first.atS) * 1e9), rps }));
  return stages.length === 1 ? stages[0]!.rps : new Word("stages", [stages]);
}

/** Means over stretches of equal length, where there are too many. */
function thinned(samples: readonly Sample[], endS: number): Sample[] {
  const start = samples[0]!.atS;
  if (samples.length <= MOST_STEPS) {
    return samples.map(({ atS, rps }) => ({ atS, rps: decimals(rps, 3) }));
  }
  const stepS = (endS - start) / MOST_STEPS;
  const requests = Array.from({ length: MOST_STEPS }, () => 0);
  for (const [index, { atS, rps }] of samples.entries()) {
    let fromS = atS;
    const untilS = samples[index + 1]?.atS ?? endS;
    while (fromS < untilS) {
      const step = Math.min(MOST_STEPS - 1, Math.floor((fromS - start) / stepS));
      const nextS = Math.min(untilS, start + (step + 1) * stepS);
      // The last stretch takes what rounding leaves.
      const toS = nextS > fromS ? nextS : untilS;
      requests[step]! += rps * (toS - fromS);
      fromS = toS;
    }
  }
  return requests.map((count, step) => ({
    atS: start + step * stepS,
    rps: decimals(count / stepS, 3),
  }));
}

function trafficOf(format: string, samples: readonly Sample[], notes: readonly string[]): Traffic {
  const sorted = samples.toSorted((a, b) => a.atS - b.atS);
  const first = sorted[0]!;
  const last = sorted.at(-1)!;
  // The last sample lasts as long as one does.
  const stepS = sorted.length > 1 ? (last.atS - first.atS) / (sorted.length - 1) : 60;
  const endS = last.atS + stepS;
  const most = sorted.reduce((max, { rps }) => Math.max(max, rps), 0);
  const mean = sorted.reduce((sum, { rps }) => sum + rps, 0) / sorted.length;
  return {
    format,
    loads: [
      {
        name: null,
        load: new Word("openLoop", [profileOf(sorted, endS)]),
        startNs: 0,
        stopNs: null,
      },
    ],
    durationNs: Math.round((endS - first.atS) * 1e9),
    thresholds: [],
    report: [
      `${sorted.length} samples over ${durationText((endS - first.atS) * 1e9)}: ` +
        `${decimals(mean, 1)} requests/s on average, ${decimals(most, 1)} at most; Poisson arrivals within a step`,
      ...(sorted.length > MOST_STEPS ? [`averaged to ${MOST_STEPS} steps`] : []),
      ...notes,
    ],
  };
}

/** Seconds since some origin; null for what is no time. */
export function secondsOf(text: string): number | null {
  const trimmed = text.trim().replace(/^"(.*)"$/, "$1");
  if (/^\d{1,16}(\.\d+)?$/.test(trimmed)) {
    const value = Number(trimmed);
    // Milliseconds of an epoch have 13 digits, seconds 10.
    return value > 1e11 ? value / 1000 : value;
  }
  if (!/^\d{4}-\d\d-\d\d/.test(trimmed)) return null;
  const parsed = Date.parse(trimmed.replace(/^(\S+) (\d)/, "$1T$2"));
  return Number.isNaN(parsed) ? null : parsed / 1000;
}

/** `timestamp,rps` with or without a line of names; Grafana's "Series joined by time" too. */
export const csv: TrafficFormat = {
  read(text, mistakes) {
    const lines = text.split(/\r?\n/);
    const cells = (line: string): string[] => line.split(/[,;\t]/).map((each) => each.trim());
    const rows = lines.flatMap((line, index) => (line.trim() === "" ? [] : [{ line, index }]));
    const [first] = rows;
    if (first === undefined || cells(first.line).length < 2) return null;
    const hasNames = secondsOf(cells(first.line)[0]!) === null;
    if (hasNames && !/^"?(time|timestamp|ts|date|datetime)\b/i.test(first.line)) return null;
    const samples: Sample[] = [];
    for (const { line, index } of hasNames ? rows.slice(1) : rows) {
      const [time = "", ...values] = cells(line);
      const atS = secondsOf(time);
      const numbers = values.map((each) => Number(each.replace(/^"(.*)"$/, "$1") || "0"));
      const rps = numbers.reduce((sum, each) => sum + each, 0);
      if (atS === null || !Number.isFinite(rps) || rps < 0 || rps > 1e9) {
        mistakes(index + 1).add(
          [],
          JSON.stringify(line.slice(0, 60)),
          "timestamp,rps: a time and requests per second",
        );
        return null;
      }
      samples.push({ atS, rps });
      if (samples.length > MOST_SAMPLES) {
        mistakes().add([], `more than ${MOST_SAMPLES} samples`, "a coarser series");
        return null;
      }
    }
    if (samples.length === 0) {
      mistakes().add([], "no sample", "lines of timestamp,rps");
      return null;
    }
    return trafficOf("CSV of rates", samples, []);
  },
};

/** What /api/v1/query_range answers: a matrix, whose series are added up. */
export const prometheus: TrafficFormat = {
  read(text, mistakes) {
    const value = parsed(text);
    const data = recordAt(value, "data") ?? (isRecord(value) ? value : null);
    if (data === null || textAt(data, "resultType") === null) return null;
    if (data["resultType"] !== "matrix") {
      mistakes().add(
        ["data", "resultType"],
        JSON.stringify(data["resultType"]),
        '"matrix": a range query',
      );
      return null;
    }
    const series = listAt(data, "result");
    const sums = new Map<number, number>();
    for (const [index, each] of series.entries()) {
      for (const pair of listAt(each, "values")) {
        const [time, number] = Array.isArray(pair) ? (pair as unknown[]) : [];
        const rps = Number(number);
        if (typeof time !== "number" || !(rps >= 0 || Number.isNaN(rps)) || rps > 1e9) {
          mistakes().add(
            ["data", "result", index, "values"],
            JSON.stringify(pair).slice(0, 60),
            '[time, "rate"]',
          );
          return null;
        }
        sums.set(time, (sums.get(time) ?? 0) + (Number.isNaN(rps) ? 0 : rps));
      }
    }
    if (sums.size === 0) {
      mistakes().add(["data", "result"], "no sample", "a query with an answer");
      return null;
    }
    const samples = [...sums].map(([atS, rps]) => ({ atS, rps }));
    const notes = series.length > 1 ? [`${series.length} series, added up`] : [];
    return trafficOf("Prometheus range", samples, notes);
  },
};

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
