/**
 * The nodes and pods as a scheduler sees them: its cache, with what it has assumed.
 *
 * Owns: a node's sums as pods come and go, pods nominated to a node, and placing by that. Also places pods
 * before the simulation begins. Refuses to own: the judgement (placement.ts).
 */
import type { RandomStream } from "../../engine/index.ts";
import { objectKey, type Node, type Pod } from "../api/types.ts";
import { snapshotOf, type NodeState, type Snapshot } from "./contract.ts";
import { Column, NodeTable } from "./nodeTable.ts";
import { choose, requestsOf, scoredRequestsOf } from "./placement.ts";
import { findVictims, priorityOf, type Preemption } from "./preemption.ts";
import type { SchedulerProfile } from "./profile.ts";

/** A node's state that changes as pods come and go. */
export class NodeInfo implements NodeState {
  readonly pods = new Map<string, Pod>();
  readonly affine = new Map<string, Pod>();
  readonly table: NodeTable;
  readonly row: number;
  isRestricted = false;
  #node!: Node;

  constructor(node: Node, table = new NodeTable(1)) {
    this.table = table;
    this.row = table.addRow();
    this.node = node;
  }

  get node(): Node {
    return this.#node;
  }

  set node(node: Node) {
    const { cells } = this.table;
    const { cpuMillis, memoryBytes, maxPods } = node.status.allocatable;
    cells[this.row + Column.allocatableCpuMillis] = cpuMillis;
    cells[this.row + Column.allocatableMemoryBytes] = memoryBytes;
    cells[this.row + Column.maxPods] = maxPods;
    this.isRestricted = node.spec.unschedulable || (node.spec.taints ?? []).length > 0;
    this.#node = node;
  }

  /** The same node with other pods: for trying what would be. */
  with(pods: Iterable<Pod>): NodeInfo {
    const copy = new NodeInfo(this.node);
    for (const pod of pods) copy.put(pod);
    return copy;
  }

  put(pod: Pod): void {
    const key = objectKey(pod);
    const before = this.pods.get(key);
    if (before === undefined) this.#charge(pod, 1);
    else this.#count(before, -1);
    this.#count(pod, 1);
    this.pods.set(key, pod);
    if (pod.spec.affinity !== undefined) this.affine.set(key, pod);
  }

  remove(pod: Pod): void {
    const before = this.pods.get(objectKey(pod));
    if (before === undefined) return;
    this.pods.delete(objectKey(pod));
    this.affine.delete(objectKey(pod));
    this.#count(before, -1);
    this.#charge(before, -1);
  }

  /** Pods of an owner count for spreading until they are told to go. */
  #count({ metadata }: Pod, sign: 1 | -1): void {
    if (metadata.ownerUid === null || metadata.deletionTimestampNs !== null) return;
    this.table.countSibling(metadata.ownerUid, this.row, sign);
  }

  #charge(pod: Pod, sign: 1 | -1): void {
    const { cells } = this.table;
    const requested = requestsOf(pod);
    const scored = scoredRequestsOf(pod);
    cells[this.row + Column.cpuMillis]! += sign * requested.cpuMillis;
    cells[this.row + Column.memoryBytes]! += sign * requested.memoryBytes;
    cells[this.row + Column.scoredCpuMillis]! += sign * scored.cpuMillis;
    cells[this.row + Column.scoredMemoryBytes]! += sign * scored.memoryBytes;
    cells[this.row + Column.pods]! += sign;
  }
}

/** What an attempt came to. */
export type Attempt =
  { readonly placed: Pod } | { readonly placed: null; readonly rejectedBy: ReadonlySet<string> };

export class ClusterPicture {
  readonly #table: NodeTable;
  readonly #nodes = new Map<string, NodeInfo>();
  /** In the order in which they came; null: to be put together again. */
  #snapshot: Snapshot<NodeInfo> | null = null;
  /** Pods that have made room for themselves on a node and wait for it to be free. */
  readonly #nominated = new Map<string, Pod>();
  /** Where the next attempt begins to look. */
  #start = 0;

  constructor(nodes: Iterable<Node>) {
    const all = [...nodes];
    this.#table = new NodeTable(Math.max(1, all.length));
    for (const node of all) this.putNode(node);
  }

  putNode(node: Node): void {
    const info = this.#nodes.get(node.metadata.name);
    const isRestricted = info?.isRestricted ?? null;
    if (info === undefined) {
      this.#nodes.set(node.metadata.name, new NodeInfo(node, this.#table));
    } else info.node = node;
    if (info?.isRestricted !== isRestricted) this.#snapshot = null;
  }

  removeNode(node: Node): void {
    this.#nodes.delete(node.metadata.name);
    this.#snapshot = null;
  }

  put(pod: Pod): void {
    this.#change(pod, (node) => node.put(pod));
  }

  remove(pod: Pod): void {
    this.#change(pod, (node) => node.remove(pod));
  }

  #change(pod: Pod, change: (node: NodeInfo) => void): void {
    const node = this.#nodes.get(pod.spec.nodeName ?? "");
    if (node === undefined) return;
    const wasAffine = node.affine.size > 0;
    change(node);
    if (node.affine.size > 0 !== wasAffine) this.#snapshot = null;
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
    const snapshot = this.#seenBy(pod);
    const choice = choose(pod, snapshot, this.#start, profile.weights, stream);
    const { length } = snapshot.states;
    if (length >= 100) this.#start = (this.#start + choice.looked) % length;
    if (choice.state === null) return { placed: null, rejectedBy: choice.rejectedBy };
    const nodeName = choice.state.node.metadata.name;
    const placed = { ...pod, spec: { ...pod.spec, nodeName } };
    this.nominate(pod, null);
    this.put(placed);
    return { placed };
  }

  /** Whom to take off which node so that the pod fits; null when that helps nowhere. */
  preemptionFor(pod: Pod): Preemption | null {
    const { states } = this.#seenBy(pod);
    return findVictims(pod, [...states.slice(this.#start), ...states.slice(0, this.#start)]);
  }

  /** Pods of lower priority are already on their way out where it was nominated. */
  awaitsVictims(pod: Pod): boolean {
    const nodeName = this.nominatedNode(objectKey(pod));
    if (nodeName === null) return false;
    return [...(this.#nodes.get(nodeName)?.pods.values() ?? [])].some(
      (each) => each.metadata.deletionTimestampNs !== null && priorityOf(each) < priorityOf(pod),
    );
  }

  /** All nodes, with the nominated pods that come before this one. */
  #seenBy(pod: Pod): Snapshot<NodeInfo> {
    const snapshot = (this.#snapshot ??= snapshotOf([...this.#nodes.values()]));
    if (this.#nominated.size === 0) return snapshot;
    const key = objectKey(pod);
    const ahead = [...this.#nominated].filter(
      ([other, nominee]) => other !== key && priorityOf(nominee) >= priorityOf(pod),
    );
    if (ahead.length === 0) return snapshot;
    const states = snapshot.states.map((state) => {
      const own = ahead.filter(([, { spec }]) => spec.nodeName === state.node.metadata.name);
      if (own.length === 0) return state;
      return state.with([...state.pods.values(), ...own.map(([, nominee]) => nominee)]);
    });
    return snapshotOf(states);
  }
}
