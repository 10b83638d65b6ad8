/**
 * A rolling restart of a Deployment under requests: what several questions have in common.
 *
 * Owns: who calls, when the restart begins and when it is over, and the figures that are read from such a run.
 * Refuses to own: what is varied and what it means (questions/).
 */
import { seconds, type DurationNs, type SimTimeNs } from "../engine/index.ts";
import type { RunResult } from "../library/result.ts";
import { rank } from "../observe/index.ts";
import { optionMistake, UserError, type ResolvedScenario } from "../scenario/index.ts";
import { openLoop, perRequest, type ClientInput } from "../scenario/language/scenario.ts";
import { rolloutRestart } from "../scenario/faults/words.ts";
import type { Measures, Watch } from "./contract.ts";
import type { Draft, Target } from "./draft.ts";

const BEGINS = "5s";
const BEGINS_NS = seconds(5);
const TIMEOUT = "2s";
/** After the last thing that a restart does: requests that are under way, and nodes that have yet to sync. */
const TAIL_NS = seconds(5);
/** Pods or hosts that the clients run on: one for each node, so that every node's rules are used. */
const MOST_CALLERS = 10;

/** Clients on every node that dial for each request and do not try again. */
export function prepareCallers(draft: Draft): void {
  const [client] = draft.scenario.clients ?? [];
  if (client === undefined) return;
  draft.scenario.clients = [callersOf(draft, client.from?.kind === "outside" ? "outside" : "pod")];
}

/** The scenario's first client, as one that dials for each request and does not try again. */
export function callersOf({ scenario, target, rate }: Draft, kind: "pod" | "outside"): ClientInput {
  const [client] = scenario.clients!;
  return {
    ...client!,
    from: { kind, replicas: Math.min(MOST_CALLERS, Math.max(1, target.nodes)) },
    load: openLoop(rate),
    connections: perRequest(),
    timeout: TIMEOUT,
    retries: { attempts: 1 },
  };
}

export function prepareRestart(draft: Draft): void {
  prepareCallers(draft);
  draft.scenario.faults = [rolloutRestart({ workload: draft.target.workload, at: BEGINS })];
}

export function callersAssume({ type }: Target): string[] {
  const where =
    type === "ClusterIP"
      ? `clients run on every node (at most ${MOST_CALLERS})`
      : `clients are outside, on as many hosts as there are nodes (at most ${MOST_CALLERS})`;
  return [
    `each request dials anew, has ${TIMEOUT.replace("s", " s")} and is not tried again; ${where}`,
  ];
}

/** @throws UserError where a node that goes leaves no other */
export function refuseSingleNode({ nodes }: Target): void {
  if (nodes > 1) return;
  const found = "a cluster of a single node: when it goes, all is gone";
  throw new UserError([optionMistake("--nodes", found, "2 nodes or more")]);
}

/** Follows the Deployment's pods through a restart, and what nodes hold of them meanwhile. */
export class RestartWatch implements Watch {
  readonly #pod: RegExp;
  readonly #replicas: number;
  readonly #serviceKey: string;
  readonly #tailNs: DurationNs;
  readonly #made = new Set<string>();
  readonly #ready = new Set<string>();
  readonly #ended = new Set<string>();
  #removed = 0;
  #exist: number;
  #mostPods: number;
  #lastNs: SimTimeNs = BEGINS_NS;
  #restartedNs: SimTimeNs | null = null;
  /** Requests of the client that had ended when the last node followed; and those that have since the restart began. */
  #endedUntil = 0;
  #endedSince = 0;
  /** Changes of the Service's endpoints, by their numbers. */
  readonly #changes = new Map<number, { readonly endpoint: string; readonly usable: boolean }>();
  readonly #truth: Holding;
  readonly #nodes = new Map<string, Holding>();

  /** @param tailNs what is still looked at when the restart is over */
  constructor({ profile }: ResolvedScenario, target: Target, tailNs: DurationNs = TAIL_NS) {
    // A Deployment's pods are named after it, their template's hash and five letters.
    const prefix = `pod/${target.namespace}/${target.name}`.replaceAll(".", "\\.");
    this.#pod = new RegExp(`^${prefix}-[a-z0-9]+-[a-z0-9]{5}$`);
    this.#replicas = target.replicas;
    this.#serviceKey = target.serviceKey;
    this.#exist = this.#mostPods = target.replicas;
    this.#truth = new Holding(target.replicas);
    const { kubeProxy } = profile.kubernetes;
    this.#tailNs = tailNs + 2 * kubeProxy[kubeProxy.mode].minSyncPeriodNs;
  }

  event(atNs: SimTimeNs, kind: string, object: string): void {
    if (atNs < BEGINS_NS || !this.#pod.test(object)) return;
    this.#lastNs = atNs;
    if (kind === "pod_created") {
      this.#made.add(object);
      this.#mostPods = Math.max(this.#mostPods, ++this.#exist);
    } else if (kind === "pod_ready" && this.#made.has(object)) this.#ready.add(object);
    else if (kind === "pod_terminating" && !this.#made.has(object)) this.#ended.add(object);
    else if (kind === "pod_removed") {
      this.#exist--;
      if (this.#ended.has(object)) this.#removed++;
    }
    const isDone = this.#ready.size >= this.#replicas && this.#ended.size >= this.#replicas;
    if (isDone) {
      this.#restartedNs ??= atNs;
      this.#endedUntil = this.#endedSince;
    }
  }

  requestEnded(client: number): void {
    if (client === 0 && this.#lastNs > BEGINS_NS) this.#endedSince++;
  }

  endpointChanged(
    id: number,
    service: string,
    endpoint: string,
    _change: string,
    changedAtNs: SimTimeNs,
    usable: 0 | 1,
  ): void {
    if (service !== this.#serviceKey) return;
    this.#changes.set(id, { endpoint, usable: usable === 1 });
    this.#truth.set(endpoint, usable === 1, changedAtNs);
  }

  endpointProgrammed(id: number, node: string, atNs: SimTimeNs): void {
    const change = this.#changes.get(id);
    if (change === undefined) return;
    this.#lastNs = atNs;
    this.#endedUntil = this.#endedSince;
    let holding = this.#nodes.get(node);
    if (holding === undefined) {
      holding = new Holding(this.#replicas);
      this.#nodes.set(node, holding);
    }
    holding.set(change.endpoint, change.usable, atNs);
  }

  endNs(): number | null {
    const isOver = this.#restartedNs !== null && this.#removed >= this.#replicas;
    return isOver ? this.#lastNs + this.#tailNs : null;
  }

  /** Requests that ended while it lasted: until the last pod was told to go and the last node's rules had followed. */
  get ended(): number {
    return this.#endedUntil;
  }

  /** When every old pod was told to go and every new one was ready; null: not in this run. */
  get restartedNs(): SimTimeNs | null {
    return this.#restartedNs;
  }

  /** From the command until every old pod was told to go and every new one was ready; null: not in this run. */
  get restartNs(): DurationNs | null {
    return this.#restartedNs === null ? null : this.#restartedNs - BEGINS_NS;
  }

  /** The most pods at once, those that are about to go included. */
  get mostPods(): number {
    return this.#mostPods;
  }

  /** The fewest endpoints that could be used, in truth. */
  get leastUsable(): number {
    return this.#truth.least;
  }

  /** The fewest endpoints that any node's rules held. */
  get leastHeld(): number {
    return Math.min(this.#replicas, ...[...this.#nodes.values()].map(({ least }) => least));
  }
}

/** How many endpoints somebody holds for usable. */
class Holding {
  #count: number;
  #least: number;
  #atNs: SimTimeNs = 0;
  readonly #usable = new Map<string, boolean>();

  constructor(count: number) {
    this.#least = this.#count = count;
  }

  /** What happens at one instant, as all changes of a sync do, counts as a whole. */
  set(endpoint: string, usable: boolean, atNs: SimTimeNs): void {
    if (atNs > this.#atNs) this.#least = this.least;
    this.#atNs = atNs;
    // One that was there from the beginning is first heard of when it goes.
    const before = this.#usable.get(endpoint) ?? !usable;
    this.#usable.set(endpoint, usable);
    if (before !== usable) this.#count += usable ? 1 : -1;
  }

  get least(): number {
    return Math.min(this.#least, this.#count);
  }
}

/** What is read from the run of a restart. */
export function restartMeasures(run: RunResult, target: Target, watch: Watch | null): Measures {
  const { restartNs, mostPods, leastUsable, leastHeld, ended } = watch as RestartWatch;
  const { failed } = run.requests;
  const lags = lagsOf(run, target, "removed");
  return {
    served: ended === 0 ? null : Math.max(0, 1 - failed / ended),
    lost: ended === 0 ? null : failed / ended,
    failed,
    ended,
    restartNs,
    mostPods,
    leastUsable,
    leastHeld,
    removalNs: lags.at(-1) ?? null,
    syncs: sum(run, "kube_proxy.csv", "syncs") / Math.max(1, target.nodes),
    overloaded: run.requests.byOutcome.find(({ outcome }) => outcome === "overloaded")?.count ?? 0,
  };
}

/** How late nodes learned of changes of the Service's endpoints, in ascending order. */
export function lagsOf(run: RunResult, { serviceKey }: Target, change: string): number[] {
  const lags: number[] = [];
  for (const row of run.table("endpoint_update_lag.csv")) {
    const isMeant = row["service"] === serviceKey && row["change"] === change;
    if (isMeant && typeof row["lag_ns"] === "number") lags.push(row["lag_ns"]);
  }
  return lags.sort((a, b) => a - b);
}

/** Of a column of a results file. */
export function sum(run: RunResult, file: string, column: string): number {
  return run.table(file).reduce((total, row) => total + Number(row[column] ?? 0), 0);
}

/** What is read of kube-proxies from a run in which pods go. */
export function proxyMeasures(run: RunResult, target: Target): Measures {
  const { requests, summary } = run;
  const lags = lagsOf(run, target, "removed");
  const column = (name: string) => sum(run, "kube_proxy.csv", name);
  const syncs = column("syncs");
  const packets = column("first_packets");
  return {
    walkNs: packets === 0 ? null : column("rule_walk_ns") / packets,
    syncNs: syncs === 0 ? null : column("sync_time_ns") / syncs,
    syncShare: column("sync_time_ns") / (summary.durationNs * Math.max(1, target.nodes)),
    syncs: syncs / Math.max(1, target.nodes),
    removalP50Ns: quantile(lags, 0.5),
    removalP99Ns: quantile(lags, 0.99),
    removalNs: lags.at(-1) ?? null,
    failed: requests.failed,
    stale: requests.ended === 0 ? null : requests.staleRouted / requests.ended,
  };
}

/** Of values in ascending order. */
export function quantile(values: readonly number[], q: number): number | null {
  return values[rank(q, values.length)] ?? null;
}
