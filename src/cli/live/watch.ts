/**
 * What a run is like while it goes on: a figure of each kind for each metrics window.
 *
 * Owns: counting, in a few numbers a request. Refuses to own: exact figures, which the results have, and the look (dashboard.ts).
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { Outcome, outcomeNames, type Observer, type OutcomeCode } from "../../observe/index.ts";
import { Histogram } from "../../stats/index.ts";

/** One value for each window that has closed; null: there was nothing. */
export interface LiveSeries {
  readonly requestsPerS: (number | null)[];
  readonly failedPerS: (number | null)[];
  readonly stalePerS: (number | null)[];
  readonly p99Ns: (number | null)[];
  /** The longest of a window, from a change until a node had programmed it. */
  readonly lagNs: (number | null)[];
  /** The most uneven Service: its busiest endpoint over the mean of those that are usable. */
  readonly skew: (number | null)[];
}

/** Too few requests for an endpoint say nothing of how even they are. */
const SKEW_REQUESTS_PER_ENDPOINT = 5;

export class LiveWatch implements Observer {
  readonly series: LiveSeries = {
    requestsPerS: [],
    failedPerS: [],
    stalePerS: [],
    p99Ns: [],
    lagNs: [],
    skew: [],
  };
  ended = 0;
  failed = 0;
  readonly #causes: number[] = outcomeNames.map(() => 0);
  readonly #latency = new Histogram();
  readonly #changedAtNs: SimTimeNs[] = [];
  readonly #serviceOf: number[] = [];
  readonly #isUsable: boolean[] = [];
  /** By endpoint, in this window. */
  readonly #requests: number[] = [];
  #windowEnded = 0;
  #windowFailed = 0;
  #windowStale = 0;
  #windowLagNs = -1;

  /** Causes of failures and how many, the most frequent first. */
  get causes(): readonly (readonly [name: string, count: number])[] {
    return this.#causes
      .map((count, code) => [outcomeNames[code]!, count] as const)
      .filter(([, count]) => count > 0)
      .toSorted((a, b) => b[1] - a[1]);
  }

  endpointNamed(endpoint: number, service: number): void {
    this.#serviceOf[endpoint] = service;
    this.#isUsable[endpoint] ??= true;
    this.#requests[endpoint] ??= 0;
  }

  requestEnded(
    _client: number,
    _service: number,
    outcome: OutcomeCode,
    startedAtNs: SimTimeNs,
    endedAtNs: SimTimeNs,
  ): void {
    this.#windowEnded++;
    if (outcome === Outcome.served) {
      this.#latency.record(endedAtNs - startedAtNs);
      return;
    }
    this.#windowFailed++;
    this.#causes[outcome]!++;
  }

  connectionRouted(_node: number, _endpoint: number, _atNs: SimTimeNs, staleRouted: number): void {
    this.#windowStale += staleRouted;
  }

  endpointRequestStarted(endpoint: number): void {
    this.#requests[endpoint]!++;
  }

  endpointChanged(
    id: number,
    _service: string,
    _address: string,
    _change: string,
    atNs: SimTimeNs,
    usable: 0 | 1,
    endpoint: number,
  ): void {
    this.#changedAtNs[id] = atNs;
    this.#isUsable[endpoint] = usable === 1;
  }

  endpointProgrammed(id: number, _node: string, atNs: SimTimeNs): void {
    const changedAtNs = this.#changedAtNs[id];
    if (changedAtNs === undefined) return;
    this.#windowLagNs = Math.max(this.#windowLagNs, atNs - changedAtNs);
  }

  windowClosed(startNs: SimTimeNs, endNs: SimTimeNs): void {
    const seconds = (endNs - startNs) / 1e9;
    const { series } = this;
    series.requestsPerS.push(this.#windowEnded / seconds);
    series.failedPerS.push(this.#windowFailed / seconds);
    series.stalePerS.push(this.#windowStale / seconds);
    series.p99Ns.push(this.#latency.count === 0 ? null : this.#latency.quantile(0.99));
    series.lagNs.push(this.#windowLagNs < 0 ? null : this.#windowLagNs);
    series.skew.push(this.#skew());
    this.ended += this.#windowEnded;
    this.failed += this.#windowFailed;
    this.#windowEnded = this.#windowFailed = this.#windowStale = 0;
    this.#windowLagNs = -1;
    this.#latency.reset();
    this.#requests.fill(0);
  }

  #skew(): number | null {
    const byService = new Map<number, { sum: number; most: number; endpoints: number }>();
    for (const [endpoint, service] of this.#serviceOf.entries()) {
      const count = this.#requests[endpoint]!;
      if (count === 0 && !this.#isUsable[endpoint]!) continue;
      const own = byService.get(service) ?? { sum: 0, most: 0, endpoints: 0 };
      byService.set(service, own);
      own.sum += count;
      own.most = Math.max(own.most, count);
      own.endpoints++;
    }
    let worst: number | null = null;
    for (const { sum, most, endpoints } of byService.values()) {
      if (sum < SKEW_REQUESTS_PER_ENDPOINT * endpoints || sum === 0) continue;
      worst = Math.max(worst ?? 0, (most * endpoints) / sum);
    }
    return worst;
  }
}

/** Counts failures alone: what the progress bar needs costs nothing where nothing fails. */
export class FailureCount implements Observer {
  failed = 0;

  requestFailed(): void {
    this.failed++;
  }
}
