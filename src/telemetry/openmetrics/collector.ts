/**
 * Counts what a run tells into its metrics.
 *
 * Owns: which observation moves which metric, and when it is scraped: at the end of the metrics window in which a scrape
 * is due, since an instrument may not add events to a run. Refuses to own: counters of machines (machines.ts).
 */
import type { DurationNs, SimTimeNs } from "../../engine/index.ts";
import type { ProxyModeName } from "../../kubernetes/proxy/modes/index.ts";
import { Directory } from "../../observe/directory.ts";
import {
  LookupResult,
  lookupResultNames,
  Outcome,
  outcomeNames,
  type LookupResultCode,
  type Observer,
  type OutcomeCode,
} from "../../observe/index.ts";
import type { Network } from "../../network/network.ts";
import { families } from "./families.ts";
import { Machines } from "./machines.ts";
import { Registry, type HistogramSeries, type NumberSeries } from "./registry.ts";

export interface CollectorOptions {
  readonly scenario: string;
  readonly seed: string;
  readonly kubernetes: string;
  readonly mode: ProxyModeName;
  readonly everyNs: DurationNs;
}

/** The series of one client and Service. */
interface PairSeries {
  readonly started: NumberSeries;
  readonly byOutcome: (NumberSeries | undefined)[];
  readonly duration: HistogramSeries;
  readonly retries: NumberSeries;
  readonly staleRouted: NumberSeries;
}

/** The series of one proxier; those that its mode of kube-proxy does not have are null. */
interface ProxierSeries {
  readonly sync: HistogramSeries;
  readonly full: HistogramSeries | null;
  readonly partial: HistogramSeries | null;
  readonly failures: NumberSeries | null;
}

export class MetricsCollector implements Observer {
  readonly registry = new Registry();
  readonly #options: CollectorOptions;
  readonly #directory = new Directory();
  readonly #metrics;
  readonly #machines: Machines;
  readonly #pairs: (PairSeries | undefined)[][] = [];
  readonly #proxiers: Record<4 | 6, ProxierSeries[]> = { 4: [], 6: [] };
  readonly #endpoints: { readonly requests: NumberSeries; readonly inFlight: NumberSeries }[] = [];
  readonly #changes: { readonly change: string; readonly atNs: SimTimeNs }[] = [];
  /** (change, node) pairs that were told already: the first report of a node counts. */
  readonly #programmed = new Set<string>();
  #network: Network | null = null;
  #dueNs: SimTimeNs;

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#dueNs = options.everyNs;
    const { registry } = this;
    const { scenario, seed, kubernetes, mode } = options;
    registry.numbers(families.run).of(scenario, seed, kubernetes, mode).set(1);
    this.#metrics = {
      networkProgramming: registry.histograms(families.networkProgramming),
      sync: registry.histograms(families.sync),
      syncFull: registry.histograms(families.syncFull),
      syncPartial: registry.histograms(families.syncPartial),
      lastSync: registry.numbers(families.lastSync),
      restoreFailures: registry.numbers(families.restoreFailures),
      nftablesFailures: registry.numbers(families.nftablesFailures),
      started: registry.numbers(families.requestsStarted),
      requests: registry.numbers(families.requests),
      duration: registry.histograms(families.requestDuration),
      retries: registry.numbers(families.retries),
      staleRouted: registry.numbers(families.staleRouted),
      connections: registry.numbers(families.connections),
      staleConnections: registry.numbers(families.staleConnections),
      endpointRequests: registry.numbers(families.endpointRequests),
      endpointInFlight: registry.numbers(families.endpointInFlight),
      updateLag: registry.histograms(families.updateLag),
      lookups: registry.numbers(families.lookups),
      lookupDuration: registry.histograms(families.lookupDuration),
    };
    this.#machines = new Machines(registry);
  }

  get observers(): readonly Observer[] {
    return [this.#directory, this];
  }

  attach(network: Network): void {
    this.#network = network;
  }

  /** What has happened since the last scrape. */
  finish(nowNs: SimTimeNs): void {
    if (this.registry.scrapedAtNs.at(-1) !== nowNs) this.#scrape(nowNs);
  }

  windowClosed(_startNs: SimTimeNs, endNs: SimTimeNs): void {
    if (endNs >= this.#dueNs) this.#scrape(endNs);
  }

  proxierNamed(node: number, family: 4 | 6): void {
    const { mode } = this.#options;
    // eBPF is no kube-proxy's, and has none of its metrics.
    if (mode === "ebpf") return;
    const { sync, syncFull, syncPartial, restoreFailures, nftablesFailures } = this.#metrics;
    const labels = this.#proxier(node, family);
    const hasPartial = mode !== "ipvs";
    const failures = {
      iptables: restoreFailures,
      ipvs: restoreFailures,
      nftables: nftablesFailures,
    };
    this.#proxiers[family][node] = {
      sync: sync.of(...labels),
      full: hasPartial ? syncFull.of(...labels) : null,
      partial: hasPartial ? syncPartial.of(...labels) : null,
      failures: failures[mode].of(...labels),
    };
  }

  rulesSynced(
    node: number,
    startedAtNs: SimTimeNs,
    endedAtNs: SimTimeNs,
    full: 0 | 1,
    failed: 0 | 1,
    family: 4 | 6,
  ): void {
    const own = this.#proxiers[family][node];
    if (own === undefined) return;
    own.sync.observe(endedAtNs - startedAtNs);
    (full === 1 ? own.full : own.partial)?.observe(endedAtNs - startedAtNs);
    if (failed === 1) own.failures?.add(1);
    else this.#metrics.lastSync.of(...this.#proxier(node, family)).set(endedAtNs / 1e9);
  }

  networkProgrammed(node: number, triggerNs: SimTimeNs, atNs: SimTimeNs, family: 4 | 6): void {
    if (this.#options.mode === "ebpf") return;
    const labels = this.#proxier(node, family);
    this.#metrics.networkProgramming.of(...labels).observe(atNs - triggerNs);
  }

  requestStarted(client: number, service: number): void {
    this.#pair(client, service).started.add(1);
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
    const pair = this.#pair(client, service);
    pair.byOutcome[outcome] ??= this.#metrics.requests.of(
      this.#directory.client(client),
      this.#directory.service(service),
      outcomeNames[outcome]!,
    );
    pair.byOutcome[outcome].add(1);
    if (outcome === Outcome.served) pair.duration.observe(endedAtNs - startedAtNs);
    if (attempts > 1) pair.retries.add(attempts - 1);
    if (staleRouted === 1) pair.staleRouted.add(1);
  }

  connectionRouted(node: number, endpoint: number, _atNs: SimTimeNs, staleRouted: number): void {
    const { service } = this.#directory.endpoint(endpoint);
    const labels = [this.#node(node), this.#directory.service(service)];
    this.#metrics.connections.of(...labels).add(1);
    if (staleRouted === 1) this.#metrics.staleConnections.of(...labels).add(1);
  }

  endpointRequestStarted(endpoint: number): void {
    const own = this.#endpoint(endpoint);
    own.requests.add(1);
    own.inFlight.add(1);
  }

  endpointRequestEnded(endpoint: number): void {
    this.#endpoint(endpoint).inFlight.add(-1);
  }

  endpointChanged(
    id: number,
    _service: string,
    _endpoint: string,
    change: string,
    atNs: SimTimeNs,
  ): void {
    this.#changes[id] = { change, atNs };
  }

  endpointProgrammed(id: number, node: string, atNs: SimTimeNs): void {
    const key = `${id} ${node}`;
    const known = this.#changes[id];
    if (known === undefined || this.#programmed.has(key)) return;
    this.#programmed.add(key);
    this.#metrics.updateLag.of(node, known.change).observe(atNs - known.atNs);
  }

  lookupEnded(
    client: number,
    result: LookupResultCode,
    startedAtNs: SimTimeNs,
    endedAtNs: SimTimeNs,
  ): void {
    const name = this.#directory.client(client);
    this.#metrics.lookups.of(name, lookupResultNames[result]!).add(1);
    if (result !== LookupResult.answered) return;
    this.#metrics.lookupDuration.of(name).observe(endedAtNs - startedAtNs);
  }

  #scrape(nowNs: SimTimeNs): void {
    const { everyNs } = this.#options;
    while (this.#dueNs <= nowNs) this.#dueNs += everyNs;
    if (this.#network !== null) this.#machines.read(this.#network);
    this.registry.scrape(nowNs);
  }

  #pair(client: number, service: number): PairSeries {
    const own = (this.#pairs[client] ??= []);
    return (own[service] ??= this.#newPair(client, service));
  }

  #newPair(client: number, service: number): PairSeries {
    const labels = [this.#directory.client(client), this.#directory.service(service)];
    const { started, duration, retries, staleRouted } = this.#metrics;
    return {
      started: started.of(...labels),
      byOutcome: [],
      duration: duration.of(...labels),
      retries: retries.of(...labels),
      staleRouted: staleRouted.of(...labels),
    };
  }

  #endpoint(endpoint: number): {
    readonly requests: NumberSeries;
    readonly inFlight: NumberSeries;
  } {
    return (this.#endpoints[endpoint] ??= this.#newEndpoint(endpoint));
  }

  #newEndpoint(endpoint: number): { requests: NumberSeries; inFlight: NumberSeries } {
    const { service, address, pod, node } = this.#directory.endpoint(endpoint);
    const labels = [this.#directory.service(service), address, pod, node];
    const { endpointRequests, endpointInFlight } = this.#metrics;
    return { requests: endpointRequests.of(...labels), inFlight: endpointInFlight.of(...labels) };
  }

  #proxier(node: number, family: 4 | 6): readonly string[] {
    return [this.#node(node), `IPv${family}`];
  }

  #node(node: number): string {
    return this.#directory.nodes[node] ?? "";
  }
}
