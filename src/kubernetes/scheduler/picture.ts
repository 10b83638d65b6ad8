/**
 * The nodes and pods as a scheduler sees them: its cache, with what it has assumed.
 *
 * Owns: a node's sums as pods come and go, pods nominated to a node, and placing by that. Also places pods
 * before the simulation begins. Refuses to own: the judgement (placement.ts).
 */
import type { RandomStream } from "../../engine/index.ts";
import { objectKey, type Node, type Pod, type PodDisruptionBudget } from "../api/types.ts";
import { NodeTable } from "./nodeTable.ts";
import { choose, questionsOf } from "./placement.ts";
import { findVictims, PREEMPTED, priorityOf, type Preemption } from "./preemption.ts";
import type { SchedulerProfile } from "./profile.ts";

/** What an attempt came to. */
export type Attempt =
  { readonly placed: Pod } | { readonly placed: null; readonly rejectedBy: ReadonlySet<string> };

export class ClusterPicture {
  #nodes: NodeTable;
  /** By node. */
  readonly #rows = new Map<string, number>();
  /** Pods that have made room for themselves on a node and wait for it to be free. */
  readonly #nominated = new Map<string, Pod>();
  /** Where the next attempt begins to look. */
  #start = 0;

  constructor(nodes: Iterable<Node>) {
    this.#nodes = new NodeTable([]);
    for (const node of nodes) this.putNode(node);
  }

  putNode(node: Node): void {
    const { name } = node.metadata;
    const row = this.#rows.get(name);
    if (row === undefined) this.#rows.set(name, this.#nodes.addNode(node));
    else this.#nodes.setNode(row, node);
  }

  /** Rare: the others move up. */
  removeNode(node: Node): void {
    if (!this.#rows.delete(node.metadata.name)) return;
    const before = this.#nodes;
    this.#nodes = new NodeTable([]);
    for (const [name, row] of this.#rows) {
      const state = before.states[row]!;
      const moved = this.#nodes.addNode(state.node);
      for (const pod of state.pods.values()) this.#nodes.put(moved, pod);
      this.#rows.set(name, moved);
    }
  }

  put(pod: Pod): void {
    const row = this.#rows.get(pod.spec.nodeName ?? "");
    if (row !== undefined) this.#nodes.put(row, pod);
  }

  remove(pod: Pod): void {
    const row = this.#rows.get(pod.spec.nodeName ?? "");
    if (row !== undefined) this.#nodes.remove(row, pod);
  }

  /** The pod will get this node once its victims are gone; null: no longer. */
  nominate(pod: Pod, nodeName: string | null): void {
    const key = objectKey(pod);
    if (nodeName === null) this.#nominated.delete(key);
    else this.#nominated.set(key, { ...pod, spec: { ...pod.spec, nodeName } });
  }

  nominatedNode(key: string): string | null {
    return this.#nominated.get(key)?.spec.nodeName ?? null;
  }

  /** The pod with its node, assumed to run there from now on; null when it fits nowhere. */
  place(pod: Pod, profile: SchedulerProfile, stream: RandomStream): Pod | null {
    return this.attempt(pod, profile, stream).placed;
  }

  attempt(pod: Pod, profile: SchedulerProfile, stream: RandomStream): Attempt {
    const nodes = this.#seenBy(pod);
    const nominee = this.#nominatedRow(pod, nodes);
    if (nominee >= 0) return this.#assume(pod, nodes, nominee);
    const choice = choose(pod, nodes, this.#start, profile.weights, stream);
    const { length } = nodes.states;
    if (length >= 100) this.#start = (this.#start + choice.looked) % length;
    if (choice.row < 0) return { placed: null, rejectedBy: choice.rejectedBy };
    return this.#assume(pod, nodes, choice.row);
  }

  #assume(pod: Pod, { states }: NodeTable, row: number): Attempt {
    const nodeName = states[row]!.node.metadata.name;
    const placed = { ...pod, spec: { ...pod.spec, nodeName } };
    this.nominate(pod, null);
    this.put(placed);
    return { placed };
  }

  /** evaluateNominatedNode: the node that it was nominated to, if it fits there now; else -1. */
  #nominatedRow(pod: Pod, nodes: NodeTable): number {
    const nodeName = this.nominatedNode(objectKey(pod));
    const row = nodeName === null ? undefined : this.#rows.get(nodeName);
    if (row === undefined) return -1;
    return questionsOf(pod, nodes).every(({ passes }) => passes(row)) ? row : -1;
  }

  /** Whom to take off which node so that the pod fits; null when that helps nowhere. */
  preemptionFor(pod: Pod, budgets: readonly PodDisruptionBudget[]): Preemption | null {
    return findVictims(pod, this.#seenBy(pod), budgets, this.#start);
  }

  /** Pods of lower priority that wait for this node, to which this one's victims would make way. */
  nomineesBelow(pod: Pod, nodeName: string): Pod[] {
    return [...this.#nominated.values()].filter(
      (each) => each.spec.nodeName === nodeName && priorityOf(each) < priorityOf(pod),
    );
  }

  /** Pods of lower priority that were preempted are still on their way out where it was nominated. */
  awaitsVictims(pod: Pod): boolean {
    const nodeName = this.nominatedNode(objectKey(pod));
    if (nodeName === null) return false;
    const pods = this.#nodes.states[this.#rows.get(nodeName) ?? -1]?.pods.values() ?? [];
    return [...pods].some(
      (each) =>
        each.metadata.deletionTimestampNs !== null &&
        each.status.disruptionTarget === PREEMPTED &&
        priorityOf(each) < priorityOf(pod),
    );
  }

  /** All nodes, with the nominated pods that come before this one. */
  #seenBy(pod: Pod): NodeTable {
    if (this.#nominated.size === 0) return this.#nodes;
    const key = objectKey(pod);
    const ahead = [...this.#nominated].filter(
      ([other, nominee]) => other !== key && priorityOf(nominee) >= priorityOf(pod),
    );
    if (ahead.length === 0) return this.#nodes;
    const nodes = this.#nodes.fork();
    for (const [, nominee] of ahead) {
      const row = this.#rows.get(nominee.spec.nodeName!);
      if (row !== undefined) nodes.put(row, nominee);
    }
    return nodes;
  }
}
