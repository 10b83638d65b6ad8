/**
 * The StatefulSet controller: pods web-0, web-1, ... that keep their names.
 *
 * Owns: their order. OrderedReady goes up one by one, each when those below are available, and down one
 * by one, each when the one above has gone entirely; Parallel does not wait. An update replaces one pod at a
 * time from the highest ordinal down to the partition, by deleting it: its successor has the same name, so
 * it cannot exist before. Source: pkg/controller/statefulset/stateful_set_control.go; timings §3.
 *
 * Not modelled: volumes, ControllerRevisions (the status holds the one template that is needed, and there
 * is no history), spec.ordinals, maxUnavailable (off by default).
 */
import type { Informer } from "../api/contract.ts";
import {
  objectKey,
  type Pod,
  type PodTemplate,
  type StatefulSet,
  type StatefulSetStatus,
} from "../api/types.ts";
import type { ByOwner, Controller, ControllerContext } from "./contract.ts";
import { availableAtNs, isReady, podNamed, templateHash } from "./pods.ts";
import { allTried, syncQueue, written, WriteFailed, type Steps } from "./steps.ts";
import type { WorkQueue } from "./workqueue.ts";

/** The label that says from which template a pod was made. */
export const REVISION_LABEL = "controller-revision-hash";

/** A StatefulSet and its pods as one sync sees them. */
interface View {
  readonly set: StatefulSet;
  /** By ordinal; null where there is none. */
  readonly replicas: (Pod | null)[];
  /** Those beyond the size, the highest ordinal first. */
  readonly condemned: Pod[];
  readonly firstUnhealthy: Pod | null;
  readonly ordered: boolean;
}

export class StatefulSetController implements Controller {
  readonly name = "statefulset-controller";
  #context!: ControllerContext;
  #queue!: WorkQueue;
  #sets!: Informer<"StatefulSet">;
  #pods!: ByOwner<"Pod">;
  readonly #byUid = new Map<string, string>();

  get isIdle(): boolean {
    return this.#queue.isIdle;
  }

  start(context: ControllerContext, synced: boolean): void {
    this.#context = context;
    const { profile, informers } = context;
    const { workers, maxRetries } = profile.statefulSet;
    this.#queue = syncQueue(context, { workers, maxRetries }, (key) => this.#sync(key));
    const seen = (set: StatefulSet): void => {
      this.#byUid.set(set.metadata.uid, objectKey(set));
      this.#queue.add(objectKey(set));
    };
    this.#sets = informers.on("StatefulSet", {
      added: seen,
      updated: (_previous, set) => seen(set),
      deleted: ({ metadata }) => this.#byUid.delete(metadata.uid),
    });
    this.#pods = informers.byOwner("Pod");
    const ask = (pod: Pod): void => {
      const key = this.#byUid.get(pod.metadata.ownerUid ?? "");
      if (key !== undefined) this.#queue.add(key);
    };
    informers.on("Pod", { added: ask, updated: (_previous, pod) => ask(pod), deleted: ask });
    for (const set of this.#sets.values()) {
      this.#byUid.set(set.metadata.uid, objectKey(set));
      if (!synced) this.#queue.add(objectKey(set));
    }
  }

  *#sync(key: string): Steps<void> {
    const set = this.#sets.get(key);
    if (set === undefined) return;
    const pods = this.#pods.of(set.metadata.uid);
    const view = viewOf(set, pods);
    const settled = (yield* this.#makeReplicas(view)) && (yield* this.#dropCondemned(view));
    if (settled) yield* this.#update(view);
    yield* this.#writeStatus(set, pods);
  }

  /** Whether all are there and, in order, available; else there is something to wait for. */
  *#makeReplicas(view: View): Steps<boolean> {
    const missing: Pod[] = [];
    for (const [ordinal, pod] of view.replicas.entries()) {
      if (pod === null) {
        missing.push(this.#newPod(view.set, ordinal));
        if (view.ordered) break;
      } else if (isOver(pod)) {
        // A finished pod's successor comes when it has gone.
        if (pod.metadata.deletionTimestampNs === null) yield* this.#delete(pod);
        return false;
      } else if (view.ordered && !this.#isSettled(view.set, pod)) {
        return false;
      }
    }
    yield* this.#create(missing);
    return missing.length === 0 || !view.ordered;
  }

  *#create(pods: readonly Pod[]): Steps<void> {
    const { client, profile } = this.#context;
    let done = 0;
    for (let size = profile.replicaSet.slowStartInitial; done < pods.length; size *= 2) {
      const batch = pods.slice(done, done + size);
      const failed = yield* allTried(
        batch.map(
          (pod) => (answer) =>
            client.create("Pod", pod, (_pod, error) => {
              client.recordEvent(pod.metadata.ownerUid!);
              answer(null, error);
            }),
        ),
      );
      if (failed > 0) throw new WriteFailed(`${failed} pods`);
      done += batch.length;
    }
  }

  #newPod(set: StatefulSet, ordinal: number): Pod {
    const keepsOld = set.spec.updateStrategy === "RollingUpdate" && ordinal < set.spec.partition;
    const template = keepsOld ? set.status.currentTemplate : set.spec.template;
    return statefulPod(set, ordinal, template);
  }

  /** Goes down from the highest; in order, when all that stay are available and none is on its way out. */
  *#dropCondemned({ set, condemned, firstUnhealthy, ordered }: View): Steps<boolean> {
    for (const pod of condemned) {
      if (pod.metadata.deletionTimestampNs !== null) {
        if (ordered) return false;
        continue;
      }
      if (ordered && !this.#isSettled(set, pod) && pod !== firstUnhealthy) return false;
      yield* this.#delete(pod);
      if (ordered) return false;
    }
    return true;
  }

  /** One pod of another revision, if all above it are healthy. */
  *#update({ set, replicas }: View): Steps<void> {
    if (set.spec.updateStrategy === "OnDelete") return;
    const revision = templateHash(set.spec.template);
    for (let ordinal = replicas.length - 1; ordinal >= set.spec.partition; ordinal--) {
      const pod = replicas[ordinal];
      if (pod === null || pod === undefined) return;
      const isGoing = pod.metadata.deletionTimestampNs !== null;
      if (pod.metadata.labels[REVISION_LABEL] !== revision && !isGoing) {
        yield* this.#delete(pod);
        return;
      }
      if (isGoing || !isReady(pod)) return;
    }
  }

  *#delete(pod: Pod): Steps<void> {
    const { uid, ownerUid } = pod.metadata;
    const { client } = this.#context;
    const failed = yield* allTried([
      (done) =>
        client.delete("Pod", objectKey(pod), { uid }, (_pod, error) => {
          if (error !== "NotFound") client.recordEvent(ownerUid!);
          done(null, error === "NotFound" ? null : error);
        }),
    ]);
    if (failed > 0) throw new WriteFailed(objectKey(pod));
  }

  /** Available and not on its way out; looks again when minReadySeconds will have passed. */
  #isSettled(set: StatefulSet, pod: Pod): boolean {
    if (pod.metadata.deletionTimestampNs !== null || !isReady(pod)) return false;
    const waitNs = availableAtNs(pod, set.spec.minReadyNs) - this.#context.sim.nowNs;
    if (waitNs > 0) this.#queue.addAfter(objectKey(set), waitNs);
    return waitNs <= 0;
  }

  *#writeStatus(set: StatefulSet, pods: readonly Pod[]): Steps<void> {
    const status = statefulSetStatus(set, pods, this.#context.sim.nowNs);
    if (sameStatus(set.status, status)) return;
    yield* written<"StatefulSet">((done) =>
      this.#context.client.patch(
        "StatefulSet",
        objectKey(set),
        (stored) => ({ ...stored, status }),
        done,
      ),
    );
  }
}

export function ordinalOf({ metadata }: Pod): number {
  return Number(metadata.name.slice(metadata.name.lastIndexOf("-") + 1));
}

export function statefulPod(set: StatefulSet, ordinal: number, template: PodTemplate): Pod {
  const name = `${set.metadata.name}-${ordinal}`;
  const labels = {
    ...template.labels,
    [REVISION_LABEL]: templateHash(template),
    "statefulset.kubernetes.io/pod-name": name,
    "apps.kubernetes.io/pod-index": String(ordinal),
  };
  const { metadata } = set;
  // initIdentity() and updateIdentity(): its name is its host name.
  const { serviceName } = set.spec;
  const named = serviceName === undefined ? {} : { hostname: name, subdomain: serviceName };
  const spec = { ...template.spec, ...named };
  return podNamed({ metadata, spec: { template: { ...template, labels, spec } } }, name);
}

function viewOf(set: StatefulSet, pods: readonly Pod[]): View {
  const replicas = Array<Pod | null>(set.spec.replicas).fill(null);
  const condemned: Pod[] = [];
  for (const pod of pods) {
    const ordinal = ordinalOf(pod);
    if (ordinal < replicas.length) replicas[ordinal] = pod;
    else condemned.push(pod);
  }
  condemned.sort((a, b) => ordinalOf(b) - ordinalOf(a));
  const inOrder = [...replicas, ...condemned.toReversed()];
  const firstUnhealthy =
    inOrder.find(
      (pod) => pod !== null && (!isReady(pod) || pod.metadata.deletionTimestampNs !== null),
    ) ?? null;
  const ordered = set.spec.podManagementPolicy === "OrderedReady";
  return { set, replicas, condemned, firstUnhealthy, ordered };
}

function isOver({ status }: Pod): boolean {
  return status.phase === "Succeeded" || status.phase === "Failed";
}

/** The counts, and the revision that all have once they all have it (completeRollingUpdate). */
export function statefulSetStatus(
  set: StatefulSet,
  pods: readonly Pod[],
  nowNs: number,
): StatefulSetStatus {
  const updateRevision = templateHash(set.spec.template);
  const { currentRevision, currentTemplate } = set.status;
  const live = pods.filter(({ metadata }) => metadata.deletionTimestampNs === null);
  const ofRevision = (revision: string): number =>
    live.filter(({ metadata }) => metadata.labels[REVISION_LABEL] === revision).length;
  const ready = pods.filter(isReady);
  const updatedReplicas = ofRevision(updateRevision);
  const isComplete =
    currentRevision === "" ||
    (set.spec.updateStrategy === "RollingUpdate" &&
      updatedReplicas === pods.length &&
      ready.length === pods.length &&
      pods.length === set.spec.replicas);
  return {
    replicas: pods.length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((pod) => availableAtNs(pod, set.spec.minReadyNs) <= nowNs)
      .length,
    currentReplicas: isComplete ? updatedReplicas : ofRevision(currentRevision),
    updatedReplicas,
    currentRevision: isComplete ? updateRevision : currentRevision,
    currentTemplate: isComplete ? set.spec.template : currentTemplate,
    updateRevision,
  };
}

function sameStatus(a: StatefulSetStatus, b: StatefulSetStatus): boolean {
  return (
    a.replicas === b.replicas &&
    a.readyReplicas === b.readyReplicas &&
    a.availableReplicas === b.availableReplicas &&
    a.currentReplicas === b.currentReplicas &&
    a.updatedReplicas === b.updatedReplicas &&
    a.currentRevision === b.currentRevision &&
    a.updateRevision === b.updateRevision
  );
}

/** Of a set that no controller has looked at. */
export function noStatefulSetStatus(template: PodTemplate): StatefulSetStatus {
  return {
    replicas: 0,
    readyReplicas: 0,
    availableReplicas: 0,
    currentReplicas: 0,
    updatedReplicas: 0,
    currentRevision: "",
    currentTemplate: template,
    updateRevision: "",
  };
}
