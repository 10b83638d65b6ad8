/**
 * Where a pod may run and where it had best run: filters and scores.
 *
 * Owns: the two tables of plugins and choosing by them. Refuses to own: the queue and the binding
 * (scheduler.ts). Source: pkg/scheduler/framework/plugins; timings §4.
 */
import type { RandomStream } from "../../engine/index.ts";
import type { ContainerPort, Pod, PodSpec } from "../api/types.ts";
import type { FilterPlugin, ScorePlugin } from "./contract.ts";
import { filterByPods, podAffinityScores } from "./interPodAffinity.ts";
import {
  asksOfNodes,
  fitsNodeAffinity,
  fitsTaints,
  fitsUnschedulable,
  nodeAffinityScores,
  taintScores,
} from "./nodeAffinity.ts";
import { requestsOf, scoredRequestsOf, type NodeTable } from "./nodeTable.ts";
import type { SchedulerProfile } from "./profile.ts";
import { filterBySpread, spreadScores } from "./topologySpread.ts";

export const filters: readonly FilterPlugin[] = [
  {
    name: "NodeUnschedulable",
    filter: (pod, { states, isRestricted }) =>
      isRestricted ? (row) => fitsUnschedulable(pod, states[row]!.node) : null,
    isResolvable: false,
    helpedBy: ["nodeAdded", "nodeUpdated"],
  },
  {
    name: "TaintToleration",
    filter: (pod, { states, isRestricted }) =>
      isRestricted ? (row) => fitsTaints(pod, states[row]!.node) : null,
    isResolvable: false,
    helpedBy: ["nodeAdded", "nodeUpdated"],
  },
  {
    name: "NodeAffinity",
    filter: (pod, { states }) =>
      asksOfNodes(pod) ? (row) => fitsNodeAffinity(pod, states[row]!.node) : null,
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
  { weight: "taintToleration", score: taintScores },
  { weight: "nodeAffinity", score: nodeAffinityScores },
  { weight: "podTopologySpread", score: spreadScores },
  { weight: "interPodAffinity", score: podAffinityScores },
  { weight: "leastAllocated", score: leastAllocated },
  { weight: "balancedAllocation", score: balancedAllocation },
];

/** What became of a pod: a node's row, or -1 and the names of the filters that turned it away somewhere. */
export interface Choice {
  readonly row: number;
  /** Nodes that were looked at. */
  readonly looked: number;
  readonly rejectedBy: ReadonlySet<string>;
}

interface Question {
  readonly name: string;
  readonly passes: (row: number) => boolean;
  readonly isResolvable: boolean;
}

/** Every question that the filters have about a pod, with their names. */
export function questionsOf(pod: Pod, nodes: NodeTable): Question[] {
  return filters.flatMap(({ name, filter, isResolvable }) => {
    const passes = filter(pod, nodes);
    return passes === null ? [] : [{ name, passes, isResolvable }];
  });
}

/**
 * The node for a pod. Among equals the choice is uniform, as by upstream's reservoir sampling; one draw a pod.
 * @param start the first that is looked at; only so many that fit are compared
 */
export function choose(
  pod: Pod,
  nodes: NodeTable,
  start: number,
  weights: SchedulerProfile["weights"],
  stream: RandomStream,
): Choice {
  const questions = questionsOf(pod, nodes);
  const rejectedBy = new Set<string>();
  const { length } = nodes.states;
  const enough = feasibleNodes(length);
  const { rows } = nodes.scratch;
  let feasible = 0;
  let looked = 0;
  let row = start < length ? start : 0;
  while (looked < length && feasible < enough) {
    const refusal = firstRefusal(questions, row);
    if (refusal === null) rows[feasible++] = row;
    else rejectedBy.add(refusal);
    looked++;
    if (++row === length) row = 0;
  }
  const draw = stream.uniform();
  if (feasible === 0) return { looked, row: -1, rejectedBy };
  return { looked, row: bestOf(pod, nodes, rows.subarray(0, feasible), weights, draw), rejectedBy };
}

/** The name of the filter that turns the pod away from a node first. */
function firstRefusal(questions: readonly Question[], row: number): string | null {
  for (let i = 0; i < questions.length; i++) {
    if (!questions[i]!.passes(row)) return questions[i]!.name;
  }
  return null;
}

/** numFeasibleNodesToFind: all of fewer than 100; else (50 - nodes / 125) %, at least 5 % and 100 nodes. */
export function feasibleNodes(nodes: number): number {
  if (nodes < 100) return nodes;
  const percent = Math.max(5, Math.floor(50 - nodes / 125));
  return Math.max(100, Math.floor((nodes * percent) / 100));
}

/** The row with the greatest weighted sum of scores; `draw` decides among equals. */
function bestOf(
  pod: Pod,
  nodes: NodeTable,
  rows: Int32Array,
  weights: SchedulerProfile["weights"],
  draw: number,
): number {
  const { totals, scores } = nodes.scratch;
  totals.fill(0, 0, rows.length);
  for (const { weight, score } of scorers) {
    if (!score(pod, nodes, rows, scores)) continue;
    const times = weights[weight];
    for (let i = 0; i < rows.length; i++) totals[i]! += times * Math.floor(scores[i]!);
  }
  let most = -Infinity;
  let equals = 0;
  for (let i = 0; i < rows.length; i++) {
    if (totals[i]! > most) {
      most = totals[i]!;
      equals = 0;
    }
    if (totals[i] === most) equals++;
  }
  let skipped = Math.floor(draw * equals);
  let best = 0;
  while (totals[best] !== most || skipped-- > 0) best++;
  return rows[best]!;
}

function filterByRoom(pod: Pod, { requested, allocatable }: NodeTable): (row: number) => boolean {
  const wanted = requestsOf(pod);
  return (row) =>
    requested.pods[row]! < allocatable.pods[row]! &&
    requested.cpuMillis[row]! + wanted.cpuMillis <= allocatable.cpuMillis[row]! &&
    requested.memoryBytes[row]! + wanted.memoryBytes <= allocatable.memoryBytes[row]!;
}

function filterByHostPorts(pod: Pod, { states }: NodeTable): ((row: number) => boolean) | null {
  const wanted = hostPortsOf(pod);
  if (wanted.length === 0) return null;
  return (row) => {
    for (const other of states[row]!.pods.values()) {
      for (const taken of hostPortsOf(other)) {
        if (wanted.some((port) => clash(port, taken))) return false;
      }
    }
    return true;
  };
}

/** (capacity - requested) x 100 / capacity, averaged over CPU and memory. */
function leastAllocated(
  pod: Pod,
  { scored, allocatable }: NodeTable,
  rows: Int32Array,
  into: Float64Array,
): boolean {
  const { cpuMillis, memoryBytes } = scoredRequestsOf(pod);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    const cpu = freePercent(allocatable.cpuMillis[row]!, scored.cpuMillis[row]! + cpuMillis);
    const memory = freePercent(
      allocatable.memoryBytes[row]!,
      scored.memoryBytes[row]! + memoryBytes,
    );
    into[i] = (cpu + memory) / 2;
  }
  return true;
}

function freePercent(capacity: number, used: number): number {
  return capacity === 0 ? 0 : Math.floor((Math.max(0, capacity - used) * 100) / capacity);
}

/**
 * 100 x (1 - standard deviation of the used fractions): with two resources, half their difference. By
 * true requests, unlike leastAllocated, and none for a pod that requests nothing
 * (noderesources/balanced_allocation.go: useRequested, isBestEffortPod).
 */
function balancedAllocation(
  pod: Pod,
  { requested, allocatable }: NodeTable,
  rows: Int32Array,
  into: Float64Array,
): boolean {
  const { cpuMillis, memoryBytes } = requestsOf(pod);
  if (cpuMillis === 0 && memoryBytes === 0) return false;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    const cpu = (requested.cpuMillis[row]! + cpuMillis) / allocatable.cpuMillis[row]!;
    const memory = (requested.memoryBytes[row]! + memoryBytes) / allocatable.memoryBytes[row]!;
    into[i] = 100 * (1 - Math.abs(Math.min(1, cpu) - Math.min(1, memory)) / 2);
  }
  return true;
}

const ANY_ADDRESS = "0.0.0.0";
const NONE: readonly ContainerPort[] = [];
/** Of each spec: most have none, and a filter asks all pods of all nodes. */
const hostPorts = new WeakMap<PodSpec, readonly ContainerPort[]>();

/** GetHostPorts: of containers and sidecars; other init containers have gone when they run. */
function hostPortsOf({ spec }: Pod): readonly ContainerPort[] {
  let ports = hostPorts.get(spec);
  if (ports === undefined) {
    const sidecars = (spec.initContainers ?? []).filter(
      ({ restartPolicy }) => restartPolicy === "Always",
    );
    const held = [...sidecars, ...spec.containers].flatMap((container) =>
      container.ports.filter(({ hostPort }) => hostPort !== null),
    );
    hostPorts.set(spec, (ports = held.length === 0 ? NONE : held));
  }
  return ports;
}

/** HostPortInfo.CheckConflict: one port of one protocol, at one address or where one of them holds all. */
function clash(a: ContainerPort, b: ContainerPort): boolean {
  if (a.hostPort !== b.hostPort || a.protocol !== b.protocol) return false;
  const [one, other] = [a.hostIP ?? ANY_ADDRESS, b.hostIP ?? ANY_ADDRESS];
  return one === other || one === ANY_ADDRESS || other === ANY_ADDRESS;
}
