/**
 * The nodes and pods as a scheduler sees them: its cache, with what it has assumed.
 *
 * Owns: a node's sums as pods come and go, pods nominated to a node, and placing by that. Also places pods
 * before the simulation begins. Refuses to own: the judgement (placement.ts).
 */
import type { RandomStream } from "../../engine/index.ts";
import {
  objectKey,
  type Node,
  type Pod,
  type PodDisruptionBudget,
  type ResourceRequests,
} from "../api/types.ts";
import type { NodeState } from "./contract.ts";
import { choose, questionsOf, requestsOf, scoredRequestsOf } from "./placement.ts";
import { findVictims, PREEMPTED, priorityOf, type Preemption } from "./preemption.ts";
import type { SchedulerProfile } from "./profile.ts";

/** A node's state that changes as pods come and go. */
export class NodeInfo implements NodeState {
  node: Node;
  readonly pods = new Map<string, Pod>();
  readonly affine = new Map<string, Pod>();
  readonly siblings = new Map<string, number>();
  requested: ResourceRequests = { cpuMillis: 0, memoryBytes: 0 };
  scored: ResourceRequests = { cpuMillis: 0, memoryBytes: 0 };

  constructor(node: Node) {
    this.node = node;
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
    const count = (this.siblings.get(metadata.ownerUid) ?? 0) + sign;
    this.siblings.set(metadata.ownerUid, count);
  }

  #charge(pod: Pod, sign: 1 | -1): void {
    this.requested = plus(this.requested, requestsOf(pod), sign);
    this.scored = plus(this.scored, scoredRequestsOf(pod), sign);
  }
}

function plus(sum: ResourceRequests, more: ResourceRequests, sign: 1 | -1): ResourceRequests {
  return {
    cpuMillis: sum.cpuMillis + sign * more.cpuMillis,
    memoryBytes: sum.memoryBytes + sign * more.memoryBytes,
  };
}

/** What an attempt came to. */
export type Attempt =
  { readonly placed: Pod } | { readonly placed: null; readonly rejectedBy: ReadonlySet<string> };

export class ClusterPicture {
  readonly #nodes = new Map<string, NodeInfo>();
  /** Pods that have made room for themselves on a node and wait for it to be free. */
  readonly #nominated = new Map<string, Pod>();
  /** Where the next attempt begins to look. */
  #start = 0;

  constructor(nodes: Iterable<Node>) {
    for (const node of nodes) this.putNode(node);
  }

  putNode(node: Node): void {
    const info = this.#nodes.get(node.metadata.name);
    if (info === undefined) this.#nodes.set(node.metadata.name, new NodeInfo(node));
    else info.node = node;
  }

  removeNode(node: Node): void {
    this.#nodes.delete(node.metadata.name);
  }

  put(pod: Pod): void {
    if (pod.spec.nodeName !== null) this.#nodes.get(pod.spec.nodeName)?.put(pod);
  }

  remove(pod: Pod): void {
    if (pod.spec.nodeName !== null) this.#nodes.get(pod.spec.nodeName)?.remove(pod);
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
    const states = this.#inTurn(pod);
    const nominee = this.#nominatedState(pod, states);
    if (nominee !== null) return this.#assume(pod, nominee);
    const choice = choose(pod, states, profile.weights, stream);
    if (states.length >= 100) this.#start = (this.#start + choice.looked) % states.length;
    if (choice.state === null) return { placed: null, rejectedBy: choice.rejectedBy };
    return this.#assume(pod, choice.state);
  }

  #assume(pod: Pod, { node }: NodeState): Attempt {
    const placed = { ...pod, spec: { ...pod.spec, nodeName: node.metadata.name } };
    this.nominate(pod, null);
    this.put(placed);
    return { placed };
  }

  /** evaluateNominatedNode: the node that it was nominated to, if it fits there now. */
  #nominatedState(pod: Pod, states: readonly NodeInfo[]): NodeInfo | null {
    const nodeName = this.nominatedNode(objectKey(pod));
    if (nodeName === null) return null;
    const state = states.find(({ node }) => node.metadata.name === nodeName);
    if (state === undefined) return null;
    return questionsOf(pod, states).every(({ passes }) => passes(state)) ? state : null;
  }

  /** Whom to take off which node so that the pod fits; null when that helps nowhere. */
  preemptionFor(pod: Pod, budgets: readonly PodDisruptionBudget[]): Preemption | null {
    return findVictims(pod, this.#inTurn(pod), budgets);
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
    return [...(this.#nodes.get(nodeName)?.pods.values() ?? [])].some(
      (each) =>
        each.metadata.deletionTimestampNs !== null &&
        each.status.disruptionTarget === PREEMPTED &&
        priorityOf(each) < priorityOf(pod),
    );
  }

  /** All nodes from where the last attempt left off, with the nominated pods that come before this one. */
  #inTurn(pod: Pod): NodeInfo[] {
    const all = [...this.#nodes.values()];
    const states =
      this.#start === 0 ? all : [...all.slice(this.#start), ...all.slice(0, this.#start)];
    if (this.#nominated.size === 0) return states;
    const key = objectKey(pod);
    const ahead = [...this.#nominated].filter(
      ([other, nominee]) => other !== key && priorityOf(nominee) >= priorityOf(pod),
    );
    if (ahead.length === 0) return states;
    return states.map((state) => {
      const own = ahead.filter(([, { spec }]) => spec.nodeName === state.node.metadata.name);
      if (own.length === 0) return state;
      return state.with([...state.pods.values(), ...own.map(([, nominee]) => nominee)]);
    });
  }
}
