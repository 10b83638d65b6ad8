/**
 * Preemption: a pod that fits nowhere takes the place of others of lower priority.
 *
 * Owns: which pods would have to go on each node, and which node costs least. Refuses to own: telling them
 * (scheduler.ts). Source: framework/preemption, plugins/defaultpreemption; timings §4. Not modelled:
 * PodDisruptionBudgets count for nothing here; upstream only prefers not to break them.
 */
import type { Pod } from "../api/types.ts";
import type { NodeTable } from "./nodeTable.ts";
import { questionsOf } from "./placement.ts";

export interface Preemption {
  readonly nodeName: string;
  /** Highest priority first. */
  readonly victims: readonly Pod[];
}

export function priorityOf({ spec }: Pod): number {
  return spec.priority ?? 0;
}

/** @param start the node at which the search begins */
export function findVictims(pod: Pod, nodes: NodeTable, start = 0): Preemption | null {
  if (pod.spec.preemptionPolicy === "Never") return null;
  const hard = questionsOf(pod, nodes).filter(({ isResolvable }) => !isResolvable);
  const candidates: Preemption[] = [];
  const { length } = nodes.states;
  const enough = candidatesOf(length);
  const trial = nodes.fork();
  for (let i = 0; i < length && candidates.length < enough; i++) {
    const row = (start + i) % length;
    if (!hard.every(({ passes }) => passes(row))) continue;
    const victims = victimsOn(pod, row, trial);
    const nodeName = nodes.states[row]!.node.metadata.name;
    if (victims !== null) candidates.push({ nodeName, victims });
  }
  return cheapest(candidates);
}

/** minCandidateNodesPercentage 10, minCandidateNodesAbsolute 100. */
function candidatesOf(nodes: number): number {
  return Math.max(100, Math.floor(nodes / 10));
}

/**
 * SelectVictimsOnNode: all of lower priority leave; then as many as can be are let back, important ones first.
 * @param trial left as it was
 */
function victimsOn(pod: Pod, row: number, trial: NodeTable): Pod[] | null {
  const lower = [...trial.states[row]!.pods.values()].filter(
    (each) => priorityOf(each) < priorityOf(pod),
  );
  if (lower.length === 0) return null;
  const fits = (): boolean => questionsOf(pod, trial).every(({ passes }) => passes(row));
  for (const each of lower) trial.remove(row, each);
  const victims: Pod[] = [];
  const helps = fits();
  for (const candidate of lower.sort(moreImportant)) {
    trial.put(row, candidate);
    if (!helps || fits()) continue;
    trial.remove(row, candidate);
    victims.push(candidate);
  }
  for (const victim of victims) trial.put(row, victim);
  return helps ? victims : null;
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
