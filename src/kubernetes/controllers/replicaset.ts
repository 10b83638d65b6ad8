/**
 * The ReplicaSet controller: as many active pods as wanted, no more and no fewer. The
 * ReplicationController's is the same over its own kind, as upstream adapts it.
 *
 * Owns: how many pods are made or given up in one sync, whom it deletes first, the status. A pod that is
 * being deleted is no longer active, so its replacement is made when its termination begins. Refuses to
 * own: batches and expectations (podControl.ts). Source: pkg/controller/replicaset; timings §3.
 */
import type { Informer } from "../api/contract.ts";
import {
  objectKey,
  type ObjectByKind,
  type Pod,
  type ReplicaSet,
  type ReplicationController,
} from "../api/types.ts";
import type { ByOwner, Controller, ControllerContext } from "./contract.ts";
import { createPods, deletePods, Expectations } from "./podControl.ts";
import { compareVictims, isActive, podFor } from "./pods.ts";
import { syncQueue, written, WriteFailed, type Steps } from "./steps.ts";
import type { WorkQueue } from "./workqueue.ts";

type Owner = ReplicaSet | ReplicationController;

export class ReplicaSetController implements Controller {
  readonly name: string;
  readonly #kind: Owner["kind"];
  #context!: ControllerContext;
  #queue!: WorkQueue;
  #sets!: Informer<Owner["kind"]>;
  #pods!: ByOwner<"Pod">;
  #expectations!: Expectations;
  readonly #byUid = new Map<string, string>();

  constructor(kind: Owner["kind"] = "ReplicaSet") {
    this.#kind = kind;
    this.name = kind === "ReplicaSet" ? "replicaset-controller" : "replication-controller";
  }

  get isIdle(): boolean {
    return this.#queue.isIdle;
  }

  start(context: ControllerContext, synced: boolean): void {
    this.#context = context;
    const { sim, profile, informers } = context;
    const { workers, maxRetries } = profile.replicaSet;
    this.#queue = syncQueue(context, { workers, maxRetries }, (key) => this.#sync(key));
    this.#expectations = new Expectations(sim, profile.expectationsTimeoutNs);
    const seen = (set: Owner): void => {
      this.#byUid.set(set.metadata.uid, objectKey(set));
      this.#queue.add(objectKey(set));
    };
    this.#sets = informers.on<Owner["kind"]>(this.#kind, {
      added: seen,
      updated: (_previous, set) => seen(set),
      deleted: ({ metadata }) => {
        this.#byUid.delete(metadata.uid);
        this.#expectations.forget(metadata.uid);
      },
    });
    this.#pods = informers.byOwner("Pod");
    informers.on("Pod", {
      added: (pod) => this.#podAdded(pod),
      updated: (_previous, pod) => this.#podUpdated(pod),
      deleted: (pod) => this.#podDeleted(pod),
    });
    for (const set of this.#sets.values()) {
      this.#byUid.set(set.metadata.uid, objectKey(set));
      if (!synced) this.#queue.add(objectKey(set));
    }
  }

  #podAdded(pod: Pod): void {
    this.#expectations.creationSeen(pod.metadata.ownerUid ?? "");
    this.#ask(pod);
  }

  #podUpdated(pod: Pod): void {
    if (pod.metadata.deletionTimestampNs !== null) this.#deletionSeen(pod);
    this.#ask(pod);
  }

  #podDeleted(pod: Pod): void {
    this.#deletionSeen(pod);
    this.#ask(pod);
  }

  #deletionSeen(pod: Pod): void {
    this.#expectations.deletionSeen(pod.metadata.ownerUid ?? "", objectKey(pod));
  }

  #ask(pod: Pod): void {
    const key = this.#byUid.get(pod.metadata.ownerUid ?? "");
    if (key !== undefined) this.#queue.add(key);
  }

  *#sync(key: string): Steps<void> {
    const set = this.#sets.get(key);
    if (set === undefined) return;
    const pods = this.#pods.of(set.metadata.uid).filter(isActive);
    const failed = this.#expectations.isSatisfied(set.metadata.uid)
      ? yield* this.#manage(set, pods)
      : 0;
    yield* this.#writeStatus(set, pods);
    if (failed > 0) throw new WriteFailed(`${failed} pods`);
  }

  /** The number of pods that could not be made or deleted. */
  *#manage(set: Owner, pods: readonly Pod[]): Steps<number> {
    const { client, sim, profile } = this.#context;
    const { burstReplicas, slowStartInitial } = profile.replicaSet;
    const { uid } = set.metadata;
    const missing = set.spec.replicas - pods.length;
    if (missing > 0) {
      const stream = sim.streams.get(`names/${objectKey(set)}`);
      const count = Math.min(missing, burstReplicas);
      this.#expectations.expectCreates(uid, count);
      const failed = yield* createPods(client, count, slowStartInitial, () => podFor(set, stream));
      // What was not made will not be seen.
      this.#expectations.creationSeen(uid, failed);
      return failed;
    }
    if (missing === 0) return 0;
    const victims = this.#victims(pods, Math.min(-missing, burstReplicas));
    return yield* deletePods(client, this.#expectations, uid, victims);
  }

  #victims(pods: readonly Pod[], count: number): Pod[] {
    const siblings = new Map<string, number>();
    for (const pod of pods) {
      const node = pod.spec.nodeName ?? "";
      siblings.set(node, (siblings.get(node) ?? 0) + 1);
    }
    return [...pods].sort(compareVictims(siblings, this.#context.sim.nowNs)).slice(0, count);
  }

  *#writeStatus(set: Owner, pods: readonly Pod[]): Steps<void> {
    const { nowNs } = this.#context.sim;
    const ready = pods.filter((pod) => pod.status.ready.status);
    const later = ready
      .map((pod) => pod.status.ready.lastTransitionTimeNs + set.spec.minReadyNs)
      .filter((atNs) => atNs > nowNs);
    // The next pod to become available changes nothing that would ask for a sync.
    if (later.length > 0) this.#queue.addAfter(objectKey(set), Math.min(...later) - nowNs);
    const status = {
      replicas: pods.length,
      readyReplicas: ready.length,
      availableReplicas: ready.length - later.length,
    };
    const same =
      set.status.replicas === status.replicas &&
      set.status.readyReplicas === status.readyReplicas &&
      set.status.availableReplicas === status.availableReplicas;
    if (same) return;
    yield* written<Owner["kind"]>((done) =>
      this.#context.client.patch<Owner["kind"]>(
        this.#kind,
        objectKey(set),
        (stored: ObjectByKind[Owner["kind"]]) => ({ ...stored, status }),
        done,
      ),
    );
  }
}
