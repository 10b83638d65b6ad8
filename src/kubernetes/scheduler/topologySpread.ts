/**
 * PodTopologySpread: pods that are to be spread over domains.
 *
 * Owns: its filter (DoNotSchedule), its score (ScheduleAnyway), and the constraints of pods that name none.
 * Source: framework/plugins/podtopologyspread; timings §4.
 */
import { ln } from "../../engine/index.ts";
import type { TopologySpreadConstraint } from "../api/scheduling.ts";
import { matchesSelector, ZONE_LABEL, type Pod } from "../api/types.ts";
import { HOSTNAME_LABEL, labelOf } from "./contract.ts";
import { fitsNodeAffinity } from "./nodeAffinity.ts";
import type { NodeState, NodeTable } from "./nodeTable.ts";

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

export function filterBySpread(pod: Pod, { states }: NodeTable): ((row: number) => boolean) | null {
  const hard = constraintsOf(pod, "DoNotSchedule").map((constraint) => {
    const counts = domainCounts(pod, constraint, states);
    let least = Infinity;
    for (const each of counts.values()) least = Math.min(least, each);
    if (counts.size < (constraint.minDomains ?? 1)) least = 0;
    const self = matchesSelector(constraint.labelSelector, pod.metadata.labels) ? 1 : 0;
    return { ...constraint, counts, least, self };
  });
  if (hard.length === 0) return null;
  return (row) =>
    hard.every(({ topologyKey, maxSkew, counts, least, self }) => {
      const domain = labelOf(states[row]!.node, topologyKey);
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
  readonly countOn: (row: number) => number;
}

function spreadsOf(pod: Pod, nodes: NodeTable): Spread[] {
  if ((pod.spec.topologySpreadConstraints ?? []).length > 0) {
    return constraintsOf(pod, "ScheduleAnyway").map((constraint) => ({
      ...constraint,
      countOn: (row) => counted(pod, constraint, nodes.states[row]!),
    }));
  }
  const { ownerUid } = pod.metadata;
  if (ownerUid === null) return [];
  const siblings = nodes.siblings(ownerUid);
  const countOn = (row: number): number => siblings.get(row) ?? 0;
  return DEFAULTS.map((constraint) => ({ ...constraint, countOn }));
}

/**
 * For each constraint pods x ln(domains + 2) + maxSkew - 1, rounded in sum, then turned over so that few pods
 * score high (scoring.go).
 */
export function spreadScores(
  pod: Pod,
  nodes: NodeTable,
  rows: Int32Array,
  into: Float64Array,
): boolean {
  const spreads = spreadsOf(pod, nodes);
  if (spreads.length === 0) return false;
  into.fill(0, 0, rows.length);
  for (const spread of spreads) {
    if (spread.topologyKey === HOSTNAME_LABEL) addByNode(spread, rows, into);
    else addByDomain(spread, nodes, rows, into);
  }
  let most = 0;
  let least = Infinity;
  for (let i = 0; i < rows.length; i++) {
    const score = Math.round(into[i]!);
    into[i] = score;
    if (score > most) most = score;
    if (score < least) least = score;
  }
  for (let i = 0; i < rows.length; i++) {
    into[i] = most === 0 ? 100 : Math.floor((100 * (most + least - into[i]!)) / most);
  }
  return true;
}

/** Every node is a domain of its own. */
function addByNode({ maxSkew, countOn }: Spread, rows: Int32Array, into: Float64Array): void {
  const weight = ln(rows.length + 2);
  for (let i = 0; i < rows.length; i++) into[i]! += countOn(rows[i]!) * weight + maxSkew - 1;
}

function addByDomain(
  { maxSkew, topologyKey, countOn }: Spread,
  nodes: NodeTable,
  rows: Int32Array,
  into: Float64Array,
): void {
  const { ids, count } = nodes.domains(topologyKey, labelOf);
  if (count === 0) return;
  /** -1: none of the rows is there. */
  const counts = new Float64Array(count).fill(-1);
  let present = 0;
  for (const row of rows) {
    const id = ids[row]!;
    if (id < 0) continue;
    if (counts[id] === -1) {
      counts[id] = 0;
      present++;
    }
    counts[id]! += countOn(row);
  }
  if (present === 0) return;
  const weight = ln(present + 2);
  for (let i = 0; i < rows.length; i++) {
    const id = ids[rows[i]!]!;
    if (id >= 0) into[i]! += counts[id]! * weight + maxSkew - 1;
  }
}
