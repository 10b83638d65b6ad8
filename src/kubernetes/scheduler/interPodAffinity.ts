/**
 * InterPodAffinity: pods that want to be, or must not be, in one domain with others.
 *
 * Owns: its filter and its score. Source: framework/plugins/interpodaffinity; timings §4.
 */
import type { PodAffinityTerm } from "../api/scheduling.ts";
import { matchesSelector, type Node, type Pod } from "../api/types.ts";
import { affinePodsOf, labelOf, podsOf } from "./contract.ts";
import type { NodeTable } from "./nodeTable.ts";

/** Weight of others' required affinity in the score (hardPodAffinityWeight). */
const HARD_WEIGHT = 1;

/** Whether a term of `owner` means `pod`. */
function means(owner: Pod, { labelSelector, namespaces }: PodAffinityTerm, pod: Pod): boolean {
  const { namespace } = pod.metadata;
  const isInScope =
    namespaces.length === 0
      ? namespace === owner.metadata.namespace
      : namespaces.includes(namespace);
  return isInScope && matchesSelector(labelSelector, pod.metadata.labels);
}

const domainKey = (key: string, value: string): string => `${key}=${value}`;

function count(
  into: Map<string, number>,
  { topologyKey }: PodAffinityTerm,
  node: Node,
  by: number,
): void {
  const value = labelOf(node, topologyKey);
  if (value === undefined) return;
  const key = domainKey(topologyKey, value);
  into.set(key, (into.get(key) ?? 0) + by);
}

function has(
  counts: ReadonlyMap<string, number>,
  { topologyKey }: PodAffinityTerm,
  node: Node,
): boolean {
  const value = labelOf(node, topologyKey);
  return value !== undefined && (counts.get(domainKey(topologyKey, value)) ?? 0) > 0;
}

export function filterByPods(pod: Pod, nodes: NodeTable): ((row: number) => boolean) | null {
  const { states } = nodes;
  const wanted = pod.spec.affinity?.podRequired ?? [];
  const unwanted = pod.spec.affinity?.antiRequired ?? [];
  const near = wanted.map(() => new Map<string, number>());
  const apart = unwanted.map(() => new Map<string, number>());
  /** Domains whose pods do not bear this one. */
  const closed = new Map<string, number>();
  let others = 0;
  for (const [other, node] of affinePodsOf(nodes, nodes.affine)) {
    for (const term of other.spec.affinity?.antiRequired ?? []) {
      others++;
      if (means(other, term, pod)) count(closed, term, node, 1);
    }
  }
  // Most pods have nothing to say of others, and nobody of them.
  const asks = wanted.length + unwanted.length > 0;
  for (const [other, node] of asks ? podsOf(states) : []) {
    // Upstream counts a pod for affinity when it matches all terms together.
    if (wanted.length > 0 && wanted.every((term) => means(pod, term, other))) {
      for (const [i, term] of wanted.entries()) count(near[i]!, term, node, 1);
    }
    for (const [i, term] of unwanted.entries()) {
      if (means(pod, term, other)) count(apart[i]!, term, node, 1);
    }
  }
  if (wanted.length + unwanted.length + others === 0) return null;
  // The first of a group that wants to be together may go anywhere.
  const isFirst =
    near.every(({ size }) => size === 0) && wanted.every((term) => means(pod, term, pod));
  return (row) => {
    const { node } = states[row]!;
    return (
      unwanted.every((term, i) => !has(apart[i]!, term, node)) &&
      !isClosed(closed, node) &&
      wanted.every(
        (term, i) =>
          has(near[i]!, term, node) || (isFirst && labelOf(node, term.topologyKey) !== undefined),
      )
    );
  };
}

function isClosed(closed: ReadonlyMap<string, number>, node: Node): boolean {
  for (const key of closed.keys()) {
    const split = key.indexOf("=");
    if (labelOf(node, key.slice(0, split)) === key.slice(split + 1)) return true;
  }
  return false;
}

/** Weights of all terms that hold in a node's domains, from the least to the greatest as 0 to 100. */
export function podAffinityScores(
  pod: Pod,
  nodes: NodeTable,
  rows: Int32Array,
  into: Float64Array,
): boolean {
  const own = pod.spec.affinity;
  const sums = new Map<string, number>();
  const asks = (own?.podPreferred.length ?? 0) + (own?.antiPreferred.length ?? 0) > 0;
  if (!asks && nodes.affine.size === 0) return false;
  const states = Array.from(rows, (row) => nodes.states[row]!);
  for (const [other, node] of asks ? podsOf(states) : []) {
    for (const { weight, term } of own!.podPreferred) {
      if (means(pod, term, other)) count(sums, term, node, weight);
    }
    for (const { weight, term } of own!.antiPreferred) {
      if (means(pod, term, other)) count(sums, term, node, -weight);
    }
  }
  for (const [other, node] of affinePodsOf(nodes, rows)) {
    const theirs = other.spec.affinity;
    if (theirs === undefined) continue;
    for (const term of theirs.podRequired) {
      if (means(other, term, pod)) count(sums, term, node, HARD_WEIGHT);
    }
    for (const { weight, term } of theirs.podPreferred) {
      if (means(other, term, pod)) count(sums, term, node, weight);
    }
    for (const { weight, term } of theirs.antiPreferred) {
      if (means(other, term, pod)) count(sums, term, node, -weight);
    }
  }
  if (sums.size === 0) return false;
  const raw = states.map(({ node }) => {
    let sum = 0;
    for (const [key, weight] of sums) {
      const split = key.indexOf("=");
      if (labelOf(node, key.slice(0, split)) === key.slice(split + 1)) sum += weight;
    }
    return sum;
  });
  const most = raw.reduce((a, b) => Math.max(a, b), -Infinity);
  const least = raw.reduce((a, b) => Math.min(a, b), Infinity);
  for (const [i, sum] of raw.entries()) {
    into[i] = most === least ? 0 : Math.floor((100 * (sum - least)) / (most - least));
  }
  return true;
}
