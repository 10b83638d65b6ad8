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
  readonly fits: (pod: Pod, state: NodeState) => boolean;
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

export const filters: readonly FilterPlugin[] = [
  {
    name: "NodeUnschedulable",
    fits: (_pod, { node }) => !node.spec.unschedulable && node.status.ready.status,
  },
  {
    name: "NodeAffinity",
    fits: (pod, { node }) => matchesLabels(pod.spec.nodeSelector, node.metadata.labels),
  },
  {
    name: "NodeResourcesFit",
    fits: (pod, { node, pods, requested }) => {
      const { allocatable } = node.status;
      const wanted = requestsOf(pod);
      return (
        pods.size < allocatable.maxPods &&
        requested.cpuMillis + wanted.cpuMillis <= allocatable.cpuMillis &&
        requested.memoryBytes + wanted.memoryBytes <= allocatable.memoryBytes
      );
    },
  },
  {
    name: "NodePorts",
    fits: (pod, { pods }) => {
      const wanted = hostPorts(pod);
      if (wanted.length === 0) return true;
      const taken = new Set([...pods.values()].flatMap(hostPorts));
      return wanted.every((port) => !taken.has(port));
    },
  },
];

export const scorers: readonly ScorePlugin[] = [
  { weight: "podTopologySpread", scores: spreadScores },
  { weight: "leastAllocated", scores: (pod, states) => states.map((s) => leastAllocated(pod, s)) },
  {
    weight: "balancedAllocation",
    scores: (pod, states) => states.map((state) => balancedAllocation(pod, state)),
  },
];

/**
 * The node for a pod, or null when none fits. Among equals the choice is uniform, as by upstream's
 * reservoir sampling; one draw a pod.
 */
export function choose(
  pod: Pod,
  states: readonly NodeState[],
  weights: SchedulerProfile["weights"],
  stream: RandomStream,
): NodeState | null {
  const feasible = states.filter((state) => filters.every(({ fits }) => fits(pod, state)));
  const totals = feasible.map(() => 0);
  for (const { weight, scores } of scorers) {
    for (const [i, score] of scores(pod, feasible).entries()) {
      totals[i]! += weights[weight] * Math.floor(score);
    }
  }
  let best = -1;
  for (const total of totals) best = Math.max(best, total);
  const equals = feasible.filter((_state, i) => totals[i] === best);
  const draw = stream.uniform();
  return equals.length === 0 ? null : equals[Math.floor(draw * equals.length)]!;
}

/** Default constraints, both ScheduleAnyway (timings §4). */
const SPREAD = [
  { maxSkew: 3, domainOf: ({ metadata }: Node): string | undefined => metadata.name },
  {
    maxSkew: 5,
    domainOf: ({ metadata }: Node): string | undefined => metadata.labels[ZONE_LABEL],
  },
] as const;

/**
 * PodTopologySpread: for each constraint siblings x ln(domains + 2) + maxSkew - 1, rounded in sum, then
 * turned over so that few siblings score high (podtopologyspread/scoring.go).
 */
function spreadScores(pod: Pod, states: readonly NodeState[]): number[] {
  const { ownerUid } = pod.metadata;
  if (ownerUid === null) return states.map(() => 0);
  const sums = states.map(() => 0);
  for (const { maxSkew, domainOf } of SPREAD) {
    const siblings = new Map<string, number>();
    for (const state of states) {
      const domain = domainOf(state.node);
      if (domain === undefined) continue;
      siblings.set(domain, (siblings.get(domain) ?? 0) + (state.siblings.get(ownerUid) ?? 0));
    }
    const weight = ln(siblings.size + 2);
    for (const [i, { node }] of states.entries()) {
      const count = siblings.get(domainOf(node) ?? "");
      if (count !== undefined) sums[i]! += count * weight + maxSkew - 1;
    }
  }
  const scores = sums.map(Math.round);
  const most = scores.reduce((a, b) => Math.max(a, b), 0);
  const least = scores.reduce((a, b) => Math.min(a, b), most);
  return scores.map((score) =>
    most === 0 ? 100 : Math.floor((100 * (most + least - score)) / most),
  );
}

/** (capacity - requested) x 100 / capacity, averaged over CPU and memory. */
function leastAllocated(pod: Pod, { node, scored }: NodeState): number {
  const { allocatable } = node.status;
  const wanted = scoredRequestsOf(pod);
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
function balancedAllocation(pod: Pod, { node, requested }: NodeState): number {
  const { allocatable } = node.status;
  const wanted = requestsOf(pod);
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
