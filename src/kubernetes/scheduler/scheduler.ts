/**
 * The scheduler: gives pods without a node one, a pod at a time.
 *
 * Owns: its queue, its picture of the nodes (informers plus what it has assumed) and the binding.
 * Refuses to own: the judgement (placement.ts). Not modelled: preemption, permits, several profiles.
 */
import { Phase, type RandomStream, type Simulation } from "../../engine/index.ts";
import type { ApiClient, ApiServer, Informer } from "../api/contract.ts";
import { objectKey, type Node, type Pod, type ResourceRequests } from "../api/types.ts";
import { choose, requestsOf, scoredRequestsOf, type NodeState, type Search } from "./placement.ts";
import type { SchedulerProfile } from "./profile.ts";

/** A node's state that changes as pods come and go. */
class NodeInfo implements NodeState {
  readonly node: Node;
  readonly pods = new Map<string, Pod>();
  readonly siblings = new Map<string, number>();
  requested: ResourceRequests = { cpuMillis: 0, memoryBytes: 0 };
  scored: ResourceRequests = { cpuMillis: 0, memoryBytes: 0 };

  constructor(node: Node) {
    this.node = node;
  }

  put(pod: Pod): void {
    const key = objectKey(pod);
    const before = this.pods.get(key);
    if (before === undefined) this.#charge(pod, 1);
    else this.#count(before, -1);
    this.#count(pod, 1);
    this.pods.set(key, pod);
  }

  remove(pod: Pod): void {
    const before = this.pods.get(objectKey(pod));
    if (before === undefined) return;
    this.pods.delete(objectKey(pod));
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

/** The nodes as a scheduler sees them. Also places pods before the simulation begins. */
export class ClusterPicture {
  readonly #nodes = new Map<string, NodeInfo>();
  readonly #search: Search = { next: 0 };

  constructor(nodes: Iterable<Node>) {
    for (const node of nodes) this.#nodes.set(node.metadata.name, new NodeInfo(node));
  }

  put(pod: Pod): void {
    if (pod.spec.nodeName !== null) this.#nodes.get(pod.spec.nodeName)?.put(pod);
  }

  remove(pod: Pod): void {
    if (pod.spec.nodeName !== null) this.#nodes.get(pod.spec.nodeName)?.remove(pod);
  }

  /** The pod with its node, assumed to run there from now on; null when it fits nowhere. */
  place(pod: Pod, profile: SchedulerProfile, stream: RandomStream): Pod | null {
    const chosen = choose(pod, [...this.#nodes.values()], profile.weights, stream, this.#search);
    if (chosen === null) return null;
    const placed = { ...pod, spec: { ...pod.spec, nodeName: chosen.node.metadata.name } };
    this.put(placed);
    return placed;
  }
}

export class Scheduler {
  readonly #sim: Simulation;
  readonly #profile: SchedulerProfile;
  readonly #client: ApiClient;
  readonly #stream: RandomStream;
  readonly #picture: ClusterPicture;
  readonly #pods: Informer<"Pod">;
  /** Keys in order of arrival. */
  readonly #queue = new Set<string>();
  readonly #attempts = new Map<string, number>();
  /** Pods that fitted nowhere when last tried, and when their back-off is over. */
  readonly #unschedulable = new Map<string, { readonly notBeforeNs: number }>();
  /** Pods with a node that the API has not shown yet. */
  readonly #assumed = new Set<string>();
  #busy = false;

  constructor(sim: Simulation, api: ApiServer, profile: SchedulerProfile) {
    this.#sim = sim;
    this.#profile = profile;
    const { clientQps: qps, clientBurst: burst } = profile;
    this.#client = api.client({
      name: "kube-scheduler",
      qps,
      burst,
      user: "system:kube-scheduler",
    });
    this.#stream = sim.streams.get("scheduler");
    const nodes = api.watch("Node", { watcher: "kube-scheduler", handlers: {} });
    this.#picture = new ClusterPicture(nodes.values());
    this.#pods = api.watch("Pod", {
      watcher: "kube-scheduler",
      handlers: {
        added: (pod) => this.#seen(pod),
        updated: (_previous, pod) => this.#seen(pod),
        deleted: (pod) => this.#gone(pod),
      },
    });
    for (const pod of this.#pods.values()) this.#seen(pod);
  }

  #seen(pod: Pod): void {
    const key = objectKey(pod);
    if (pod.spec.nodeName !== null) {
      this.#assumed.delete(key);
      this.#picture.put(pod);
      return;
    }
    if (this.#assumed.has(key)) return;
    this.#unschedulable.delete(key);
    this.#queue.add(key);
    this.#next();
  }

  #gone(pod: Pod): void {
    this.#picture.remove(pod);
    this.#queue.delete(objectKey(pod));
    this.#attempts.delete(objectKey(pod));
    this.#assumed.delete(objectKey(pod));
    this.#unschedulable.delete(objectKey(pod));
    if (pod.spec.nodeName === null) return;
    // The queueing hint of every filter: a pod that has left its node makes room.
    for (const [key, { notBeforeNs }] of this.#unschedulable) this.#wake(key, notBeforeNs);
  }

  #next(): void {
    if (this.#busy) return;
    const [key] = this.#queue;
    if (key === undefined) return;
    this.#queue.delete(key);
    this.#busy = true;
    this.#sim.callAfter(this.#profile.attemptNs, Phase.start, () => {
      this.#busy = false;
      this.#attempt(key);
      this.#next();
    });
  }

  #attempt(key: string): void {
    const pod = this.#pods.get(key);
    if (pod === undefined || pod.spec.nodeName !== null) return;
    if (pod.metadata.deletionTimestampNs !== null) return;
    const placed = this.#picture.place(pod, this.#profile, this.#stream);
    if (placed === null) {
      this.#retryLater(key);
      return;
    }
    const { nodeName } = placed.spec;
    this.#assumed.add(key);
    this.#client.patch(
      "Pod",
      key,
      (stored) =>
        stored.spec.nodeName === null ? { ...stored, spec: { ...stored.spec, nodeName } } : null,
      (_pod, error) => {
        if (error === null) return;
        this.#assumed.delete(key);
        this.#picture.remove(placed);
      },
    );
  }

  /** It waits for room to be freed, and for its back-off: then it is tried again. */
  #retryLater(key: string): void {
    const attempts = this.#attempts.get(key) ?? 0;
    this.#attempts.set(key, attempts + 1);
    const { backoffBaseNs, backoffMaxNs, unschedulableFlushNs } = this.#profile;
    const waitNs = Math.min(backoffMaxNs, backoffBaseNs * 2 ** Math.min(attempts, 10));
    const retry = { notBeforeNs: this.#sim.nowNs + waitNs };
    this.#unschedulable.set(key, retry);
    this.#sim.callAfter(unschedulableFlushNs, Phase.start, () => {
      if (this.#unschedulable.get(key) === retry) this.#wake(key, retry.notBeforeNs);
    });
  }

  #wake(key: string, notBeforeNs: number): void {
    this.#unschedulable.delete(key);
    this.#sim.callAt(Math.max(this.#sim.nowNs, notBeforeNs), Phase.start, () => {
      if (this.#pods.get(key) === undefined) return;
      this.#queue.add(key);
      this.#next();
    });
  }
}
