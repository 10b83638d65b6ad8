/**
 * Requests over time: served and failed, causes, latency.
 *
 * Owns: summing requests.csv up by bins. Quantiles do not add up: of several windows the highest is shown.
 */
import { binOf, zeros } from "./bins.ts";
import { numberOf } from "./csv.ts";
import type { ResultsFolder } from "./folder.ts";
import type { Bins, CauseSeries, ClientSeries } from "./model.ts";

const columns = [
  "client",
  "service",
  "window_start_ns",
  "outcome",
  "count",
  "latency_p50_ns",
  "latency_p90_ns",
  "latency_p99_ns",
];

interface Traffic {
  readonly clients: readonly ClientSeries[];
  readonly causes: readonly CauseSeries[];
}

type Series = ClientSeries & {
  readonly served: number[];
  readonly failed: number[];
  readonly p50Ns: (number | null)[];
  readonly p90Ns: (number | null)[];
  readonly p99Ns: (number | null)[];
};

export async function readTraffic(results: ResultsFolder, bins: Bins): Promise<Traffic> {
  const { windowNs } = results.manifest.parameters;
  const calls = new Set(
    results.summary.clients.flatMap(({ client, isCall }) => (isCall === true ? [client] : [])),
  );
  const clients = new Map<string, Series>();
  const causes = new Map<string, number[]>();
  await results.rows("requests.csv", columns, (cells) => {
    const [name, service, start, outcome, counted, ...quantiles] = cells as string[];
    const key = `${name}\n${service}`;
    let series = clients.get(key);
    if (series === undefined) {
      series = newSeries(name!, service!, calls.has(name!), bins.startNs.length);
      clients.set(key, series);
    }
    const bin = binOf(bins, windowNs, Number(start));
    const count = Number(counted);
    if (outcome === "served") {
      series.served[bin]! += count;
      for (const [i, of] of [series.p50Ns, series.p90Ns, series.p99Ns].entries()) {
        of[bin] = highest(of[bin]!, numberOf(quantiles[i]));
      }
      return;
    }
    series.failed[bin]! += count;
    if (series.isCall) return;
    let counts = causes.get(outcome!);
    if (counts === undefined) causes.set(outcome!, (counts = zeros(bins.startNs.length)));
    counts[bin]! += count;
  });
  return {
    clients: [...clients.values()],
    causes: [...causes].map(([cause, counts]) => ({ cause, counts })),
  };
}

function newSeries(name: string, service: string, isCall: boolean, length: number): Series {
  const none = (): (number | null)[] => Array.from({ length }, () => null);
  return {
    name,
    service,
    isCall,
    served: zeros(length),
    failed: zeros(length),
    p50Ns: none(),
    p90Ns: none(),
    p99Ns: none(),
  };
}

export function highest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}
