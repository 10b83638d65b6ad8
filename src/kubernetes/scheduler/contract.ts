/**
 * What a scheduler plugin is given, and what it gives back.
 *
 * Owns: the contract. Members: filters.ts and scores.ts list them.
 */
import type { Node, Pod } from "../api/types.ts";
import type { NodeTable } from "./nodeTable.ts";
import type { SchedulerProfile } from "./profile.ts";

/** A node with what runs on it, by requests. Terminating pods count until their object is gone. */
export interface NodeState {
  readonly node: Node;
  readonly pods: ReadonlyMap<string, Pod>;
  /** Those of them that have terms about other pods. */
  readonly affine: ReadonlyMap<string, Pod>;
  /** Its sums are there, from cell `row` on, and its pods that are not being deleted, by owner. */
  readonly table: NodeTable;
  readonly row: number;
  /** It is cordoned or has taints. */
  readonly isRestricted: boolean;
}

/** All nodes at one moment, with what can be said of them together. */
export interface Snapshot<State extends NodeState = NodeState> {
  readonly states: readonly State[];
  /** Those with pods that have terms about others. */
  readonly affine: readonly State[];
  /** Any is cordoned or has taints. */
  readonly isRestricted: boolean;
}

export function snapshotOf<State extends NodeState>(states: readonly State[]): Snapshot<State> {
  return {
    states,
    affine: states.filter(({ affine }) => affine.size > 0),
    isRestricted: states.some(({ isRestricted }) => isRestricted),
  };
}

/** Events that may let a pod in that was turned away: what upstream's queueing hints look at first. */
export type ClusterEvent = "podAdded" | "podDeleted" | "nodeAdded" | "nodeUpdated";

export interface FilterPlugin {
  readonly name: string;
  /** Of what is to be asked of each node; null: nothing, for this pod. */
  readonly filter: (pod: Pod, snapshot: Snapshot) => ((state: NodeState) => boolean) | null;
  /** Taking pods off the node may help. */
  readonly isResolvable: boolean;
  readonly helpedBy: readonly ClusterEvent[];
}

export interface ScorePlugin {
  readonly weight: keyof SchedulerProfile["weights"];
  /** 0..100 for each node that is compared, in order; null: nothing to say about this pod. */
  readonly scores: (pod: Pod, states: readonly NodeState[]) => readonly number[] | null;
}

/** The pods with terms about others, with their nodes. */
export function* affinePodsOf(states: readonly NodeState[]): Generator<readonly [Pod, Node]> {
  for (const { node, affine } of states) {
    if (affine.size > 0) for (const pod of affine.values()) yield [pod, node];
  }
}

/** Every pod of the states, with its node. */
export function* podsOf(states: readonly NodeState[]): Generator<readonly [Pod, Node]> {
  for (const { node, pods } of states) for (const pod of pods.values()) yield [pod, node];
}

export function labelOf(node: Node, key: string): string | undefined {
  if (key === HOSTNAME_LABEL) return node.metadata.name;
  return Object.hasOwn(node.metadata.labels, key) ? node.metadata.labels[key] : undefined;
}

/** Every node has it. */
export const HOSTNAME_LABEL = "kubernetes.io/hostname";
