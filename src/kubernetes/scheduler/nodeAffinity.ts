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
import type { NodeState } from "./contract.ts";

/** Whether it is anything to the pod which node it gets. */
export function asksOfNodes({ spec }: Pod): boolean {
  return (
    Object.keys(spec.nodeSelector).length > 0 || (spec.affinity?.nodeRequired ?? null) !== null
  );
}

export function fitsNodeAffinity({ spec }: Pod, node: Node): boolean {
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
export function nodeAffinityScores(pod: Pod, states: readonly NodeState[]): number[] | null {
  const preferred = pod.spec.affinity?.nodePreferred ?? [];
  if (preferred.length === 0) return null;
  const sums = states.map(({ node }) =>
    preferred.reduce((sum, { weight, term }) => sum + (matchesTerm(term, node) ? weight : 0), 0),
  );
  return normalized(sums);
}

/** The fewer PreferNoSchedule taints it does not bear, the better. */
export function taintScores(pod: Pod, states: readonly NodeState[]): number[] | null {
  if (!states.some(({ isRestricted }) => isRestricted)) return null;
  const tolerations = pod.spec.tolerations ?? [];
  const counts = states.map(({ node }) => unborne(node.spec.taints ?? [], tolerations));
  if (counts.every((each) => each === 0)) return null;
  return normalized(counts).map((score) => 100 - score);
}

function unborne(taints: readonly Taint[], tolerations: readonly Toleration[]): number {
  return taints.filter(
    (taint) => taint.effect === "PreferNoSchedule" && !isTolerated(tolerations, taint),
  ).length;
}

/** DefaultNormalizeScore. */
function normalized(values: readonly number[]): number[] {
  const most = values.reduce((a, b) => Math.max(a, b), 0);
  return values.map((value) => (most === 0 ? 0 : Math.floor((100 * value) / most)));
}
