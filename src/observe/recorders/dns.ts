/**
 * dns.csv: lookups of names and the queries they took, by client, window and result.
 *
 * Owns: those counts and latencies. A run without a lookup has no such file. Refuses to own: what became
 * of the requests that waited for them (requests.ts).
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { Histogram } from "../../stats/index.ts";
import type { Directory } from "../directory.ts";
import { columnsOf } from "../metrics.ts";
import { lookupResultNames, queryResultNames, type LookupResultCode } from "../observations.ts";
import type { Recorder, Row, Table } from "../recorder.ts";
import type { DnsTotals, RunTotals } from "../totals.ts";
import { quantilesOf } from "./requests.ts";

const file = "dns.csv";

/** One kind of work, by result: the window's latencies, and those of the run so far. */
class Series {
  begun = 0;
  readonly window: (Histogram | undefined)[] = [];
  readonly all: (Histogram | undefined)[] = [];

  record(result: number, latencyNs: number): void {
    (this.window[result] ??= new Histogram()).record(latencyNs);
  }

  close(result: number): Histogram | null {
    const histogram = this.window[result];
    if (histogram === undefined || histogram.count === 0) return null;
    (this.all[result] ??= new Histogram()).merge(histogram);
    return histogram;
  }

  counts(names: readonly string[]): DnsTotals["lookups"] {
    return names.map((result, code) => ({ result, count: this.all[code]?.count ?? 0 }));
  }
}

interface ClientDns {
  readonly lookups: Series;
  readonly queries: Series;
}

export class Dns implements Recorder {
  readonly #directory: Directory;
  private readonly byClient: (ClientDns | undefined)[] = [];
  readonly #rows: Row[] = [];

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  lookupStarted(client: number): void {
    this.of(client).lookups.begun++;
  }

  lookupEnded(
    client: number,
    result: LookupResultCode,
    startedAtNs: SimTimeNs,
    endedAtNs: SimTimeNs,
  ): void {
    this.of(client).lookups.record(result, endedAtNs - startedAtNs);
  }

  dnsQuerySent(client: number): void {
    this.of(client).queries.begun++;
  }

  dnsQueryEnded(client: number, result: number, sentAtNs: SimTimeNs, endedAtNs: SimTimeNs): void {
    this.of(client).queries.record(result, endedAtNs - sentAtNs);
  }

  windowClosed(startNs: SimTimeNs, endNs: SimTimeNs): void {
    for (const [client, dns] of this.byClient.entries()) {
      if (dns === undefined) continue;
      this.#close(client, "lookup", dns.lookups, lookupResultNames, startNs, endNs);
      this.#close(client, "query", dns.queries, queryResultNames, startNs, endNs);
    }
  }

  tables(): readonly Table[] {
    return this.byClient.length === 0 ? [] : [{ file, columns: columnsOf(file), rows: this.#rows }];
  }

  totals(): Partial<RunTotals> {
    if (this.byClient.length === 0) return {};
    const dns = [...this.byClient.entries()].flatMap(([client, own]): DnsTotals[] => {
      if (own === undefined) return [];
      const answered = own.lookups.all[0];
      return [
        {
          client: this.#directory.client(client),
          lookupsStarted: own.lookups.begun,
          lookups: own.lookups.counts(lookupResultNames),
          queriesSent: own.queries.begun,
          queries: own.queries.counts(queryResultNames),
          answeredLatency: answered === undefined ? null : quantilesOf(answered),
        },
      ];
    });
    return { dns };
  }

  #close(
    client: number,
    kind: string,
    series: Series,
    names: readonly string[],
    startNs: SimTimeNs,
    endNs: SimTimeNs,
  ): void {
    for (const [result, name] of names.entries()) {
      const histogram = series.close(result);
      if (histogram === null) continue;
      const { p50Ns, p90Ns, p99Ns, maxNs } = quantilesOf(histogram)!;
      const what = [this.#directory.client(client), startNs, endNs - startNs, kind, name];
      this.#rows.push([...what, histogram.count, p50Ns, p90Ns, p99Ns, maxNs]);
      histogram.reset();
    }
  }

  private of(client: number): ClientDns {
    return (this.byClient[client] ??= { lookups: new Series(), queries: new Series() });
  }
}
