/**
 * The Deployment controller: from the ReplicaSets that are to the one that is wanted, a step a sync.
 *
 * Owns: its ReplicaSets: making, scaling, numbering and forgetting them, and the Deployment's status.
 * It counts what the ReplicaSets say, never pods, but for Recreate, which waits until the last old pod has
 * gone. Refuses to own: the arithmetic (rollout.ts), pods (replicaset.ts), a rollback, which is a change
 * of the template by a user (kubectl/). Source: pkg/controller/deployment; timings §3.
 *
 * Not modelled: generations, collision counts of the hash, the condition ReplicaFailure.
 */
import { Phase, seconds, type SimTimeNs } from "../../engine/index.ts";
import type { Informer } from "../api/contract.ts";
import {
  objectKey,
  type Deployment,
  type DeploymentCondition,
  type DeploymentStatus,
  type ReplicaSet,
} from "../api/types.ts";
import type { ByOwner, Controller, ControllerContext } from "./contract.ts";
import { replicaSetFor } from "./pods.ts";
import {
  availablePods,
  byAge,
  condition,
  countedStatus,
  FOUND_NEW_SET,
  hasSizeAnnotations,
  isComplete,
  isSaturated,
  isScalingEvent,
  maxUnavailable,
  NEW_SET_CREATED,
  newSetReplicas,
  PAUSED,
  proportionalSizes,
  RESUMED,
  REVISION,
  revisionOf,
  rolloutStatus,
  sameStatus,
  sizeAnnotations,
  TIMED_OUT,
  NEW_SET_AVAILABLE,
  wantedPods,
  withCondition,
} from "./rollout.ts";
import { syncQueue, tried, written, WriteFailed, type Steps } from "./steps.ts";
import type { WorkQueue } from "./workqueue.ts";

/** A Deployment and its ReplicaSets as one sync sees them, its own writes included. */
interface Rollout {
  deployment: Deployment;
  newSet: ReplicaSet | null;
  oldSets: ReplicaSet[];
}

export class DeploymentController implements Controller {
  readonly name = "deployment-controller";
  #context!: ControllerContext;
  #queue!: WorkQueue;
  #deployments!: Informer<"Deployment">;
  #pods!: ByOwner<"Pod">;
  readonly #byUid = new Map<string, string>();
  #sets!: ByOwner<"ReplicaSet">;
  readonly #ownerOfSet = new Map<string, string>();
  /** When each Deployment is looked at again because its progress deadline has passed. */
  readonly #deadlineNs = new Map<string, SimTimeNs>();

  get isIdle(): boolean {
    return this.#queue.isIdle;
  }

  start(context: ControllerContext, synced: boolean): void {
    this.#context = context;
    const { profile, informers } = context;
    const { workers, maxRetries } = profile.deployment;
    this.#queue = syncQueue(context, { workers, maxRetries }, (key) => this.#sync(key));
    const seen = (deployment: Deployment): void => {
      this.#byUid.set(deployment.metadata.uid, objectKey(deployment));
      this.#queue.add(objectKey(deployment));
    };
    this.#deployments = informers.on("Deployment", {
      added: seen,
      updated: (_previous, deployment) => seen(deployment),
      deleted: ({ metadata }) => this.#byUid.delete(metadata.uid),
    });
    this.#sets = informers.byOwner("ReplicaSet");
    const sets = informers.on("ReplicaSet", {
      added: (set) => this.#setSeen(set),
      updated: (_previous, set) => this.#setSeen(set),
      deleted: (set) => this.#setGone(set),
    });
    this.#pods = informers.byOwner("Pod");
    informers.on("Pod", { deleted: ({ metadata }) => this.#podGone(metadata.ownerUid) });
    for (const deployment of this.#deployments.values()) {
      this.#byUid.set(deployment.metadata.uid, objectKey(deployment));
      if (!synced) this.#queue.add(objectKey(deployment));
    }
    for (const set of sets.values()) this.#keep(set);
  }

  #keep({ metadata }: ReplicaSet): void {
    if (metadata.ownerUid !== null) this.#ownerOfSet.set(metadata.uid, metadata.ownerUid);
  }

  #setSeen(set: ReplicaSet): void {
    this.#keep(set);
    this.#ask(set.metadata.ownerUid);
  }

  #setGone(set: ReplicaSet): void {
    this.#ownerOfSet.delete(set.metadata.uid);
    this.#ask(set.metadata.ownerUid);
  }

  #ask(uid: string | null): void {
    const key = this.#byUid.get(uid ?? "");
    if (key !== undefined) this.#queue.add(key);
  }

  /** Recreate goes on when the last of its pods has gone. */
  #podGone(setUid: string | null): void {
    const uid = this.#ownerOfSet.get(setUid ?? "");
    const key = this.#byUid.get(uid ?? "");
    if (uid === undefined || key === undefined) return;
    if (this.#deployments.get(key)?.spec.strategy !== "Recreate") return;
    const sets = this.#sets.of(uid);
    if (sets.every(({ metadata }) => this.#pods.of(metadata.uid).length === 0))
      this.#queue.add(key);
  }

  *#sync(key: string): Steps<void> {
    const deployment = this.#deployments.get(key);
    if (deployment === undefined) return;
    const rollout = this.#rolloutOf(deployment);
    yield* this.#checkPaused(rollout);
    if (deployment.spec.paused || isScalingEvent(deployment, allSets(rollout))) {
      yield* this.#scaleOnly(rollout);
    } else if (deployment.spec.strategy === "Recreate") {
      yield* this.#recreate(rollout);
    } else {
      yield* this.#rollOneStep(rollout);
    }
  }

  #rolloutOf(deployment: Deployment): Rollout {
    const sets = this.#sets.of(deployment.metadata.uid).sort(byAge);
    const wanted = objectKey(replicaSetFor(deployment));
    const newSet = sets.find((set) => objectKey(set) === wanted) ?? null;
    return { deployment, newSet, oldSets: sets.filter((set) => set !== newSet) };
  }

  /** One thing a sync: more of the new, else fewer of the old (rolling.go rolloutRolling). */
  *#rollOneStep(rollout: Rollout): Steps<void> {
    yield* this.#haveNewSet(rollout);
    if (yield* this.#scaleNewSet(rollout)) return yield* this.#writeRolloutStatus(rollout);
    if (yield* this.#scaleOldSets(rollout)) return yield* this.#writeRolloutStatus(rollout);
    if (isComplete(rollout.deployment, rollout.deployment.status)) yield* this.#forget(rollout);
    yield* this.#writeRolloutStatus(rollout);
  }

  /** All old pods go, and have gone, before the first new one is made (recreate.go). */
  *#recreate(rollout: Rollout): Steps<void> {
    let scaled = false;
    if (rollout.newSet !== null) yield* this.#haveNewSet(rollout);
    for (const set of rollout.oldSets) {
      if (set.spec.replicas > 0 && (yield* this.#scale(rollout, set, 0))) scaled = true;
    }
    if (scaled || this.#oldPodsRun(rollout)) return yield* this.#writeRolloutStatus(rollout);
    if (rollout.newSet === null) yield* this.#haveNewSet(rollout);
    yield* this.#scale(rollout, rollout.newSet!, rollout.deployment.spec.replicas);
    if (isComplete(rollout.deployment, rollout.deployment.status)) yield* this.#forget(rollout);
    yield* this.#writeRolloutStatus(rollout);
  }

  #oldPodsRun({ oldSets }: Rollout): boolean {
    return oldSets.some(
      ({ status, metadata }) =>
        status.replicas > 0 ||
        this.#pods
          .of(metadata.uid)
          .some((pod) => pod.status.phase !== "Failed" && pod.status.phase !== "Succeeded"),
    );
  }

  /** getNewReplicaSet: makes it, or numbers it anew when it comes back after a rollback. */
  *#haveNewSet(rollout: Rollout): Steps<void> {
    const { deployment, newSet, oldSets } = rollout;
    const { client, sim } = this.#context;
    const revision = String(Math.max(0, ...oldSets.map(revisionOf)) + 1);
    const { minReadyNs } = deployment.spec;
    if (newSet === null) {
      rollout.newSet = yield* this.#createNewSet(rollout, revision);
      const made = condition("True", NEW_SET_CREATED, sim.nowNs);
      yield* this.#noteRevision(rollout, withCondition(deployment.status.progressing, made));
      return;
    }
    if (revisionOf(newSet) < Number(revision) || newSet.spec.minReadyNs !== minReadyNs) {
      const numbered: ReplicaSet = {
        ...newSet,
        metadata: {
          ...newSet.metadata,
          annotations: {
            ...newSet.metadata.annotations,
            ...sizeAnnotations(deployment),
            [REVISION]: revision,
          },
        },
        spec: { ...newSet.spec, minReadyNs },
      };
      rollout.newSet = yield* written<"ReplicaSet">((done) =>
        client.update("ReplicaSet", numbered, done),
      );
    }
    const found = condition("True", FOUND_NEW_SET, sim.nowNs);
    yield* this.#noteRevision(rollout, deployment.status.progressing ?? found);
  }

  *#createNewSet({ deployment, oldSets }: Rollout, revision: string): Steps<ReplicaSet> {
    const { client } = this.#context;
    const wanted = replicaSetFor(deployment);
    const set: ReplicaSet = {
      ...wanted,
      metadata: {
        ...wanted.metadata,
        annotations: { ...sizeAnnotations(deployment), [REVISION]: revision },
      },
      spec: { ...wanted.spec, replicas: newSetReplicas(deployment, oldSets, 0) },
    };
    const { object, error } = yield* tried<"ReplicaSet">((done) =>
      client.create("ReplicaSet", set, done),
    );
    if (object !== null) {
      if (object.spec.replicas > 0) client.recordEvent(deployment.metadata.uid);
      return object;
    }
    if (error !== "AlreadyExists") throw new WriteFailed(String(error));
    // Made by an earlier sync and not yet seen: read it from the server.
    return yield* written<"ReplicaSet">((done) =>
      client.patch("ReplicaSet", objectKey(set), () => null, done),
    );
  }

  /** The Deployment carries its new ReplicaSet's revision, and a first condition. */
  *#noteRevision(rollout: Rollout, progressing: DeploymentCondition): Steps<void> {
    const { deployment, newSet } = rollout;
    const revision = newSet!.metadata.annotations[REVISION]!;
    const isNoted = deployment.metadata.annotations[REVISION] === revision;
    if (isNoted && deployment.status.progressing === progressing) return;
    rollout.deployment = yield* this.#patch(deployment, (stored) => ({
      ...stored,
      metadata: {
        ...stored.metadata,
        annotations: { ...stored.metadata.annotations, [REVISION]: revision },
      },
      status: { ...stored.status, progressing },
    }));
  }

  *#scaleNewSet(rollout: Rollout): Steps<boolean> {
    const { deployment, newSet, oldSets } = rollout;
    const { replicas } = newSet!.spec;
    const wanted =
      replicas > deployment.spec.replicas
        ? deployment.spec.replicas
        : newSetReplicas(deployment, oldSets, replicas);
    return yield* this.#scale(rollout, newSet!, wanted);
  }

  /** Old pods that are not available first, then as many as the available ones allow. */
  *#scaleOldSets(rollout: Rollout): Steps<boolean> {
    const { deployment, newSet, oldSets } = rollout;
    if (wantedPods(oldSets) === 0) return false;
    const minAvailable = deployment.spec.replicas - maxUnavailable(deployment);
    const newUnavailable = newSet!.spec.replicas - newSet!.status.availableReplicas;
    const spare = wantedPods(allSets(rollout)) - minAvailable - newUnavailable;
    if (spare <= 0) return false;
    let cleaned = 0;
    for (const { spec, status, metadata } of oldSets) {
      const unhealthy = Math.min(spare - cleaned, spec.replicas - status.availableReplicas);
      if (unhealthy <= 0) continue;
      const set = rollout.oldSets.find((each) => each.metadata.uid === metadata.uid)!;
      yield* this.#scale(rollout, set, spec.replicas - unhealthy);
      cleaned += unhealthy;
    }
    const scaled = yield* this.#scaleDownAvailable(
      rollout,
      availablePods(allSets(rollout)) - minAvailable,
    );
    return cleaned + scaled > 0;
  }

  *#scaleDownAvailable(rollout: Rollout, spare: number): Steps<number> {
    let scaled = 0;
    for (const { metadata } of rollout.oldSets) {
      const set = rollout.oldSets.find((each) => each.metadata.uid === metadata.uid)!;
      const count = Math.min(set.spec.replicas, spare - scaled);
      if (count <= 0) continue;
      yield* this.#scale(rollout, set, set.spec.replicas - count);
      scaled += count;
    }
    return scaled;
  }

  /** Paused, or of another size: the ReplicaSets are scaled, and no rollout goes on (sync.go sync, scale). */
  *#scaleOnly(rollout: Rollout): Steps<void> {
    if (rollout.newSet !== null) yield* this.#haveNewSet(rollout);
    const { deployment, oldSets } = rollout;
    const live = allSets(rollout).filter(({ spec }) => spec.replicas > 0);
    const latest = live.length > 0 ? live : [rollout.newSet ?? oldSets.at(-1)];
    const [only] = latest;
    if (only !== undefined && latest.length === 1) {
      yield* this.#scale(rollout, only, deployment.spec.replicas);
    } else if (isSaturated(deployment, rollout.newSet)) {
      for (const set of live) {
        if (set.metadata.uid !== rollout.newSet!.metadata.uid) yield* this.#scale(rollout, set, 0);
      }
    } else if (deployment.spec.strategy === "RollingUpdate") {
      for (const [set, size] of proportionalSizes(deployment, live)) {
        yield* this.#resize(rollout, set, size);
      }
    }
    if (deployment.spec.paused) yield* this.#forget(rollout);
    const status = countedStatus(
      rollout.deployment,
      rollout.newSet,
      allSets(rollout),
      this.#context.sim.nowNs,
    );
    yield* this.#writeStatus(rollout, status);
  }

  /** Whether its size was another. A set of the right size keeps its annotations. */
  *#scale(rollout: Rollout, set: ReplicaSet, replicas: number): Steps<boolean> {
    if (set.spec.replicas === replicas) return false;
    yield* this.#resize(rollout, set, replicas);
    return true;
  }

  *#resize(rollout: Rollout, set: ReplicaSet, replicas: number): Steps<void> {
    const { deployment } = rollout;
    if (set.spec.replicas === replicas && hasSizeAnnotations(set, deployment)) return;
    const annotations = { ...set.metadata.annotations, ...sizeAnnotations(deployment) };
    const resized: ReplicaSet = {
      ...set,
      metadata: { ...set.metadata, annotations },
      spec: { ...set.spec, replicas },
    };
    const { client } = this.#context;
    const stored = yield* written<"ReplicaSet">((done) =>
      client.update("ReplicaSet", resized, done),
    );
    // ScalingReplicaSet.
    if (set.spec.replicas !== replicas) client.recordEvent(deployment.metadata.uid);
    const { uid } = set.metadata;
    if (rollout.newSet?.metadata.uid === uid) rollout.newSet = stored;
    rollout.oldSets = rollout.oldSets.map((each) => (each.metadata.uid === uid ? stored : each));
  }

  /** The oldest revisions beyond the history limit go, if they hold no pods (cleanupDeployment). */
  *#forget({ deployment, oldSets }: Rollout): Steps<void> {
    const surplus = oldSets.length - deployment.spec.revisionHistoryLimit;
    if (surplus <= 0) return;
    const oldest = [...oldSets].sort((a, b) => revisionOf(a) - revisionOf(b) || byAge(a, b));
    for (const { spec, status, metadata } of oldest.slice(0, surplus)) {
      if (spec.replicas > 0 || status.replicas > 0) continue;
      const { uid } = metadata;
      const { error } = yield* tried((done) =>
        this.#context.client.delete("ReplicaSet", objectKey({ metadata }), { uid }, done),
      );
      if (error !== null && error !== "NotFound") throw new WriteFailed(error);
    }
  }

  /** Pausing and resuming start the progress deadline anew. */
  *#checkPaused(rollout: Rollout): Steps<void> {
    const { spec, status } = rollout.deployment;
    const isNoted = status.progressing?.reason === PAUSED;
    if (status.progressing?.reason === TIMED_OUT || spec.paused === isNoted) return;
    const reason = spec.paused ? PAUSED : RESUMED;
    const progressing = withCondition(
      status.progressing,
      condition("Unknown", reason, this.#context.sim.nowNs),
    );
    rollout.deployment = yield* this.#patch(rollout.deployment, (stored) => ({
      ...stored,
      status: { ...stored.status, progressing },
    }));
  }

  *#writeRolloutStatus(rollout: Rollout): Steps<void> {
    const { deployment, newSet } = rollout;
    const { nowNs } = this.#context.sim;
    const status = rolloutStatus(deployment, newSet, allSets(rollout), nowNs);
    if (sameStatus(deployment.status, status)) this.#askAtDeadline(deployment);
    else yield* this.#writeStatus(rollout, status);
  }

  /** requeueStuckDeployment: nothing else would tell that the deadline has passed. */
  #askAtDeadline(deployment: Deployment): void {
    const { progressing } = deployment.status;
    if (progressing === null || isComplete(deployment, deployment.status)) return;
    if (progressing.reason === TIMED_OUT || progressing.reason === NEW_SET_AVAILABLE) return;
    const { sim } = this.#context;
    const key = objectKey(deployment);
    const passedNs = progressing.lastUpdateTimeNs + deployment.spec.progressDeadlineNs;
    const dueNs = Math.max(passedNs, sim.nowNs) + seconds(1);
    if ((this.#deadlineNs.get(key) ?? 0) >= dueNs) return;
    this.#deadlineNs.set(key, dueNs);
    // Not in the queue, which is idle until then.
    sim.callAt(dueNs, Phase.start, () => {
      if (this.#deadlineNs.get(key) !== dueNs) return;
      this.#deadlineNs.delete(key);
      this.#queue.add(key);
    });
  }

  *#writeStatus(rollout: Rollout, status: DeploymentStatus): Steps<void> {
    if (sameStatus(rollout.deployment.status, status)) return;
    rollout.deployment = yield* this.#patch(rollout.deployment, (stored) => ({
      ...stored,
      status,
    }));
  }

  #patch(deployment: Deployment, change: (stored: Deployment) => Deployment): Steps<Deployment> {
    return written<"Deployment">((done) =>
      this.#context.client.patch("Deployment", objectKey(deployment), change, done),
    );
  }
}

function allSets({ newSet, oldSets }: Rollout): ReplicaSet[] {
  return newSet === null ? oldSets : [...oldSets, newSet];
}
