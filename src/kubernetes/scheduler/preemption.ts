/**
 * Preemption: a pod that fits nowhere takes the place of others of lower priority.
 *
 * Owns: which pods would have to go on each node, and which node costs least. PodDisruptionBudgets are spared where
 * that can be, and broken where it cannot. Refuses to own: telling the victims (scheduler.ts).
 * Source: framework/preemption, plugins/defaultpreemption; timings §4.
 */
import { matchesSelector, type Pod, type PodDisruptionBudget } from "../api/types.ts";
import type { NodeTable } from "./nodeTable.ts";
import { questionsOf } from "./placement.ts";

export interface Preemption {
  readonly nodeName: string;
  /** Highest priority first. */
  readonly victims: readonly Pod[];
  /** Of them, those whose budget would not allow it. */
  readonly violations: number;
}

/** Reason of a victim's condition DisruptionTarget. */
export const PREEMPTED = "PreemptionByScheduler";

export function priorityOf({ spec }: Pod): number {
  return spec.priority ?? 0;
}

/**
 * @param budgets as the scheduler's watch has them
 * @param start the node at which the search begins
 */
export function findVictims(
  pod: Pod,
  nodes: NodeTable,
  budgets: readonly PodDisruptionBudget[] = [],
  start = 0,
): Preemption | null {
  if (pod.spec.preemptionPolicy === "Never") return null;
  const hard = questionsOf(pod, nodes).filter(({ isResolvable }) => !isResolvable);
  const candidates: Preemption[] = [];
  const { length } = nodes.states;
  const enough = candidatesOf(length);
  const trial = nodes.fork();
  for (let i = 0; i < length && candidates.length < enough; i++) {
    const row = (start + i) % length;
    if (!hard.every(({ passes }) => passes(row))) continue;
    const found = victimsOn(pod, row, trial, budgets);
    const nodeName = nodes.states[row]!.node.metadata.name;
    if (found !== null) candidates.push({ nodeName, ...found });
  }
  return cheapest(candidates);
}

/** minCandidateNodesPercentage 10, minCandidateNodesAbsolute 100. */
function candidatesOf(nodes: number): number {
  return Math.max(100, Math.floor(nodes / 10));
}

/**
 * SelectVictimsOnNode: all of lower priority leave; then as many as can be are let back, those first whose budget
 * would be broken, and of these and of the others the important ones first.
 * @param trial left as it was
 */
function victimsOn(
  pod: Pod,
  row: number,
  trial: NodeTable,
  budgets: readonly PodDisruptionBudget[],
): Omit<Preemption, "nodeName"> | null {
  const lower = [...trial.states[row]!.pods.values()].filter(
    (each) => priorityOf(each) < priorityOf(pod),
  );
  if (lower.length === 0) return null;
  const fits = (): boolean => questionsOf(pod, trial).every(({ passes }) => passes(row));
  const letBack = (each: Pod): void => trial.put(row, each);
  for (const each of lower) trial.remove(row, each);
  if (!fits()) {
    lower.forEach(letBack);
    return null;
  }
  const { violating, others } = byBudget(lower.sort(moreImportant), budgets);
  const notLetBack = (candidates: readonly Pod[]): Pod[] =>
    candidates.filter((candidate) => {
      letBack(candidate);
      if (fits()) return false;
      trial.remove(row, candidate);
      return true;
    });
  const broken = notLetBack(violating);
  const victims = [...broken, ...notLetBack(others)].sort(moreImportant);
  victims.forEach(letBack);
  return { victims, violations: broken.length };
}

/**
 * filterPodsWithPDBViolation: each pod, in order, takes one from every budget that covers it and does not count it
 * as gone already; beyond what a budget allows it is violated. Unlike for evictions an empty selector covers nothing.
 */
function byBudget(
  pods: readonly Pod[],
  budgets: readonly PodDisruptionBudget[],
): { readonly violating: Pod[]; readonly others: Pod[] } {
  const allowed = new Map(budgets.map((each) => [each, each.status.disruptionsAllowed]));
  const violating: Pod[] = [];
  const others: Pod[] = [];
  for (const pod of pods) {
    let isViolated = false;
    for (const budget of budgets) {
      if (!covers(budget, pod) || Object.hasOwn(budget.status.disruptedPods, pod.metadata.name)) {
        continue;
      }
      const left = allowed.get(budget)! - 1;
      allowed.set(budget, left);
      if (left < 0) isViolated = true;
    }
    (isViolated ? violating : others).push(pod);
  }
  return { violating, others };
}

function covers({ metadata, spec }: PodDisruptionBudget, pod: Pod): boolean {
  const { matchLabels, matchExpressions } = spec.selector;
  const isEmpty = Object.keys(matchLabels).length + matchExpressions.length === 0;
  return (
    metadata.namespace === pod.metadata.namespace &&
    !isEmpty &&
    matchesSelector(spec.selector, pod.metadata.labels)
  );
}

/** The higher priority; then the one that has run longer. */
function moreImportant(a: Pod, b: Pod): number {
  return (
    priorityOf(b) - priorityOf(a) || a.metadata.creationTimestampNs - b.metadata.creationTimestampNs
  );
}

/**
 * pickOneNodeForPreemption: the fewest budgets broken, the lowest highest priority, the least sum of priorities, the fewest victims, the
 * latest start of the most important one, the first.
 */
function cheapest(candidates: readonly Preemption[]): Preemption | null {
  let best: Preemption | null = null;
  for (const each of candidates) {
    if (best === null || compare(costOf(each), costOf(best)) < 0) best = each;
  }
  return best;
}

function costOf({ victims, violations }: Preemption): number[] {
  const priorities = victims.map(priorityOf);
  const highest = priorities.reduce((a, b) => Math.max(a, b), -Infinity);
  const top = victims.filter((each) => priorityOf(each) === highest);
  const earliest = top.reduce(
    (a, { metadata }) => Math.min(a, metadata.creationTimestampNs),
    Infinity,
  );
  // Upstream shifts priorities so that negative ones cost too: 2^31 each.
  const sum = priorities.reduce((a, b) => a + b + 2 ** 31, 0);
  return [violations, highest, sum, victims.length, -earliest];
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) if (value !== b[i]!) return value - b[i]!;
  return 0;
}
