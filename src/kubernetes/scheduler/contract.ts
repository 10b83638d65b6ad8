/**
 * What a scheduler plugin is given, and what it gives back.
 *
 * Owns: the contract. Members: placement.ts lists them.
 */
import type { Node, Pod } from "../api/types.ts";
import type { NodeState, NodeTable } from "./nodeTable.ts";
import type { SchedulerProfile } from "./profile.ts";

/** Events that may let a pod in that was turned away: what upstream's queueing hints look at first. */
export type ClusterEvent = "podAdded" | "podDeleted" | "nodeAdded" | "nodeUpdated";

export interface FilterPlugin {
  readonly name: string;
  /** Of what is to be asked of each node; null: nothing, for this pod. */
  readonly filter: (pod: Pod, nodes: NodeTable) => ((row: number) => boolean) | null;
  /** Taking pods off the node may help. */
  readonly isResolvable: boolean;
  readonly helpedBy: readonly ClusterEvent[];
}

export interface ScorePlugin {
  readonly weight: keyof SchedulerProfile["weights"];
  /**
   * Writes 0..100 for each of the rows that are compared, in order.
   * @returns false: nothing to say about this pod
   */
  readonly score: (pod: Pod, nodes: NodeTable, rows: Int32Array, into: Float64Array) => boolean;
}

/** The pods with terms about others, with their nodes. */
export function* affinePodsOf(
  { states }: NodeTable,
  rows: Iterable<number>,
): Generator<readonly [Pod, Node]> {
  for (const row of rows) {
    const { node, affine } = states[row]!;
    if (affine.size > 0) for (const pod of affine.values()) yield [pod, node];
  }
}

/** Every pod of the states, with its node. */
export function* podsOf(states: Iterable<NodeState>): Generator<readonly [Pod, Node]> {
  for (const { node, pods } of states) for (const pod of pods.values()) yield [pod, node];
}

export function labelOf(node: Node, key: string): string | undefined {
  if (key === HOSTNAME_LABEL) return node.metadata.name;
  return Object.hasOwn(node.metadata.labels, key) ? node.metadata.labels[key] : undefined;
}

/** Every node has it. */
export const HOSTNAME_LABEL = "kubernetes.io/hostname";
