/**
 * NodeAffinity and TaintToleration: what a pod and a node say of each other.
 *
 * Owns: their filters and scores. Source: framework/plugins/nodeaffinity, tainttoleration; timings §4.
 */
import { matchesTerm } from "../api/scheduling.ts";
import {
  isTolerated,
  TAINT_UNSCHEDULABLE,
  tolerationsOf,
  type Taint,
  type Toleration,
} from "../api/taints.ts";
import { matchesLabels, type Node, type Pod } from "../api/types.ts";
import type { NodeTable } from "./nodeTable.ts";

/** Whether it is anything to the pod which node it gets. */
export function asksOfNodes({ spec }: Pod): boolean {
  return (
    Object.keys(spec.nodeSelector).length > 0 || (spec.affinity?.nodeRequired ?? null) !== null
  );
}

export function fitsNodeAffinity({ spec }: Pick<Pod, "spec">, node: Node): boolean {
  if (!matchesLabels(spec.nodeSelector, node.metadata.labels)) return false;
  const required = spec.affinity?.nodeRequired ?? null;
  return required === null || required.some((term) => matchesTerm(term, node));
}

/** A cordoned node takes whoever bears its taint. */
export function fitsUnschedulable({ spec }: Pod, node: Node): boolean {
  if (!node.spec.unschedulable) return true;
  const taint = {
    key: TAINT_UNSCHEDULABLE,
    value: "",
    effect: "NoSchedule",
    timeAddedNs: null,
  } as const;
  return isTolerated(spec.tolerations ?? [], taint);
}

export function fitsTaints({ spec }: Pod, node: Node): boolean {
  const { taints } = node.spec;
  if (taints === undefined || taints.length === 0) return true;
  const tolerations = tolerationsOf(spec.tolerations);
  return taints.every(
    (taint) => taint.effect === "PreferNoSchedule" || isTolerated(tolerations, taint),
  );
}

/** Sum of the weights that hold, the greatest counted as 100. */
export function nodeAffinityScores(
  pod: Pod,
  { states }: NodeTable,
  rows: Int32Array,
  into: Float64Array,
): boolean {
  const preferred = pod.spec.affinity?.nodePreferred ?? [];
  if (preferred.length === 0) return false;
  for (const [i, row] of rows.entries()) {
    const { node } = states[row]!;
    into[i] = preferred.reduce(
      (sum, { weight, term }) => sum + (matchesTerm(term, node) ? weight : 0),
      0,
    );
  }
  normalize(into, rows.length);
  return true;
}

/** The fewer PreferNoSchedule taints it does not bear, the better. */
export function taintScores(
  pod: Pod,
  { states, isRestricted }: NodeTable,
  rows: Int32Array,
  into: Float64Array,
): boolean {
  if (!isRestricted) return false;
  const tolerations = pod.spec.tolerations ?? [];
  let found = false;
  for (const [i, row] of rows.entries()) {
    into[i] = unborne(states[row]!.node.spec.taints ?? [], tolerations);
    found ||= into[i]! > 0;
  }
  if (!found) return false;
  normalize(into, rows.length);
  for (let i = 0; i < rows.length; i++) into[i] = 100 - into[i]!;
  return true;
}

function unborne(taints: readonly Taint[], tolerations: readonly Toleration[]): number {
  return taints.filter(
    (taint) => taint.effect === "PreferNoSchedule" && !isTolerated(tolerations, taint),
  ).length;
}

/** DefaultNormalizeScore. */
function normalize(values: Float64Array, count: number): void {
  let most = 0;
  for (let i = 0; i < count; i++) most = Math.max(most, values[i]!);
  for (let i = 0; i < count; i++) {
    values[i] = most === 0 ? 0 : Math.floor((100 * values[i]!) / most);
  }
}
