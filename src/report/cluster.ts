/**
 * The cluster over time: nodes, Services, endpoints, pods, and when which node learnt of what.
 *
 * Owns: putting nodes in a row together where there are too many, and finding out whether an endpoint could be used
 * before and after each of its changes. Refuses to own: statistics of the lag (lag.ts).
 */
import type { PodLife } from "../inspect/timeline/record.ts";
import { PodLives } from "../inspect/timeline/lives.ts";
import { filled } from "./bins.ts";
import { numberOf } from "./csv.ts";
import type { ResultsFolder } from "./folder.ts";
import { highest } from "./traffic.ts";
import { Names } from "./names.ts";
import {
  changeKinds,
  type ChangeColumns,
  type ClusterModel,
  type EndpointModel,
  type HopModel,
  type NodeModel,
  type PodModel,
} from "./model.ts";

/** Changes times nodes that a report holds one by one. */
const PAIRS_MAX = 400_000;
/** Nodes that are drawn one by one, and pods. */
const NODES_MAX = 250;
export const PODS_MAX = 6_000;

/** One endpoint of one Service, by its address: pods may follow one another there. */
export class Endpoints {
  readonly services = new Names();
  readonly #names = new Names();
  readonly list: { service: number; address: string; pod: string; node: string }[] = [];

  at(service: string, address: string): number {
    const place = this.#names.at(`${service}\n${address}`);
    this.list[place] ??= { service: this.services.at(service), address, pod: "", node: "" };
    return place;
  }
}

/** Rows of endpoint_update_lag.csv, by change and node. */
export interface Changes {
  readonly endpoint: number[];
  readonly kind: number[];
  readonly atNs: number[];
  /** By change, each by node as nodes are numbered; -1: never. */
  readonly lagNs: number[][];
}

export async function readNodes(results: ResultsFolder): Promise<Names> {
  const nodes = new Names();
  await results.rows("kube_proxy.csv", ["node"], ([node]) => nodes.at(node!));
  return nodes;
}

const lagColumns = ["service", "endpoint", "change", "node", "changed_at_ns", "lag_ns"];

export async function readChanges(
  results: ResultsFolder,
  endpoints: Endpoints,
  nodes: Names,
): Promise<Changes> {
  const changes: Changes = { endpoint: [], kind: [], atNs: [], lagNs: [] };
  let last = "";
  await results.rows("endpoint_update_lag.csv", lagColumns, (cells) => {
    const [service, address, change, node, atNs, lagNs] = cells as string[];
    const key = `${service}\n${address}\n${change}\n${atNs}`;
    if (key !== last) {
      last = key;
      changes.endpoint.push(endpoints.at(service!, address!));
      changes.kind.push(changeKinds.indexOf(change as (typeof changeKinds)[number]));
      changes.atNs.push(Number(atNs));
      changes.lagNs.push([]);
    }
    const lags = changes.lagNs.at(-1)!;
    const place = nodes.at(node!);
    while (lags.length < place) lags.push(-1);
    lags[place] = numberOf(lagNs) ?? -1;
  });
  return inOrder(changes);
}

function inOrder(changes: Changes): Changes {
  const order = changes.atNs.map((_, i) => i).sort((a, b) => changes.atNs[a]! - changes.atNs[b]!);
  const sorted = <T>(list: readonly T[]): T[] => order.map((i) => list[i]!);
  return {
    endpoint: sorted(changes.endpoint),
    kind: sorted(changes.kind),
    atNs: sorted(changes.atNs),
    lagNs: sorted(changes.lagNs),
  };
}

/** Whether an endpoint could be used from each of its changes on: a condition turns what was there before. */
export function usableAfter({ endpoint, kind }: Pick<Changes, "endpoint" | "kind">): number[] {
  const now = new Map<number, number>();
  return endpoint.map((each, i) => {
    const change = changeKinds[kind[i]!];
    // One of which nothing was told before had been ready since before the run.
    const before = now.get(each) ?? (change === "added" ? 0 : 1);
    const after = change === "added" ? 1 : change === "removed" ? 0 : 1 - before;
    now.set(each, after);
    return after;
  });
}

/** How many nodes in a row are one. */
export function groupSize(nodes: number, changes: number): number {
  const most = Math.max(1, Math.min(NODES_MAX, Math.floor(PAIRS_MAX / Math.max(1, changes))));
  return Math.max(1, Math.ceil(nodes / most));
}

/** A group learns with the last of its nodes that do. */
export function groupedLags(changes: Changes, nodes: number, size: number): number[] {
  const groups = Math.ceil(nodes / size);
  const all = filled(changes.lagNs.length * groups, -1);
  for (const [change, lags] of changes.lagNs.entries()) {
    for (const [node, lagNs] of lags.entries()) {
      const place = change * groups + Math.floor(node / size);
      if (lagNs > all[place]!) all[place] = lagNs;
    }
  }
  return all;
}

export interface ClusterParts {
  readonly nodes: Names;
  readonly endpoints: Endpoints;
  readonly changes: Changes;
  readonly hops: readonly HopModel[];
  readonly lives: readonly PodLife[];
  readonly size: number;
  /** Clients of the scenario, by name. */
  readonly clients: readonly string[];
}

export function clusterOf(parts: ClusterParts): Omit<ClusterModel, "flows"> {
  const { nodes, endpoints, changes, size } = parts;
  const place = (node: string): number => {
    const found = nodes.find(node);
    return found < 0 ? -1 : Math.floor(found / size);
  };
  const columns: ChangeColumns = {
    endpoint: changes.endpoint,
    kind: changes.kind,
    atNs: changes.atNs,
    usable: usableAfter(changes),
    lagNs: groupedLags(changes, nodes.list.length, size),
  };
  return {
    nodes: nodeModels(parts),
    services: endpoints.services.list,
    endpoints: endpoints.list.map(({ service, address, pod, node }): EndpointModel => ({
      service,
      address,
      pod,
      node: place(node),
    })),
    pods: podModels(parts, place),
    changes: columns,
  };
}

function nodeModels({ nodes, hops, size }: ClusterParts): NodeModel[] {
  const byHop = new Map(hops.map((hop) => [hop.hop, hop]));
  const models: NodeModel[] = [];
  for (let from = 0; from < nodes.list.length; from += size) {
    const names = nodes.list.slice(from, from + size);
    const own = names.map((name) => ({
      nic: byHop.get(`${name}/eth0`),
      link: byHop.get(`switch/${name}`),
      bridge: byHop.get(`${name}/cni0`),
    }));
    const most = (of: readonly (number | null | undefined)[]): number | null =>
      of.reduce<number | null>((a, b) => highest(a, b ?? null), null);
    models.push({
      name: names.length === 1 ? names[0]! : `${names[0]} to ${names.at(-1)}`,
      count: names.length,
      nicUtilisation: most(own.map(({ nic }) => nic?.utilisation)),
      linkUtilisation: most(own.map(({ link }) => link?.utilisation)),
      bridgePackets: most(own.map(({ bridge }) => bridge?.packets)),
      queueP99Ns: most(own.flatMap(({ nic, link }) => [nic?.queueP99Ns, link?.queueP99Ns])),
      drops: own
        .flatMap((each) => Object.values(each))
        .reduce((sum, hop) => sum + (hop?.drops ?? 0), 0),
    });
  }
  return models;
}

const phases: Readonly<Record<string, number>> = {
  created: 1,
  scheduled: 1,
  "sandbox created": 1,
  "container started": 1,
  ready: 2,
  "at rest": 2,
  "not ready": 3,
  "container exited": 3,
  "told to go": 4,
  "object gone": 4,
  "sandbox removed": 0,
};

/** Pods by their veth, and those of which events tell. */
function podModels(
  { hops, lives, clients }: ClusterParts,
  place: (node: string) => number,
): PodModel[] {
  const ofClients = new Set(clients.map((name) => `client-${name}`));
  const pods = new Map<string, PodModel>();
  for (const { hop, kind } of hops) {
    const match = kind === "veth" ? /^([^/]+)\/(.+)\/out$/.exec(hop) : null;
    if (match === null) continue;
    const [, node, name] = match as unknown as [string, string, string];
    const isClient = ofClients.has(name.replace(/-\d+$/, ""));
    pods.set(name, { name, node: place(node), isClient, atNs: [0], phase: [2] });
  }
  for (const { pod, node, steps } of lives) {
    const name = pod.replace(/^[^/]*\//, "");
    const known = pods.get(name);
    const at = known?.node ?? place(node);
    if (at < 0) continue;
    const { atNs, phase } = phasesOf(steps);
    const before = known?.atNs.length === 1 ? undefined : known;
    pods.set(name, {
      name,
      node: at,
      isClient: known?.isClient ?? false,
      atNs: [...(before?.atNs ?? []), ...atNs],
      phase: [...(before?.phase ?? []), ...phase],
    });
  }
  return [...pods.values()].filter(({ node }) => node >= 0);
}

function phasesOf(steps: PodLife["steps"]): { atNs: number[]; phase: number[] } {
  const atNs: number[] = [];
  const phase: number[] = [];
  for (const step of steps) {
    const to = phases[step.stage];
    const now = phase.at(-1);
    // Who has been told to go does nothing else any more but go.
    if (to === undefined || to === now || (now === 4 && to !== 0) || (now === 0 && to === 4)) {
      continue;
    }
    atNs.push(step.atNs);
    phase.push(to);
  }
  return { atNs, phase };
}

export async function readLives(results: ResultsFolder): Promise<PodLife[]> {
  const lives = new PodLives();
  await results.rows("events.csv", ["time_ns", "kind", "object", "detail"], (cells) => {
    const [timeNs, kind, object, detail] = cells as string[];
    lives.event(Number(timeNs), kind!, object!, detail!);
  });
  return lives.lives();
}
