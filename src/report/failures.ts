/**
 * Failed requests one by one, each with what can be said of it from the results alone.
 *
 * Owns: finding the change that a request suffered from, and asking the advice rules. Refuses to own: the rules
 * (inspect/explain/advice.ts) and what only another run can tell: `sim explain`.
 */
import { adviceFor, stageAt, type Evidence } from "../inspect/explain/advice.ts";
import { lifeAt } from "../inspect/timeline/lives.ts";
import type { PodLife } from "../inspect/timeline/record.ts";
import type { OutcomeName } from "../observe/index.ts";
import { usableAfter, type Changes, type Endpoints } from "./cluster.ts";
import { numberOf } from "./csv.ts";
import type { ResultsFolder } from "./folder.ts";
import { changeKinds, type Departure, type FailureModel } from "./model.ts";
import { Names } from "./names.ts";

const columns = [
  "request",
  "client",
  "service",
  "cause",
  "started_at_ns",
  "ended_at_ns",
  "attempts",
  "endpoint",
  "pod",
  "node",
  "stale_routed",
];

type Growing<T> = { [K in keyof T]: T[K] extends readonly number[] ? number[] : T[K] };

export interface FailureParts {
  readonly changes: Changes;
  readonly endpoints: Endpoints;
  readonly nodes: Names;
  readonly lives: readonly PodLife[];
  /** By "change node": stages, for those that a request suffered from. */
  readonly stages: ReadonlyMap<string, Departure["stages"]>;
}

export interface FailureRow {
  readonly request: number;
  readonly client: string;
  readonly service: string;
  readonly cause: string;
  readonly startedAtNs: number;
  readonly endedAtNs: number;
  readonly attempts: number;
  readonly endpoint: string;
  readonly pod: string;
  readonly node: string;
  readonly isStale: boolean;
  /** The change after which its endpoint could not be used any more; -1: none. */
  readonly change: number;
}

export async function readFailures(
  results: ResultsFolder,
  changes: Changes,
  endpoints: Endpoints,
): Promise<FailureRow[]> {
  const rows: FailureRow[] = [];
  const ends = departuresByEndpoint(changes);
  await results.rows("failed_requests.csv", columns, (cells) => {
    const [request, client, service, cause, started, ended, attempts, ...way] = cells as string[];
    const [endpoint, pod, node, stale] = way as [string, string, string, string];
    const isStale = stale === "1";
    const own = isStale ? (ends.get(endpoints.at(service!, endpoint)) ?? []) : [];
    const change = own.findLast((each) => changes.atNs[each]! <= Number(ended)) ?? -1;
    rows.push({
      request: Number(request),
      client: client!,
      service: service!,
      cause: cause!,
      startedAtNs: Number(started),
      endedAtNs: Number(ended),
      attempts: Number(attempts),
      endpoint,
      pod,
      node,
      isStale,
      change,
    });
  });
  return rows;
}

function departuresByEndpoint(changes: Changes): Map<number, number[]> {
  const usable = usableAfter(changes);
  const ends = new Map<number, number[]>();
  for (const [change, endpoint] of changes.endpoint.entries()) {
    if (usable[change] === 1) continue;
    const own = ends.get(endpoint);
    if (own === undefined) ends.set(endpoint, [change]);
    else own.push(change);
  }
  return ends;
}

const stageNames = ["kubelet", "status", "slice", "watch", "track", "wait", "sync"];

/** The stages of those pairs of change and node that a request suffered from. */
export async function readStages(
  results: ResultsFolder,
  { changes, endpoints }: Pick<FailureParts, "changes" | "endpoints">,
  rows: readonly FailureRow[],
): Promise<Map<string, Departure["stages"]>> {
  const wanted = new Map<string, string>();
  for (const { change, node } of rows) {
    if (change < 0) continue;
    const { service, address } = endpoints.list[changes.endpoint[change]!]!;
    const name = endpoints.services.list[service];
    wanted.set(`${name}\n${address}\n${changes.atNs[change]}\n${node}`, `${change} ${node}`);
  }
  const stages = new Map<string, Departure["stages"]>();
  if (wanted.size === 0) return stages;
  const asked = ["service", "endpoint", "changed_at_ns", "node"].concat(
    stageNames.map((stage) => `stage_${stage}_ns`),
  );
  await results.rows(
    "endpoint_update_lag.csv",
    asked,
    ([service, endpoint, atNs, node, ...took]) => {
      const key = wanted.get(`${service}\n${endpoint}\n${atNs}\n${node}`);
      if (key === undefined) return;
      stages.set(
        key,
        stageNames.map((stage, i) => ({ stage, tookNs: numberOf(took[i]) })),
      );
    },
  );
  return stages;
}

export function failuresOf(
  results: ResultsFolder,
  rows: readonly FailureRow[],
  parts: FailureParts,
): FailureModel {
  const texts = new Names();
  const departures = new Map<string, number>();
  const departureList: Departure[] = [];
  const adviceNames = new Names();
  const model: Growing<Omit<FailureModel, "advice">> & { advice: number[][] } = {
    ...emptyModel(results),
    texts: texts.list,
    departures: departureList,
  };
  const advised = new Adviser(results, parts);
  for (const row of rows) {
    model.request.push(row.request);
    for (const name of ["client", "service", "cause", "endpoint", "pod", "node"] as const) {
      model[name].push(texts.at(row[name]));
    }
    for (const name of ["startedAtNs", "endedAtNs", "attempts"] as const) {
      model[name].push(row[name]);
    }
    model.stale.push(row.isStale ? 1 : 0);
    const key = `${row.change} ${row.node}`;
    let place = row.change < 0 ? -1 : departures.get(key);
    if (place === undefined) {
      place = departureList.push(departureOf(row, parts)) - 1;
      departures.set(key, place);
    }
    model.departure.push(place);
    const advice = advised.on(row, place < 0 ? null : departureList[place]!);
    model.advice.push(advice.map((each) => adviceNames.at(JSON.stringify(each))));
  }
  return { ...model, advices: adviceNames.list.map((text) => JSON.parse(text)) };
}

function emptyModel({ manifest, summary }: ResultsFolder): Omit<
  Growing<FailureModel>,
  "advice" | "texts" | "departures"
> & {
  advice: number[][];
} {
  return {
    total: summary.requests.failed,
    request: [],
    client: [],
    service: [],
    cause: [],
    endpoint: [],
    pod: [],
    node: [],
    startedAtNs: [],
    endedAtNs: [],
    attempts: [],
    stale: [],
    departure: [],
    advice: [],
    advices: [],
    explain: explainCommand(manifest.replay),
  };
}

/** Without options that `sim explain` does not take; one of several replications cannot be explained. */
export function explainCommand(replay: string): string | null {
  if (!replay.startsWith("sim run ") || / --replication \d/.test(replay)) return null;
  const quoted = /'(?:[^']|'\\'')*'|\S+/.source;
  return replay
    .replace("sim run ", "sim explain ")
    .replaceAll(new RegExp(` --threshold (?:${quoted})`, "g"), "");
}

function departureOf(
  { change, node }: FailureRow,
  { changes, nodes, stages }: FailureParts,
): Departure {
  const atNs = changes.atNs[change]!;
  const lags = changes.lagNs[change]!;
  const own = lags[nodes.find(node)] ?? -1;
  const isWhole = lags.length === nodes.list.length && !lags.includes(-1);
  return {
    kind: changeKinds[changes.kind[change]!]!,
    atNs,
    programmedAtNs: own < 0 ? null : atNs + own,
    lastNodeAtNs: isWhole ? atNs + lags.reduce((a, b) => Math.max(a, b), 0) : null,
    stages: stages.get(`${change} ${node}`) ?? [],
  };
}

/** What would have avoided a failure, as far as results tell. */
class Adviser {
  readonly #results: ResultsFolder;
  readonly #parts: FailureParts;
  readonly #lives = new Map<string, PodLife[]>();
  readonly #usable: readonly number[];
  readonly #byService = new Map<number, number[]>();

  constructor(results: ResultsFolder, parts: FailureParts) {
    this.#results = results;
    this.#parts = parts;
    this.#usable = usableAfter(parts.changes);
    for (const life of parts.lives) {
      this.#lives.set(life.pod, [...(this.#lives.get(life.pod) ?? []), life]);
    }
    for (const [endpoint, { service }] of parts.endpoints.list.entries()) {
      const own = this.#byService.get(service);
      if (own === undefined) this.#byService.set(service, [endpoint]);
      else own.push(endpoint);
    }
  }

  on(row: FailureRow, departure: Departure | null): { setting: string; because: string }[] {
    const life = lifeAt(this.#lives.get(row.pod) ?? [], row.pod, row.endedAtNs);
    const { manifest } = this.#results;
    const client = manifest.parameters.clients.find(({ name }) => name === row.client);
    const evidence: Evidence = {
      scenario: manifest.scenario,
      seed: manifest.seed,
      request: row.request,
      client: row.client,
      service: row.service,
      startedAtNs: row.startedAtNs,
      endedAtNs: row.endedAtNs,
      outcome: row.cause as OutcomeName,
      tries: triesOf(row),
      // When it chose is known of one that was tried once.
      rules:
        row.node === "" || row.attempts > 1
          ? null
          : {
              node: row.node,
              decidedAtNs: row.startedAtNs,
              version: null,
              inForceSinceNs: null,
              viaDns: false,
            },
      departure:
        departure === null
          ? null
          : {
              ...departure,
              change: departure.kind === "removed" ? "removed" : "condition",
              isGraceful: stageAt(life, "told to go") !== null,
            },
      life,
      others: this.#others(row),
      packet: null,
      options: client ?? null,
    };
    return adviceFor(evidence).map(({ setting, because }) => ({ setting, because }));
  }

  /** Endpoints of its Service, other than its own, that could be used when it failed. */
  #others(row: FailureRow): number {
    const { endpoints, changes } = this.#parts;
    const service = endpoints.services.find(row.service);
    if (service < 0 || row.endpoint === "") return 0;
    const own = this.#byService.get(service) ?? [];
    if (this.#known.key !== `${service} ${row.endedAtNs}`) {
      const state = new Map<number, number>();
      for (const [i, endpoint] of changes.endpoint.entries()) {
        const before = state.get(endpoint);
        if (changes.atNs[i]! <= row.endedAtNs) state.set(endpoint, this.#usable[i]!);
        else if (before === undefined) state.set(endpoint, firstState(changes.kind[i]!));
      }
      const count = own.filter((endpoint) => (state.get(endpoint) ?? 1) === 1).length;
      this.#known = { key: `${service} ${row.endedAtNs}`, count, state };
    }
    const mine = endpoints.at(row.service, row.endpoint);
    return this.#known.count - (this.#known.state.get(mine) ?? 1);
  }
  #known: { key: string; count: number; state: Map<number, number> } = {
    key: "",
    count: 0,
    state: new Map(),
  };
}

/** Before its first change. */
export function firstState(kind: number): 0 | 1 {
  return changeKinds[kind] === "added" ? 0 : 1;
}

/** Of tries before the last nothing is known; of the last neither, where there was more than one. */
function triesOf({
  attempts,
  startedAtNs,
  endedAtNs,
  cause,
  endpoint,
  pod,
  node,
}: FailureRow): Evidence["tries"] {
  return Array.from({ length: attempts }, () => ({
    startedAtNs: attempts === 1 ? startedAtNs : endedAtNs,
    endedAtNs,
    outcome: cause as OutcomeName,
    dialledAtNs: null,
    endpoint,
    pod,
    node,
    rules: null,
    departure: null,
    life: null,
  }));
}
