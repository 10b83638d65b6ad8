/**
 * load_skew.csv: how unevenly each Service's requests fell on its endpoints, window by window.
 *
 * Owns: grouping endpoint rows by Service and window, and the skew totals. Refuses to own: the
 * indices' formulas (stats/) and counting (../endpoint-windows.ts).
 */
import type { DurationNs, SimTimeNs } from "../../engine/index.ts";
import { skewIndices } from "../../stats/index.ts";
import type { Directory } from "../directory.ts";
import type { EndpointWindow, EndpointWindows } from "../endpoint-windows.ts";
import { columnsOf } from "../metrics.ts";
import type { Recorder, Row, Table } from "../recorder.ts";
import type { RunTotals, SkewTotals } from "../totals.ts";

const file = "load_skew.csv";

/** Fewer requests per endpoint than this, and the most uneven window would be a quiet one's noise. */
const worstWindowRequestsPerEndpoint = 10;

interface SkewWindow {
  readonly service: number;
  readonly startNs: SimTimeNs;
  readonly windowNs: DurationNs;
  /** Requests per compared endpoint. */
  readonly counts: readonly number[];
  readonly requests: number;
}

export class LoadSkew implements Recorder {
  readonly #windows: EndpointWindows;
  readonly #directory: Directory;

  constructor(windows: EndpointWindows, directory: Directory) {
    this.#windows = windows;
    this.#directory = directory;
  }

  tables(): readonly Table[] {
    return [{ file, columns: columnsOf(file), rows: { [Symbol.iterator]: () => this.#rows() } }];
  }

  *#rows(): Generator<Row> {
    for (const { service, startNs, windowNs, counts, requests } of this.#skewWindows()) {
      const name = this.#directory.service(service);
      const head = [name, startNs, windowNs, requests, counts.length];
      if (requests === 0) {
        yield [...head, null, null, null, null, null];
      } else {
        const { maxOverMean, cv, jain, gini, kolmogorov } = skewIndices(counts);
        yield [...head, maxOverMean, cv, jain, gini, kolmogorov];
      }
    }
  }

  totals(): Partial<RunTotals> {
    const byService = new Map<number, SkewWindow[]>();
    for (const window of this.#skewWindows()) {
      const windows = byService.get(window.service) ?? [];
      windows.push(window);
      byService.set(window.service, windows);
    }
    const services = [...byService].sort(([a], [b]) => a - b);
    // One that no pod ever backs, as an ExternalName, has nothing to be uneven.
    const backed = services.filter(([, windows]) =>
      windows.some(({ counts }) => counts.length > 0),
    );
    return {
      skew: backed.map(([service, windows]) => skew(this.#directory.service(service), windows)),
    };
  }

  /** Windows in order of time, in each all Services in order of their index: with no endpoint as well. */
  *#skewWindows(): Generator<SkewWindow> {
    for (const { startNs, windowNs, rows } of this.#windows.windows()) {
      const countsByService = this.#directory.services.map((): number[] => []);
      let previous = -1;
      for (const row of rows) {
        if (row.compared) this.#count(countsByService, row, previous);
        previous = row.endpoint;
      }
      for (const [service, counts] of countsByService.entries()) {
        const requests = counts.reduce((sum, count) => sum + count, 0);
        yield { service, startNs, windowNs, counts, requests };
      }
    }
  }

  #count(
    countsByService: readonly number[][],
    { endpoint, requests }: EndpointWindow,
    previous: number,
  ): void {
    const counts = countsByService[this.#directory.endpoint(endpoint).service]!;
    // The two addresses of a pod are one endpoint to its load, and come one after the other.
    if (counts.length > 0 && this.#isOtherAddress(previous, endpoint)) {
      counts.push(counts.pop()! + requests);
    } else counts.push(requests);
  }

  #isOtherAddress(previous: number, endpoint: number): boolean {
    if (previous < 0 || previous !== endpoint - 1) return false;
    const { service, pod, address } = this.#directory.endpoint(previous);
    const other = this.#directory.endpoint(endpoint);
    return (
      other.service === service &&
      other.pod === pod &&
      other.address.startsWith("[") !== address.startsWith("[")
    );
  }
}

function skew(service: string, windows: readonly SkewWindow[]): SkewTotals {
  const busy = windows.filter((window) => window.requests > 0);
  const requests = busy.reduce((sum, window) => sum + window.requests, 0);
  const sums = { maxOverMean: 0, cv: 0, jain: 0, gini: 0 };
  let worst: SkewTotals["worst"] = null;
  for (const window of busy) {
    const indices = skewIndices(window.counts);
    sums.maxOverMean += indices.maxOverMean * window.requests;
    sums.cv += indices.cv * window.requests;
    sums.jain += indices.jain * window.requests;
    sums.gini += indices.gini * window.requests;
    if (window.requests < worstWindowRequestsPerEndpoint * window.counts.length) continue;
    if (worst === null || indices.maxOverMean > worst.maxOverMean) {
      worst = { maxOverMean: indices.maxOverMean, windowStartNs: window.startNs };
    }
  }
  const mean = (sum: number) => (requests > 0 ? sum / requests : null);
  return {
    service,
    requests,
    windows: busy.length,
    endpointsMin: windows.reduce((least, { counts }) => Math.min(least, counts.length), Infinity),
    endpointsMax: windows.reduce((most, { counts }) => Math.max(most, counts.length), 0),
    maxOverMean: mean(sums.maxOverMean),
    cv: mean(sums.cv),
    jain: mean(sums.jain),
    gini: mean(sums.gini),
    worst,
  };
}
