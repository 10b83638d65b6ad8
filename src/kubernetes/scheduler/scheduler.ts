/**
 * The scheduler: gives pods without a node one, a pod at a time.
 *
 * Owns: the loop, the binding, and making room by preemption. Refuses to own: the judgement (placement.ts),
 * the picture of the nodes (picture.ts), who is tried when (queue.ts). Not modelled: permits, several profiles,
 * volumes, images.
 */
import { Phase, type RandomStream, type Simulation } from "../../engine/index.ts";
import { whileAlive } from "../api/processClient.ts";
import type { ApiClient, ApiServer, Informer, WriteError } from "../api/contract.ts";
import { objectKey, type Node, type Pod } from "../api/types.ts";
import { ClusterPicture } from "./picture.ts";
import { PREEMPTED, priorityOf } from "./preemption.ts";
import type { SchedulerProfile } from "./profile.ts";
import { SchedulingQueue } from "./queue.ts";

export { ClusterPicture } from "./picture.ts";

export const USER = "system:kube-scheduler";

export class Scheduler {
  readonly #sim: Simulation;
  readonly #profile: SchedulerProfile;
  readonly #client: ApiClient;
  readonly #stream: RandomStream;
  readonly #picture: ClusterPicture;
  readonly #pods: Informer<"Pod">;
  readonly #budgets: Informer<"PodDisruptionBudget">;
  readonly #queue: SchedulingQueue;
  /** Pods with a node that the API has not shown yet. */
  readonly #assumed = new Set<string>();
  /** Pods whose victims are being told. */
  readonly #preempting = new Set<string>();
  readonly #process = { isOver: false };
  readonly #watches: readonly { stop(): void }[];
  #busy = false;

  /** @param connection of its process: its requests and watches share it */
  constructor(
    sim: Simulation,
    api: ApiServer,
    profile: SchedulerProfile,
    connection = "kube-scheduler",
  ) {
    this.#sim = sim;
    this.#profile = profile;
    const { clientQps: qps, clientBurst: burst } = profile;
    const client = api.client({ name: connection, qps, burst, user: USER, connection });
    this.#client = whileAlive(client, this.#process);
    this.#stream = sim.streams.get("scheduler");
    this.#queue = new SchedulingQueue(sim, profile, () => this.#next());
    const nodes = api.watch("Node", {
      watcher: connection,
      handlers: {
        added: (node) => this.#nodeSeen(null, node),
        updated: (previous, node) => this.#nodeSeen(previous, node),
        deleted: (node) => this.#picture.removeNode(node),
      },
    });
    this.#picture = new ClusterPicture(nodes.values());
    const pods = api.watch("Pod", {
      watcher: connection,
      handlers: {
        added: (pod) => this.#seen(pod),
        updated: (previous, pod) => {
          if (!isOnlyStatus(previous, pod)) this.#seen(pod);
        },
        deleted: (pod) => this.#gone(pod),
      },
    });
    const budgets = api.watch("PodDisruptionBudget", { watcher: connection, handlers: {} });
    this.#pods = pods;
    this.#budgets = budgets;
    this.#watches = [nodes, pods, budgets];
    for (const pod of this.#pods.values()) this.#seen(pod);
  }

  /** Its process is no more: its watches end, it sends nothing, and no answer finds it. */
  stop(): void {
    this.#process.isOver = true;
    for (const watch of this.#watches) watch.stop();
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
    const { nominatedNodeName } = pod.status;
    if (nominatedNodeName !== undefined) this.#picture.nominate(pod, nominatedNodeName);
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
    if (this.#busy || this.#process.isOver) return;
    const key = this.#queue.take();
    if (key === null) return;
    this.#busy = true;
    this.#sim.callAfter(this.#profile.attemptNs, Phase.start, () => {
      this.#busy = false;
      if (this.#process.isOver) return;
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
    if (!this.#preempting.has(key) && !this.#picture.awaitsVictims(pod)) this.#preempt(pod);
  }

  #bind(key: string, placed: Pod): void {
    const { nodeName } = placed.spec;
    this.#assumed.add(key);
    this.#client.patch(
      "Pod",
      key,
      (stored) =>
        stored.spec.nodeName === null
          ? { ...nominated(stored, null), spec: { ...stored.spec, nodeName } }
          : null,
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
    const preemption = this.#picture.preemptionFor(pod, [...this.#budgets.values()]);
    if (preemption === null) {
      this.#nominate(pod, null);
      return;
    }
    const key = objectKey(pod);
    const { nodeName, victims } = preemption;
    for (const nominee of this.#picture.nomineesBelow(pod, nodeName)) this.#nominate(nominee, null);
    this.#nominate(pod, nodeName);
    this.#preempting.add(key);
    this.#tell(victims, (failed) => {
      this.#preempting.delete(key);
      if (failed && this.#pods.get(key) !== undefined) this.#queue.add(key, priorityOf(pod));
    });
  }

  /** prepareCandidateAsync: all but the last at once, then the last. */
  #tell(victims: readonly Pod[], done: (failed: boolean) => void): void {
    const others = victims.slice(0, -1);
    let pending = others.length;
    let failed = false;
    const finish = (): void => {
      if (failed) done(true);
      else this.#preemptPod(victims.at(-1)!, (error) => done(error !== null));
    };
    if (pending === 0) finish();
    for (const victim of others) {
      this.#preemptPod(victim, (error) => {
        failed ||= error !== null;
        if (--pending === 0) finish();
      });
    }
  }

  /** PreemptPod: condition DisruptionTarget, then the delete; one that has gone is no failure. */
  #preemptPod({ metadata }: Pod, done: (error: WriteError | null) => void): void {
    const key = objectKey({ metadata });
    const { uid } = metadata;
    const answered = (error: WriteError | null): void => done(error === "NotFound" ? null : error);
    const condition = (stored: Pod): Pod | null =>
      stored.metadata.uid === uid && stored.status.disruptionTarget === undefined
        ? { ...stored, status: { ...stored.status, disruptionTarget: PREEMPTED } }
        : null;
    this.#client.patch("Pod", key, condition, (_pod, error) => {
      if (error !== null) answered(error);
      else this.#client.delete("Pod", key, { uid }, (_victim, refusal) => answered(refusal));
    });
  }

  /** In the picture at once, in the pod's status by a write; null: no longer. */
  #nominate(pod: Pod, nodeName: string | null): void {
    const key = objectKey(pod);
    this.#picture.nominate(pod, nodeName);
    const seen = this.#pods.get(key) ?? pod;
    if ((seen.status.nominatedNodeName ?? null) === nodeName) return;
    this.#client.patch("Pod", key, (stored) =>
      stored.metadata.uid === pod.metadata.uid && stored.spec.nodeName === null
        ? nominated(stored, nodeName)
        : null,
    );
  }
}

function nominated(pod: Pod, nodeName: string | null): Pod {
  const { nominatedNodeName, ...status } = pod.status;
  if (nodeName !== null) return { ...pod, status: { ...status, nominatedNodeName: nodeName } };
  return nominatedNodeName === undefined ? pod : { ...pod, status };
}

/** Nothing that decides where a pending pod may go: its own nomination, mostly. */
function isOnlyStatus(previous: Pod, pod: Pod): boolean {
  return (
    pod.spec.nodeName === null &&
    previous.spec === pod.spec &&
    previous.metadata.labels === pod.metadata.labels &&
    previous.metadata.deletionTimestampNs === pod.metadata.deletionTimestampNs
  );
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
