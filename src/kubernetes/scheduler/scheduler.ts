/**
 * The scheduler: gives pods without a node one, a pod at a time.
 *
 * Owns: the loop, the binding, and making room by preemption. Refuses to own: the judgement (placement.ts),
 * the picture of the nodes (picture.ts), who is tried when (queue.ts). Not modelled: permits, several profiles,
 * volumes, images.
 */
import { Phase, type RandomStream, type Simulation } from "../../engine/index.ts";
import type { ApiClient, ApiServer, Informer } from "../api/contract.ts";
import { objectKey, type Node, type Pod } from "../api/types.ts";
import { ClusterPicture } from "./picture.ts";
import { priorityOf } from "./preemption.ts";
import type { SchedulerProfile } from "./profile.ts";
import { SchedulingQueue } from "./queue.ts";

export { ClusterPicture } from "./picture.ts";

export class Scheduler {
  readonly #sim: Simulation;
  readonly #profile: SchedulerProfile;
  readonly #client: ApiClient;
  readonly #stream: RandomStream;
  readonly #picture: ClusterPicture;
  readonly #pods: Informer<"Pod">;
  readonly #queue: SchedulingQueue;
  /** Pods with a node that the API has not shown yet. */
  readonly #assumed = new Set<string>();
  #busy = false;

  constructor(sim: Simulation, api: ApiServer, profile: SchedulerProfile) {
    this.#sim = sim;
    this.#profile = profile;
    const { clientQps: qps, clientBurst: burst } = profile;
    const user = "system:kube-scheduler";
    this.#client = api.client({ name: "kube-scheduler", qps, burst, user });
    this.#stream = sim.streams.get("scheduler");
    this.#queue = new SchedulingQueue(sim, profile, () => this.#next());
    const nodes = api.watch("Node", {
      watcher: "kube-scheduler",
      handlers: {
        added: (node) => this.#nodeSeen(null, node),
        updated: (previous, node) => this.#nodeSeen(previous, node),
        deleted: (node) => this.#picture.removeNode(node),
      },
    });
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

  #nodeSeen(previous: Node | null, node: Node): void {
    this.#picture.putNode(node);
    if (previous === null) this.#queue.happened("nodeAdded");
    else if (schedulingChanged(previous, node)) this.#queue.happened("nodeUpdated");
  }

  #seen(pod: Pod): void {
    const key = objectKey(pod);
    if (pod.spec.nodeName !== null) {
      const isNews = !this.#assumed.delete(key);
      this.#queue.forget(key);
      this.#picture.put(pod);
      if (isNews) this.#queue.happened("podAdded");
      return;
    }
    if (this.#assumed.has(key)) return;
    this.#queue.add(key, priorityOf(pod));
  }

  #gone(pod: Pod): void {
    const key = objectKey(pod);
    this.#picture.remove(pod);
    this.#picture.nominate(pod, null);
    this.#assumed.delete(key);
    this.#queue.forget(key);
    if (pod.spec.nodeName !== null) this.#queue.happened("podDeleted");
  }

  #next(): void {
    if (this.#busy) return;
    const key = this.#queue.take();
    if (key === null) return;
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
    const attempt = this.#picture.attempt(pod, this.#profile, this.#stream);
    if (attempt.placed !== null) {
      this.#bind(key, attempt.placed);
      return;
    }
    this.#queue.park(key, attempt.rejectedBy);
    if (!this.#picture.awaitsVictims(pod)) this.#preempt(pod);
  }

  #bind(key: string, placed: Pod): void {
    const { nodeName } = placed.spec;
    this.#assumed.add(key);
    this.#client.patch(
      "Pod",
      key,
      (stored) =>
        stored.spec.nodeName === null ? { ...stored, spec: { ...stored.spec, nodeName } } : null,
      (_pod, error) => {
        if (error === null) {
          this.#queue.happened("podAdded");
          return;
        }
        this.#assumed.delete(key);
        this.#picture.remove(placed);
        this.#queue.happened("podDeleted");
        // Unless it has gone, it is tried again.
        if (this.#pods.get(key) !== undefined) this.#queue.park(key, RETRY);
      },
    );
  }

  /** The victims leave with their own grace; the pod is nominated and tried again as they go. */
  #preempt(pod: Pod): void {
    const preemption = this.#picture.preemptionFor(pod);
    if (preemption === null) {
      this.#picture.nominate(pod, null);
      return;
    }
    this.#picture.nominate(pod, preemption.nodeName);
    for (const victim of preemption.victims) {
      if (victim.metadata.deletionTimestampNs !== null) continue;
      this.#client.delete("Pod", objectKey(victim), { uid: victim.metadata.uid });
    }
  }
}

/** After a failed binding any event will do. */
const RETRY: ReadonlySet<string> = new Set(["NodeResourcesFit"]);

function schedulingChanged(previous: Node, node: Node): boolean {
  return (
    previous.spec.unschedulable !== node.spec.unschedulable ||
    previous.spec.taints !== node.spec.taints ||
    previous.metadata.labels !== node.metadata.labels ||
    previous.status.allocatable !== node.status.allocatable
  );
}
