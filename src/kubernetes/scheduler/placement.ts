/**
 * Where a pod may run and where it had best run: filters and scores.
 *
 * Owns: the two tables of plugins and choosing by them. Refuses to own: the queue and the binding
 * (scheduler.ts). Source: pkg/scheduler/framework/plugins; timings §4.
 */
import { ln, type RandomStream } from "../../engine/index.ts";
import {
  matchesLabels,
  ZONE_LABEL,
  type Node,
  type Pod,
  type ResourceRequests,
} from "../api/types.ts";
import type { SchedulerProfile } from "./profile.ts";

/** A node with what runs on it, by requests. Terminating pods count until their object is gone. */
export interface NodeState {
  readonly node: Node;
  readonly pods: ReadonlyMap<string, Pod>;
  readonly requested: ResourceRequests;
  /** The same with upstream's assumption for containers that request nothing. */
  readonly scored: ResourceRequests;
  /** Pods that are not being deleted, by owner. */
  readonly siblings: ReadonlyMap<string, number>;
}

export interface FilterPlugin {
  readonly name: string;
  /** For this pod: whether it fits on a node. Asked for every pod and node, so what is the pod's is found once. */
  readonly fits: (pod: Pod) => (state: NodeState) => boolean;
}

export interface ScorePlugin {
  readonly weight: keyof SchedulerProfile["weights"];
  /** 0..100 for each node, in order. */
  readonly scores: (pod: Pod, states: readonly NodeState[]) => readonly number[];
}

export function requestsOf(pod: Pod): ResourceRequests {
  let cpuMillis = 0;
  let memoryBytes = 0;
  for (const { requests } of pod.spec.containers) {
    cpuMillis += requests.cpuMillis;
    memoryBytes += requests.memoryBytes;
  }
  return { cpuMillis, memoryBytes };
}

/** What a container without requests counts as in scores: 100m and 200 MiB (NonZeroRequested). */
export function scoredRequestsOf(pod: Pod): ResourceRequests {
  let cpuMillis = 0;
  let memoryBytes = 0;
  for (const { requests } of pod.spec.containers) {
    cpuMillis += requests.cpuMillis || 100;
    memoryBytes += requests.memoryBytes || 200 * 1024 ** 2;
  }
  return { cpuMillis, memoryBytes };
}

const everywhere = (): boolean => true;

export const filters: readonly FilterPlugin[] = [
  {
    name: "NodeUnschedulable",
    fits:
      () =>
      ({ node }) =>
        !node.spec.unschedulable && node.status.ready.status,
  },
  {
    name: "NodeAffinity",
    fits: ({ spec }) => {
      if (Object.keys(spec.nodeSelector).length === 0) return everywhere;
      return ({ node }) => matchesLabels(spec.nodeSelector, node.metadata.labels);
    },
  },
  {
    name: "NodeResourcesFit",
    fits: (pod) => {
      const wanted = requestsOf(pod);
      return ({ node, pods, requested }) => {
        const { allocatable } = node.status;
        return (
          pods.size < allocatable.maxPods &&
          requested.cpuMillis + wanted.cpuMillis <= allocatable.cpuMillis &&
          requested.memoryBytes + wanted.memoryBytes <= allocatable.memoryBytes
        );
      };
    },
  },
  {
    name: "NodePorts",
    fits: (pod) => {
      const wanted = hostPorts(pod);
      if (wanted.length === 0) return everywhere;
      return ({ pods }) => {
        const taken = new Set([...pods.values()].flatMap(hostPorts));
        return wanted.every((port) => !taken.has(port));
      };
    },
  },
];

export const scorers: readonly ScorePlugin[] = [
  { weight: "podTopologySpread", scores: spreadScores },
  {
    weight: "leastAllocated",
    scores: (pod, states) => {
      const wanted = scoredRequestsOf(pod);
      return states.map((state) => leastAllocated(wanted, state));
    },
  },
  {
    weight: "balancedAllocation",
    scores: (pod, states) => {
      const wanted = requestsOf(pod);
      return states.map((state) => balancedAllocation(wanted, state));
    },
  },
];

/** Where the search for nodes begins: after those that the last one looked at (nextStartNodeIndex). */
export interface Search {
  next: number;
}

/** percentageOfNodesToScore 0: of many nodes a part is enough, 50 % less one for each 125 nodes (timings §4). */
export function nodesToFind(nodes: number): number {
  const percentage = Math.max(5, 50 - Math.floor(nodes / 125));
  return Math.min(nodes, Math.max(100, Math.floor((nodes * percentage) / 100)));
}

function feasibleNodes(pod: Pod, states: readonly NodeState[], search: Search): NodeState[] {
  const fitting = filters.map(({ fits }) => fits(pod)).filter((fits) => fits !== everywhere);
  const wanted = nodesToFind(states.length);
  const found: NodeState[] = [];
  let looked = 0;
  while (looked < states.length && found.length < wanted) {
    const state = states[(search.next + looked++) % states.length]!;
    if (fitting.every((fits) => fits(state))) found.push(state);
  }
  search.next = states.length === 0 ? 0 : (search.next + looked) % states.length;
  return found;
}

/**
 * The node for a pod, or null when none fits. Among equals the choice is uniform, as by upstream's
 * reservoir sampling; one draw a pod.
 */
export function choose(
  pod: Pod,
  states: readonly NodeState[],
  weights: SchedulerProfile["weights"],
  stream: RandomStream,
  search: Search,
): NodeState | null {
  const feasible = feasibleNodes(pod, states, search);
  const totals = feasible.map(() => 0);
  for (const { weight, scores } of scorers) {
    const own = scores(pod, feasible);
    for (let i = 0; i < own.length; i++) totals[i]! += weights[weight] * Math.floor(own[i]!);
  }
  let best = -1;
  for (const total of totals) best = Math.max(best, total);
  const equals = feasible.filter((_state, i) => totals[i] === best);
  const draw = stream.uniform();
  return equals.length === 0 ? null : equals[Math.floor(draw * equals.length)]!;
}

/** maxSkew of the default constraints, by the label of their domains; both are ScheduleAnyway (timings §4). */
const MAX_SKEW = { hostname: 3, zone: 5 };

/**
 * PodTopologySpread: for each constraint siblings x ln(domains + 2) + maxSkew - 1, rounded in sum, then
 * turned over so that few siblings score high (podtopologyspread/scoring.go).
 */
function spreadScores(pod: Pod, states: readonly NodeState[]): number[] {
  const { ownerUid } = pod.metadata;
  if (ownerUid === null) return states.map(() => 0);
  // Every node is a domain of its own. PreScore counts them among the nodes that were found.
  const weight = ln(states.length + 2);
  const sums = states.map(
    ({ siblings }) => (siblings.get(ownerUid) ?? 0) * weight + MAX_SKEW.hostname - 1,
  );
  if (states.some((state) => zoneOf(state) !== undefined)) addZones(ownerUid, states, sums);
  const scores = sums.map(Math.round);
  const most = scores.reduce((x, y) => Math.max(x, y), 0);
  const least = scores.reduce((x, y) => Math.min(x, y), most);
  return scores.map((score) =>
    most === 0 ? 100 : Math.floor((100 * (most + least - score)) / most),
  );
}

function zoneOf({ node }: NodeState): string | undefined {
  return node.metadata.labels[ZONE_LABEL];
}

function addZones(ownerUid: string, states: readonly NodeState[], sums: number[]): void {
  const siblings = new Map<string, number>();
  for (const state of states) {
    const zone = zoneOf(state);
    if (zone === undefined) continue;
    siblings.set(zone, (siblings.get(zone) ?? 0) + (state.siblings.get(ownerUid) ?? 0));
  }
  const weight = ln(siblings.size + 2);
  for (const [i, state] of states.entries()) {
    const count = siblings.get(zoneOf(state) ?? "");
    if (count !== undefined) sums[i]! += count * weight + MAX_SKEW.zone - 1;
  }
}

/** (capacity - requested) x 100 / capacity, averaged over CPU and memory. */
function leastAllocated(wanted: ResourceRequests, { node, scored }: NodeState): number {
  const { allocatable } = node.status;
  const cpu = freePercent(allocatable.cpuMillis, scored.cpuMillis + wanted.cpuMillis);
  const memory = freePercent(allocatable.memoryBytes, scored.memoryBytes + wanted.memoryBytes);
  return (cpu + memory) / 2;
}

function freePercent(capacity: number, used: number): number {
  return capacity === 0 ? 0 : Math.floor((Math.max(0, capacity - used) * 100) / capacity);
}

/**
 * 100 x (1 - standard deviation of the used fractions): with two resources, half their difference. By
 * true requests, unlike leastAllocated, and none for a pod that requests nothing
 * (noderesources/balanced_allocation.go: useRequested, isBestEffortPod).
 */
function balancedAllocation(wanted: ResourceRequests, { node, requested }: NodeState): number {
  const { allocatable } = node.status;
  if (wanted.cpuMillis === 0 && wanted.memoryBytes === 0) return 0;
  const cpu = (requested.cpuMillis + wanted.cpuMillis) / allocatable.cpuMillis;
  const memory = (requested.memoryBytes + wanted.memoryBytes) / allocatable.memoryBytes;
  return 100 * (1 - Math.abs(Math.min(1, cpu) - Math.min(1, memory)) / 2);
}

function hostPorts(pod: Pod): string[] {
  return pod.spec.containers.flatMap(({ ports }) =>
    ports.flatMap(({ hostPort, protocol }) =>
      hostPort === null ? [] : [`${protocol}/${hostPort}`],
    ),
  );
}
