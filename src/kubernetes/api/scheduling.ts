/**
 * What a pod says about where it wants to run, in core/v1's names.
 *
 * Owns: the shapes, and which nodes a node selector term means. Refuses to own: filters and scores
 * (scheduler/). Source: component-helpers scheduling/corev1/nodeaffinity.
 */
import { meetsRequirement, type LabelSelector, type Node } from "./types.ts";

export interface NodeSelectorRequirement {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt";
  readonly values: readonly string[];
}

/** All of its requirements; one without any matches no node. */
export type NodeSelectorTerm = readonly NodeSelectorRequirement[];

export interface PodAffinityTerm {
  readonly labelSelector: LabelSelector;
  /** Empty: the pod's own. */
  readonly namespaces: readonly string[];
  readonly topologyKey: string;
}

export interface Weighted<T> {
  readonly weight: number;
  readonly term: T;
}

export interface Affinity {
  /** requiredDuringSchedulingIgnoredDuringExecution: one of these terms; null: any node. */
  readonly nodeRequired: readonly NodeSelectorTerm[] | null;
  readonly nodePreferred: readonly Weighted<NodeSelectorTerm>[];
  readonly podRequired: readonly PodAffinityTerm[];
  readonly podPreferred: readonly Weighted<PodAffinityTerm>[];
  readonly antiRequired: readonly PodAffinityTerm[];
  readonly antiPreferred: readonly Weighted<PodAffinityTerm>[];
}

export interface TopologySpreadConstraint {
  readonly maxSkew: number;
  readonly topologyKey: string;
  readonly whenUnsatisfiable: "DoNotSchedule" | "ScheduleAnyway";
  readonly labelSelector: LabelSelector;
  /** Of DoNotSchedule: with fewer domains the least of them counts as empty; null: 1. */
  readonly minDomains: number | null;
}

export function matchesTerm(term: NodeSelectorTerm, { metadata }: Node): boolean {
  return (
    term.length > 0 &&
    term.every(({ key, operator, values }) => {
      const value = Object.hasOwn(metadata.labels, key) ? metadata.labels[key] : undefined;
      if (operator === "Gt") return value !== undefined && Number(value) > Number(values[0]);
      if (operator === "Lt") return value !== undefined && Number(value) < Number(values[0]);
      return meetsRequirement(operator, value, values);
    })
  );
}
