/**
 * PodTopologySpread: pods that are to be spread over domains.
 *
 * Owns: its filter (DoNotSchedule), its score (ScheduleAnyway), and the constraints of pods that name none.
 * Source: framework/plugins/podtopologyspread; timings §4.
 */
import { ln } from "../../engine/index.ts";
import type { TopologySpreadConstraint } from "../api/scheduling.ts";
import { matchesSelector, ZONE_LABEL, type Pod } from "../api/types.ts";
import { HOSTNAME_LABEL, labelOf, type NodeState, type Snapshot } from "./contract.ts";
import { fitsNodeAffinity } from "./nodeAffinity.ts";
import type { NodeTable } from "./nodeTable.ts";

/** systemDefaultConstraints, both ScheduleAnyway (timings §4): for pods that have an owner. */
const DEFAULTS = [
  { maxSkew: 3, topologyKey: HOSTNAME_LABEL },
  { maxSkew: 5, topologyKey: ZONE_LABEL },
];

/** Pods of a node that a constraint of `pod` counts: its namespace's, by the selector, not those that go. */
function counted(
  pod: Pod,
  { labelSelector }: TopologySpreadConstraint,
  { pods }: NodeState,
): number {
  let sum = 0;
  for (const { metadata } of pods.values()) {
    if (metadata.namespace !== pod.metadata.namespace) continue;
    if (metadata.deletionTimestampNs !== null) continue;
    if (matchesSelector(labelSelector, metadata.labels)) sum++;
  }
  return sum;
}

/** Of the nodes that the pod's own selector and affinity allow (nodeAffinityPolicy Honor). */
function domainCounts(
  pod: Pod,
  constraint: TopologySpreadConstraint,
  states: readonly NodeState[],
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const state of states) {
    const domain = labelOf(state.node, constraint.topologyKey);
    if (domain === undefined || !fitsNodeAffinity(pod, state.node)) continue;
    counts.set(domain, (counts.get(domain) ?? 0) + counted(pod, constraint, state));
  }
  return counts;
}

export function filterBySpread(
  pod: Pod,
  { states }: Snapshot,
): ((state: NodeState) => boolean) | null {
  const hard = constraintsOf(pod, "DoNotSchedule").map((constraint) => {
    const counts = domainCounts(pod, constraint, states);
    let least = Infinity;
    for (const each of counts.values()) least = Math.min(least, each);
    if (counts.size < (constraint.minDomains ?? 1)) least = 0;
    const self = matchesSelector(constraint.labelSelector, pod.metadata.labels) ? 1 : 0;
    return { ...constraint, counts, least, self };
  });
  if (hard.length === 0) return null;
  return ({ node }) =>
    hard.every(({ topologyKey, maxSkew, counts, least, self }) => {
      const domain = labelOf(node, topologyKey);
      return domain !== undefined && (counts.get(domain) ?? 0) + self - least <= maxSkew;
    });
}

function constraintsOf(
  { spec }: Pod,
  when: TopologySpreadConstraint["whenUnsatisfiable"],
): readonly TopologySpreadConstraint[] {
  return (spec.topologySpreadConstraints ?? []).filter((each) => each.whenUnsatisfiable === when);
}

/** One constraint, with the pods of each node that it counts. */
interface Spread {
  readonly maxSkew: number;
  readonly topologyKey: string;
  readonly countOn: (state: NodeState) => number;
}

function spreadsOf(pod: Pod): Spread[] {
  if ((pod.spec.topologySpreadConstraints ?? []).length > 0) {
    return constraintsOf(pod, "ScheduleAnyway").map((constraint) => ({
      ...constraint,
      countOn: (state) => counted(pod, constraint, state),
    }));
  }
  const { ownerUid } = pod.metadata;
  if (ownerUid === null) return [];
  const countOn = siblingsOn(ownerUid);
  return DEFAULTS.map((constraint) => ({ ...constraint, countOn }));
}

/** Asks each table once. */
function siblingsOn(ownerUid: string): (state: NodeState) => number {
  let asked: NodeTable | null = null;
  let counts: ReadonlyMap<number, number>;
  return ({ table, row }) => {
    if (table !== asked) counts = (asked = table).siblings(ownerUid);
    return counts.get(row) ?? 0;
  };
}

/**
 * For each constraint pods x ln(domains + 2) + maxSkew - 1, rounded in sum, then turned over so that few pods
 * score high (scoring.go).
 */
export function spreadScores(pod: Pod, states: readonly NodeState[]): number[] | null {
  const spreads = spreadsOf(pod);
  if (spreads.length === 0) return null;
  const sums = states.map(() => 0);
  for (const spread of spreads) {
    if (spread.topologyKey === HOSTNAME_LABEL) addByNode(spread, states, sums);
    else addByDomain(spread, states, sums);
  }
  const scores = sums.map(Math.round);
  const most = scores.reduce((a, b) => Math.max(a, b), 0);
  const least = scores.reduce((a, b) => Math.min(a, b), most);
  return scores.map((score) =>
    most === 0 ? 100 : Math.floor((100 * (most + least - score)) / most),
  );
}

/** Every node is a domain of its own. */
function addByNode(
  { maxSkew, countOn }: Spread,
  states: readonly NodeState[],
  sums: number[],
): void {
  const weight = ln(states.length + 2);
  for (let i = 0; i < states.length; i++) sums[i]! += countOn(states[i]!) * weight + maxSkew - 1;
}

function addByDomain(
  { maxSkew, topologyKey, countOn }: Spread,
  states: readonly NodeState[],
  sums: number[],
): void {
  const counts = new Map<string, number>();
  for (const state of states) {
    const domain = labelOf(state.node, topologyKey);
    if (domain === undefined) continue;
    counts.set(domain, (counts.get(domain) ?? 0) + countOn(state));
  }
  if (counts.size === 0) return;
  const weight = ln(counts.size + 2);
  for (const [i, { node }] of states.entries()) {
    const count = counts.get(labelOf(node, topologyKey) ?? "");
    if (count !== undefined) sums[i]! += count * weight + maxSkew - 1;
  }
}
