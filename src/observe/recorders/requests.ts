/**
 * requests.csv: requests and their latency by client, Service, window and outcome.
 *
 * Owns: the latency histograms, one per client, Service and outcome, which are emptied into rows when
 * a window closes. Refuses to own: causes over the run (failures.ts).
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { Histogram } from "../../stats/index.ts";
import { NumberColumn } from "../columns.ts";
import type { Directory } from "../directory.ts";
import { columnsOf } from "../metrics.ts";
import { Outcome, outcomeNames, type OutcomeCode } from "../observations.ts";
import type { Recorder, Row, Table, Trend } from "../recorder.ts";
import type { ClientTotals, DurationQuantiles, RunTotals } from "../totals.ts";

const file = "requests.csv";

/** What one client asked of one Service. */
interface Pair {
  readonly client: number;
  readonly service: number;
  /** By outcome: latencies of the window. */
  readonly window: (Histogram | undefined)[];
  /** Latencies of served requests in closed windows. */
  readonly served: Histogram;
  readonly counts: number[];
  started: number;
  retries: number;
  staleRouted: number;
  staleRoutedFailed: number;
}

export class Requests implements Recorder {
  readonly #directory: Directory;
  /** By client, then by Service. */
  private readonly byClient: (Pair | undefined)[][] = [];
  readonly #rows = {
    pair: [] as Pair[],
    outcome: new NumberColumn(),
    startNs: new NumberColumn(),
    windowNs: new NumberColumn(),
    count: new NumberColumn(),
    p50: new NumberColumn(),
    p90: new NumberColumn(),
    p99: new NumberColumn(),
    max: new NumberColumn(),
  };

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  requestStarted(client: number, service: number): void {
    this.pair(client, service).started++;
  }

  requestEnded(
    client: number,
    service: number,
    outcome: OutcomeCode,
    startedAtNs: SimTimeNs,
    endedAtNs: SimTimeNs,
    attempts: number,
    staleRouted: number,
  ): void {
    const pair = this.pair(client, service);
    const histogram = pair.window[outcome] ?? (pair.window[outcome] = new Histogram());
    histogram.record(endedAtNs - startedAtNs);
    pair.retries += attempts - 1;
    pair.staleRouted += staleRouted;
    if (outcome !== Outcome.served) pair.staleRoutedFailed += staleRouted;
  }

  windowClosed(startNs: SimTimeNs, endNs: SimTimeNs): void {
    for (const pair of this.#pairs()) this.#closeWindow(pair, startNs, endNs);
  }

  tables(): readonly Table[] {
    return [
      { file, columns: columnsOf(file), rows: { [Symbol.iterator]: () => this.#tableRows() } },
    ];
  }

  *#tableRows(): Generator<Row> {
    const rows = this.#rows;
    for (const [i, { client, service }] of rows.pair.entries()) {
      yield [
        this.#directory.client(client),
        this.#directory.service(service),
        rows.startNs.at(i),
        rows.windowNs.at(i),
        outcomeNames[rows.outcome.at(i)]!,
        rows.count.at(i),
        rows.p50.at(i),
        rows.p90.at(i),
        rows.p99.at(i),
        rows.max.at(i),
      ];
    }
  }

  totals(): Partial<RunTotals> {
    return { clients: [...this.#pairs()].map((pair) => this.#clientTotals(pair)) };
  }

  *trends(): Generator<Trend> {
    for (const { client, service, served } of this.#pairs()) {
      const tags = {
        client: this.#directory.client(client),
        service: this.#directory.service(service),
        ...this.#directory.callMark(client, "true"),
      };
      yield { metric: "request_duration", tags, histogram: served };
    }
  }

  #clientTotals(pair: Pair): ClientTotals {
    return {
      client: this.#directory.client(pair.client),
      ...this.#directory.callMark(pair.client, true as const),
      service: this.#directory.service(pair.service),
      started: pair.started,
      byOutcome: outcomeNames.map((outcome, code) => ({ outcome, count: pair.counts[code]! })),
      servedLatency: quantilesOf(pair.served),
      retries: pair.retries,
      staleRouted: pair.staleRouted,
      staleRoutedFailed: pair.staleRoutedFailed,
    };
  }

  *#pairs(): Generator<Pair> {
    for (const services of this.byClient) {
      for (const pair of services ?? []) if (pair !== undefined) yield pair;
    }
  }

  #closeWindow(pair: Pair, startNs: SimTimeNs, endNs: SimTimeNs): void {
    const rows = this.#rows;
    for (let outcome = 0; outcome < outcomeNames.length; outcome++) {
      const histogram = pair.window[outcome];
      if (histogram === undefined || histogram.count === 0) continue;
      const quantiles = quantilesOf(histogram)!;
      rows.pair.push(pair);
      rows.outcome.push(outcome);
      rows.startNs.push(startNs);
      rows.windowNs.push(endNs - startNs);
      rows.count.push(histogram.count);
      rows.p50.push(quantiles.p50Ns);
      rows.p90.push(quantiles.p90Ns);
      rows.p99.push(quantiles.p99Ns);
      rows.max.push(quantiles.maxNs);
      pair.counts[outcome]! += histogram.count;
      if (outcome === Outcome.served) pair.served.merge(histogram);
      histogram.reset();
    }
  }

  private pair(client: number, service: number): Pair {
    return this.byClient[client]?.[service] ?? this.#newPair(client, service);
  }

  #newPair(client: number, service: number): Pair {
    const pair: Pair = {
      client,
      service,
      window: outcomeNames.map(() => undefined),
      served: new Histogram(),
      counts: outcomeNames.map(() => 0),
      started: 0,
      retries: 0,
      staleRouted: 0,
      staleRoutedFailed: 0,
    };
    const services = this.byClient[client] ?? (this.byClient[client] = []);
    services[service] = pair;
    return pair;
  }
}

/** null for none at all. */
export function quantilesOf(histogram: Histogram): DurationQuantiles | null {
  if (histogram.count === 0) return null;
  return {
    p50Ns: Math.round(histogram.quantile(0.5)),
    p90Ns: Math.round(histogram.quantile(0.9)),
    p99Ns: Math.round(histogram.quantile(0.99)),
    maxNs: histogram.max,
  };
}
