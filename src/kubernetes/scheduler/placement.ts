/**
 * Where a pod may run and where it had best run: filters and scores.
 *
 * Owns: the two tables of plugins and choosing by them. Refuses to own: the queue and the binding
 * (scheduler.ts). Source: pkg/scheduler/framework/plugins; timings §4.
 */
import type { RandomStream } from "../../engine/index.ts";
import type { Pod, ResourceRequests } from "../api/types.ts";
import type { FilterPlugin, NodeState, ScorePlugin, Snapshot } from "./contract.ts";
import { filterByPods, podAffinityScores } from "./interPodAffinity.ts";
import {
  asksOfNodes,
  fitsNodeAffinity,
  fitsTaints,
  fitsUnschedulable,
  nodeAffinityScores,
  taintScores,
} from "./nodeAffinity.ts";
import { Column } from "./nodeTable.ts";
import type { SchedulerProfile } from "./profile.ts";
import { filterBySpread, spreadScores } from "./topologySpread.ts";

export type { NodeState } from "./contract.ts";

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

export const filters: readonly FilterPlugin[] = [
  {
    name: "NodeUnschedulable",
    filter: (pod, { isRestricted }) =>
      isRestricted ? (state) => fitsUnschedulable(pod, state.node) : null,
    isResolvable: false,
    helpedBy: ["nodeAdded", "nodeUpdated"],
  },
  {
    name: "TaintToleration",
    filter: (pod, { isRestricted }) =>
      isRestricted ? (state) => fitsTaints(pod, state.node) : null,
    isResolvable: false,
    helpedBy: ["nodeAdded", "nodeUpdated"],
  },
  {
    name: "NodeAffinity",
    filter: (pod) => (asksOfNodes(pod) ? (state) => fitsNodeAffinity(pod, state.node) : null),
    isResolvable: false,
    helpedBy: ["nodeAdded", "nodeUpdated"],
  },
  {
    name: "NodePorts",
    filter: filterByHostPorts,
    isResolvable: true,
    helpedBy: ["podDeleted", "nodeAdded"],
  },
  {
    name: "NodeResourcesFit",
    filter: filterByRoom,
    isResolvable: true,
    helpedBy: ["podDeleted", "nodeAdded", "nodeUpdated"],
  },
  {
    name: "PodTopologySpread",
    filter: filterBySpread,
    isResolvable: true,
    helpedBy: ["podAdded", "podDeleted", "nodeAdded", "nodeUpdated"],
  },
  {
    name: "InterPodAffinity",
    filter: filterByPods,
    isResolvable: true,
    helpedBy: ["podAdded", "podDeleted", "nodeAdded", "nodeUpdated"],
  },
];

export const scorers: readonly ScorePlugin[] = [
  { weight: "taintToleration", scores: taintScores },
  { weight: "nodeAffinity", scores: nodeAffinityScores },
  { weight: "podTopologySpread", scores: spreadScores },
  { weight: "interPodAffinity", scores: podAffinityScores },
  { weight: "leastAllocated", scores: leastAllocated },
  { weight: "balancedAllocation", scores: balancedAllocation },
];

/** What became of a pod: a node, or the names of the filters that turned it away somewhere. */
export type Choice = { /** Nodes that were looked at. */ readonly looked: number } & (
  { readonly state: NodeState } | { readonly state: null; readonly rejectedBy: ReadonlySet<string> }
);

/** Every question that the filters have about a pod, with their names. */
export function questionsOf(pod: Pod, snapshot: Snapshot) {
  return filters.flatMap(({ name, filter, isResolvable }) => {
    const passes = filter(pod, snapshot);
    return passes === null ? [] : [{ name, passes, isResolvable }];
  });
}

/**
 * The node for a pod. Among equals the choice is uniform, as by upstream's reservoir sampling; one draw a pod.
 * @param start the first that is looked at; only so many that fit are compared
 */
export function choose(
  pod: Pod,
  snapshot: Snapshot,
  start: number,
  weights: SchedulerProfile["weights"],
  stream: RandomStream,
): Choice {
  const { states } = snapshot;
  const questions = questionsOf(pod, snapshot);
  const rejectedBy = new Set<string>();
  const enough = feasibleNodes(states.length);
  const feasible: NodeState[] = [];
  let looked = 0;
  let next = start < states.length ? start : 0;
  while (looked < states.length) {
    const state = states[next++]!;
    if (next === states.length) next = 0;
    looked++;
    const refusal = questions.find(({ passes }) => !passes(state));
    if (refusal === undefined) feasible.push(state);
    else rejectedBy.add(refusal.name);
    if (feasible.length >= enough) break;
  }
  const best = bestOf(pod, feasible, weights);
  const draw = stream.uniform();
  if (best.length === 0) return { looked, state: null, rejectedBy };
  return { looked, state: best[Math.floor(draw * best.length)]! };
}

/** numFeasibleNodesToFind: all of fewer than 100; else (50 - nodes / 125) %, at least 5 % and 100 nodes. */
export function feasibleNodes(nodes: number): number {
  if (nodes < 100) return nodes;
  const percent = Math.max(5, Math.floor(50 - nodes / 125));
  return Math.max(100, Math.floor((nodes * percent) / 100));
}

function bestOf(
  pod: Pod,
  feasible: readonly NodeState[],
  weights: SchedulerProfile["weights"],
): NodeState[] {
  const totals = feasible.map(() => 0);
  for (const { weight, scores } of scorers) {
    const given = scores(pod, feasible);
    if (given === null) continue;
    for (let i = 0; i < given.length; i++) totals[i]! += weights[weight] * Math.floor(given[i]!);
  }
  const most = totals.reduce((a, b) => Math.max(a, b), -Infinity);
  return feasible.filter((_state, i) => totals[i] === most);
}

function filterByRoom(pod: Pod): (state: NodeState) => boolean {
  const wanted = requestsOf(pod);
  return ({ table: { cells }, row }) =>
    cells[row + Column.pods]! < cells[row + Column.maxPods]! &&
    cells[row + Column.cpuMillis]! + wanted.cpuMillis <=
      cells[row + Column.allocatableCpuMillis]! &&
    cells[row + Column.memoryBytes]! + wanted.memoryBytes <=
      cells[row + Column.allocatableMemoryBytes]!;
}

function filterByHostPorts(pod: Pod): ((state: NodeState) => boolean) | null {
  const wanted = hostPorts(pod);
  if (wanted.length === 0) return null;
  return ({ pods }) => {
    const taken = new Set([...pods.values()].flatMap(hostPorts));
    return wanted.every((port) => !taken.has(port));
  };
}

/** (capacity - requested) x 100 / capacity, averaged over CPU and memory. */
function leastAllocated(pod: Pod, states: readonly NodeState[]): number[] {
  const wanted = scoredRequestsOf(pod);
  return states.map(({ table: { cells }, row }) => {
    const cpu = freePercent(
      cells[row + Column.allocatableCpuMillis]!,
      cells[row + Column.scoredCpuMillis]! + wanted.cpuMillis,
    );
    const memory = freePercent(
      cells[row + Column.allocatableMemoryBytes]!,
      cells[row + Column.scoredMemoryBytes]! + wanted.memoryBytes,
    );
    return (cpu + memory) / 2;
  });
}

function freePercent(capacity: number, used: number): number {
  return capacity === 0 ? 0 : Math.floor((Math.max(0, capacity - used) * 100) / capacity);
}

/**
 * 100 x (1 - standard deviation of the used fractions): with two resources, half their difference. By
 * true requests, unlike leastAllocated, and none for a pod that requests nothing
 * (noderesources/balanced_allocation.go: useRequested, isBestEffortPod).
 */
function balancedAllocation(pod: Pod, states: readonly NodeState[]): number[] | null {
  const wanted = requestsOf(pod);
  if (wanted.cpuMillis === 0 && wanted.memoryBytes === 0) return null;
  return states.map(({ table: { cells }, row }) => {
    const cpu =
      (cells[row + Column.cpuMillis]! + wanted.cpuMillis) /
      cells[row + Column.allocatableCpuMillis]!;
    const memory =
      (cells[row + Column.memoryBytes]! + wanted.memoryBytes) /
      cells[row + Column.allocatableMemoryBytes]!;
    return 100 * (1 - Math.abs(Math.min(1, cpu) - Math.min(1, memory)) / 2);
  });
}

function hostPorts(pod: Pod): string[] {
  return pod.spec.containers.flatMap(({ ports }) =>
    ports.flatMap(({ hostPort, protocol }) =>
      hostPort === null ? [] : [`${protocol}/${hostPort}`],
    ),
  );
}
