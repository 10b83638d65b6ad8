/**
 * The ReplicaSet controller: as many active pods as wanted, no more and no fewer.
 *
 * Owns: expectations (it does not count again before it has seen its own creates and deletes), slow-
 * start batches, whom it deletes first. A pod that is being deleted is no longer active, so its
 * replacement is made when its termination begins. Source: pkg/controller/replicaset; timings §3.
 */
import type { Informer } from "../api/contract.ts";
import { objectKey, type Pod, type ReplicaSet } from "../api/types.ts";
import type { Controller, ControllerContext } from "./contract.ts";
import { compareVictims, isActive, podFor } from "./pods.ts";
import { WorkQueue } from "./workqueue.ts";

/** Own writes that the informer has not shown yet, by ReplicaSet uid. */
interface Expectations {
  creates: number;
  readonly deletes: Set<string>;
}

export class ReplicaSetController implements Controller {
  readonly name = "replicaset-controller";
  #context!: ControllerContext;
  #queue!: WorkQueue;
  #sets!: Informer<"ReplicaSet">;
  readonly #setsByUid = new Map<string, ReplicaSet>();
  readonly #podsByOwner = new Map<string, Map<string, Pod>>();
  readonly #expectations = new Map<string, Expectations>();

  get isIdle(): boolean {
    return this.#queue.isIdle;
  }

  start(context: ControllerContext, synced: boolean): void {
    this.#context = context;
    const { sim, profile, informers } = context;
    const { workers, maxRetries } = profile.replicaSet;
    const options = { ...profile, workers, maxRetries };
    this.#queue = new WorkQueue(sim, options, (key, done) => this.#sync(key, done));
    const putSet = (set: ReplicaSet): void => {
      this.#setsByUid.set(set.metadata.uid, set);
      this.#queue.add(objectKey(set));
    };
    this.#sets = informers.on("ReplicaSet", {
      added: putSet,
      updated: (_previous, set) => putSet(set),
      deleted: (set) => this.#setsByUid.delete(set.metadata.uid),
    });
    const pods = informers.on("Pod", {
      added: (pod) => this.#podAdded(pod),
      updated: (_previous, pod) => this.#podUpdated(pod),
      deleted: (pod) => this.#podDeleted(pod),
    });
    for (const set of this.#sets.values()) {
      this.#setsByUid.set(set.metadata.uid, set);
      if (!synced) this.#queue.add(objectKey(set));
    }
    for (const pod of pods.values()) this.#podsOf(pod.metadata.ownerUid)?.set(objectKey(pod), pod);
  }

  #podsOf(ownerUid: string | null): Map<string, Pod> | null {
    if (ownerUid === null || !this.#setsByUid.has(ownerUid)) return null;
    let pods = this.#podsByOwner.get(ownerUid);
    if (pods === undefined) this.#podsByOwner.set(ownerUid, (pods = new Map()));
    return pods;
  }

  #expectationsOf(uid: string): Expectations {
    let expected = this.#expectations.get(uid);
    if (expected === undefined) {
      expected = { creates: 0, deletes: new Set() };
      this.#expectations.set(uid, expected);
    }
    return expected;
  }

  #podAdded(pod: Pod): void {
    const pods = this.#podsOf(pod.metadata.ownerUid);
    if (pods === null) return;
    pods.set(objectKey(pod), pod);
    const expected = this.#expectationsOf(pod.metadata.ownerUid!);
    if (expected.creates > 0) expected.creates--;
    this.#ask(pod);
  }

  #podUpdated(pod: Pod): void {
    const pods = this.#podsOf(pod.metadata.ownerUid);
    if (pods === null) return;
    pods.set(objectKey(pod), pod);
    if (pod.metadata.deletionTimestampNs !== null) this.#deletionSeen(pod);
    this.#ask(pod);
  }

  #podDeleted(pod: Pod): void {
    const pods = this.#podsOf(pod.metadata.ownerUid);
    if (pods === null) return;
    pods.delete(objectKey(pod));
    this.#deletionSeen(pod);
    this.#ask(pod);
  }

  #deletionSeen(pod: Pod): void {
    this.#expectationsOf(pod.metadata.ownerUid!).deletes.delete(objectKey(pod));
  }

  #ask(pod: Pod): void {
    const set = this.#setsByUid.get(pod.metadata.ownerUid ?? "");
    if (set !== undefined) this.#queue.add(objectKey(set));
  }

  #sync(key: string, done: (retry: boolean) => void): void {
    const set = this.#sets.get(key);
    if (set === undefined) {
      done(false);
      return;
    }
    const pods = [...(this.#podsOf(set.metadata.uid)?.values() ?? [])].filter(isActive);
    const expected = this.#expectationsOf(set.metadata.uid);
    const satisfied = expected.creates === 0 && expected.deletes.size === 0;
    const missing = set.spec.replicas - pods.length;
    const finish = (failed: boolean): void =>
      this.#writeStatus(set, pods, (retry) => done(retry || failed));
    const { burstReplicas, slowStartInitial } = this.#context.profile.replicaSet;
    if (!satisfied || missing === 0) {
      finish(false);
    } else if (missing > 0) {
      const total = Math.min(missing, burstReplicas);
      expected.creates += total;
      this.#createBatch(set, total, Math.min(slowStartInitial, total), finish);
    } else {
      this.#deleteSurplus(set, pods, Math.min(-missing, burstReplicas), finish);
    }
  }

  /** 1, 2, 4, ... at a time, each batch after the one before has succeeded. */
  #createBatch(
    set: ReplicaSet,
    left: number,
    size: number,
    finish: (failed: boolean) => void,
  ): void {
    const { client, sim } = this.#context;
    const stream = sim.streams.get(`names/${objectKey(set)}`);
    let pending = size;
    let failed = 0;
    const answered = (_pod: unknown, error: unknown): void => {
      if (error !== null) failed++;
      if (--pending > 0) return;
      const rest = left - size;
      if (failed > 0 || rest === 0) {
        // What was not made will not be seen.
        this.#expectationsOf(set.metadata.uid).creates -= failed + (failed > 0 ? rest : 0);
        finish(failed > 0);
      } else {
        this.#createBatch(set, rest, Math.min(2 * size, rest), finish);
      }
    };
    for (let i = 0; i < size; i++) client.create("Pod", podFor(set, stream), answered);
  }

  #deleteSurplus(
    set: ReplicaSet,
    pods: Pod[],
    count: number,
    finish: (failed: boolean) => void,
  ): void {
    const { client, sim } = this.#context;
    const siblings = new Map<string, number>();
    for (const pod of pods) {
      const node = pod.spec.nodeName ?? "";
      siblings.set(node, (siblings.get(node) ?? 0) + 1);
    }
    const victims = [...pods].sort(compareVictims(siblings, sim.nowNs)).slice(0, count);
    const { deletes } = this.#expectationsOf(set.metadata.uid);
    let pending = victims.length;
    for (const victim of victims) {
      const key = objectKey(victim);
      deletes.add(key);
      client.delete("Pod", key, { uid: victim.metadata.uid }, (_pod, error) => {
        if (error !== null) deletes.delete(key);
        if (--pending === 0) finish(false);
      });
    }
  }

  #writeStatus(set: ReplicaSet, pods: readonly Pod[], done: (retry: boolean) => void): void {
    const nowNs = this.#context.sim.nowNs;
    const ready = pods.filter((pod) => pod.status.ready.status);
    const availableNs = ready.map(
      (pod) => pod.status.ready.lastTransitionTimeNs + set.spec.minReadyNs,
    );
    const later = availableNs.filter((atNs) => atNs > nowNs);
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
    if (same) {
      done(false);
      return;
    }
    this.#context.client.patch(
      "ReplicaSet",
      objectKey(set),
      (stored) => ({ ...stored, status }),
      () => done(false),
    );
  }
}
