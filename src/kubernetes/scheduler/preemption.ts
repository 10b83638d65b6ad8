/**
 * Preemption: a pod that fits nowhere takes the place of others of lower priority.
 *
 * Owns: which pods would have to go on each node, and which node costs least. Refuses to own: telling them
 * (scheduler.ts). Source: framework/preemption, plugins/defaultpreemption; timings §4. Not modelled:
 * PodDisruptionBudgets count for nothing here; upstream only prefers not to break them.
 */
import { objectKey, type Pod } from "../api/types.ts";
import { snapshotOf } from "./contract.ts";
import type { NodeInfo } from "./picture.ts";
import { questionsOf } from "./placement.ts";

export interface Preemption {
  readonly nodeName: string;
  /** Highest priority first. */
  readonly victims: readonly Pod[];
}

export function priorityOf({ spec }: Pod): number {
  return spec.priority ?? 0;
}

export function findVictims(pod: Pod, states: readonly NodeInfo[]): Preemption | null {
  if (pod.spec.preemptionPolicy === "Never") return null;
  const hard = questionsOf(pod, snapshotOf(states)).filter(({ isResolvable }) => !isResolvable);
  const candidates: Preemption[] = [];
  const enough = candidatesOf(states.length);
  for (const state of states) {
    if (!hard.every(({ passes }) => passes(state))) continue;
    const victims = victimsOn(pod, state, states);
    if (victims !== null) candidates.push({ nodeName: state.node.metadata.name, victims });
    if (candidates.length >= enough) break;
  }
  return cheapest(candidates);
}

/** minCandidateNodesPercentage 10, minCandidateNodesAbsolute 100. */
function candidatesOf(nodes: number): number {
  return Math.max(100, Math.floor(nodes / 10));
}

/** SelectVictimsOnNode: all of lower priority leave; then as many as can be are let back, important ones first. */
function victimsOn(pod: Pod, state: NodeInfo, states: readonly NodeInfo[]): Pod[] | null {
  const lower = [...state.pods.values()].filter((each) => priorityOf(each) < priorityOf(pod));
  if (lower.length === 0) return null;
  const gone = new Set(lower.map(objectKey));
  const kept = [...state.pods.values()].filter((each) => !gone.has(objectKey(each)));
  const fits = (): boolean => {
    const trial = state.with(kept);
    const all = states.map((each) => (each === state ? trial : each));
    return questionsOf(pod, snapshotOf(all)).every(({ passes }) => passes(trial));
  };
  if (!fits()) return null;
  const victims: Pod[] = [];
  for (const candidate of lower.sort(moreImportant)) {
    kept.push(candidate);
    if (fits()) continue;
    kept.pop();
    victims.push(candidate);
  }
  return victims;
}

/** The higher priority; then the one that has run longer. */
function moreImportant(a: Pod, b: Pod): number {
  return (
    priorityOf(b) - priorityOf(a) || a.metadata.creationTimestampNs - b.metadata.creationTimestampNs
  );
}

/**
 * pickOneNodeForPreemption: the lowest highest priority, the least sum of priorities, the fewest victims, the
 * latest start of the most important one, the first.
 */
function cheapest(candidates: readonly Preemption[]): Preemption | null {
  let best: Preemption | null = null;
  for (const each of candidates) {
    if (best === null || compare(costOf(each), costOf(best)) < 0) best = each;
  }
  return best;
}

function costOf({ victims }: Preemption): number[] {
  const priorities = victims.map(priorityOf);
  const highest = priorities.reduce((a, b) => Math.max(a, b), -Infinity);
  const top = victims.filter((each) => priorityOf(each) === highest);
  const earliest = top.reduce(
    (a, { metadata }) => Math.min(a, metadata.creationTimestampNs),
    Infinity,
  );
  // Upstream shifts priorities so that negative ones cost too: 2^31 each.
  const sum = priorities.reduce((a, b) => a + b + 2 ** 31, 0);
  return [highest, sum, victims.length, -earliest];
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) if (value !== b[i]!) return value - b[i]!;
  return 0;
}
