/**
 * The DaemonSet controller: one pod on every node that is eligible.
 *
 * Owns: which nodes those are by node selector, node affinity and taints, making and deleting pods so that each has one, and replacing them on an
 * update: without a surge the old pod is deleted first, at most maxUnavailable at a time; with one the new
 * pod comes first and the old goes when it is available. Refuses to own: binding, which the scheduler does:
 * a pod asks for its node by the label kubernetes.io/hostname (upstream: by node affinity).
 * Source: pkg/controller/daemon/daemon_controller.go, update.go; timings §3.
 *
 * Not modelled: ControllerRevisions (a pod's label says from which template it was made).
 */
import type { Informer } from "../api/contract.ts";
import { daemonTolerations, untolerated, type Toleration } from "../api/taints.ts";
import {
  objectKey,
  type DaemonSet,
  type DaemonSetStatus,
  type Node,
  type Pod,
  type PodTemplate,
} from "../api/types.ts";
import { fitsNodeAffinity } from "../scheduler/nodeAffinity.ts";
import { KeyedBackoff } from "./backoff.ts";
import type { ByOwner, Controller, ControllerContext } from "./contract.ts";
import { createPods, deletePods, Expectations } from "./podControl.ts";
import { availableAtNs, isReady, nameSuffix, podNamed, templateHash } from "./pods.ts";
import { scaledValue } from "./rollout.ts";
import { REVISION_LABEL } from "./statefulset.ts";
import { syncQueue, written, WriteFailed, type Steps } from "./steps.ts";
import type { WorkQueue } from "./workqueue.ts";

const HOSTNAME_LABEL = "kubernetes.io/hostname";

/** What is to be done: nodes that get a pod, and pods that go. */
interface Plan {
  readonly create: string[];
  readonly remove: Pod[];
}

export class DaemonSetController implements Controller {
  readonly name = "daemonset-controller";
  #context!: ControllerContext;
  #queue!: WorkQueue;
  #sets!: Informer<"DaemonSet">;
  #nodes!: Informer<"Node">;
  #pods!: ByOwner<"Pod">;
  #expectations!: Expectations;
  #failed!: KeyedBackoff;
  readonly #byUid = new Map<string, string>();

  get isIdle(): boolean {
    return this.#queue.isIdle;
  }

  start(context: ControllerContext, synced: boolean): void {
    this.#context = context;
    const { sim, profile, informers } = context;
    const { workers, maxRetries, failedPodBackoffNs, failedPodBackoffMaxNs } = profile.daemonSet;
    this.#queue = syncQueue(context, { workers, maxRetries }, (key) => this.#sync(key));
    this.#expectations = new Expectations(sim, profile.expectationsTimeoutNs);
    this.#failed = new KeyedBackoff(failedPodBackoffNs, failedPodBackoffMaxNs);
    const seen = (set: DaemonSet): void => {
      this.#byUid.set(set.metadata.uid, objectKey(set));
      this.#queue.add(objectKey(set));
    };
    this.#sets = informers.on("DaemonSet", {
      added: seen,
      updated: (_previous, set) => seen(set),
      deleted: ({ metadata }) => {
        this.#byUid.delete(metadata.uid);
        this.#expectations.forget(metadata.uid);
      },
    });
    const askAll = (): void => {
      for (const set of this.#sets.values()) this.#queue.add(objectKey(set));
    };
    this.#nodes = informers.on("Node", {
      added: askAll,
      updated: (previous, node) => this.#nodeChanged(previous, node),
      deleted: askAll,
    });
    this.#subscribeToPods();
    for (const set of this.#sets.values()) {
      this.#byUid.set(set.metadata.uid, objectKey(set));
      if (!synced) this.#queue.add(objectKey(set));
    }
  }

  #subscribeToPods(): void {
    const { informers } = this.#context;
    this.#pods = informers.byOwner("Pod");
    const gone = ({ metadata }: Pod): void =>
      this.#expectations.deletionSeen(metadata.ownerUid ?? "", objectKey({ metadata }));
    informers.on("Pod", {
      added: (pod) => {
        this.#expectations.creationSeen(pod.metadata.ownerUid ?? "");
        this.#ask(pod);
      },
      updated: (_previous, pod) => {
        if (pod.metadata.deletionTimestampNs !== null) gone(pod);
        this.#ask(pod);
      },
      deleted: (pod) => {
        gone(pod);
        this.#ask(pod);
      },
    });
  }

  #ask(pod: Pod): void {
    const key = this.#byUid.get(pod.metadata.ownerUid ?? "");
    if (key !== undefined) this.#queue.add(key);
  }

  /** Only a change of what decides where pods may run asks for a sync. */
  #nodeChanged(previous: Node, node: Node): void {
    for (const set of this.#sets.values()) {
      const [before, now] = [placementOn(set, previous), placementOn(set, node)];
      if (before !== now) this.#queue.add(objectKey(set));
    }
  }

  *#sync(key: string): Steps<void> {
    const set = this.#sets.get(key);
    if (set === undefined) return;
    const { uid } = set.metadata;
    if (this.#expectations.isSatisfied(uid)) {
      yield* this.#carryOut(set, this.#onePerNode(set));
      if (set.spec.updateStrategy === "RollingUpdate" && this.#expectations.isSatisfied(uid)) {
        yield* this.#carryOut(set, this.#rollingUpdate(set));
      }
    }
    yield* this.#writeStatus(set);
  }

  /** manage: every eligible node has one pod, and no other has any. */
  #onePerNode(set: DaemonSet): Plan {
    const plan: Plan = { create: [], remove: [] };
    const byNode = this.#podsByNode(set);
    for (const node of this.#nodes.values()) {
      const { name } = node.metadata;
      const pods = byNode.get(name) ?? [];
      byNode.delete(name);
      const placement = placementOn(set, node);
      if (placement === "none") plan.remove.push(...pods);
      else if (pods.length > 0) plan.remove.push(...this.#surplus(set, name, pods));
      else if (placement === "runs") plan.create.push(name);
    }
    // Of nodes that are no more: those that run there are for the garbage collection of pods.
    for (const pods of byNode.values()) {
      plan.remove.push(...pods.filter(({ spec }) => spec.nodeName === null));
    }
    return plan;
  }

  /** Failed pods, with a back-off, and all but one of those that run: the oldest of each revision that counts. */
  #surplus(set: DaemonSet, node: string, pods: readonly Pod[]): Pod[] {
    const { nowNs } = this.#context.sim;
    const remove: Pod[] = [];
    const running: Pod[] = [];
    for (const pod of pods) {
      if (pod.metadata.deletionTimestampNs !== null) continue;
      if (pod.status.phase !== "Failed") running.push(pod);
      else {
        const key = `${set.metadata.uid}/${node}`;
        const waitNs = this.#failed.remainingNs(key, nowNs);
        if (waitNs > 0) this.#queue.addAfter(objectKey(set), waitNs);
        else {
          this.#failed.next(key, nowNs);
          remove.push(pod);
        }
      }
    }
    running.sort(oldestFirst);
    if (surgeOf(set, 1) === 0) return [...remove, ...running.slice(1)];
    const isNew = (pod: Pod): boolean => isOfRevision(set, pod);
    const newest = running.filter(isNew);
    const old = running.filter((pod) => !isNew(pod));
    remove.push(...newest.slice(1), ...old.slice(1));
    const [oldPod] = old;
    const [newPod] = newest;
    if (oldPod !== undefined && newPod !== undefined) {
      if (!isReady(oldPod) || this.#isAvailable(set, newPod)) remove.push(oldPod);
    }
    return remove;
  }

  /** Pods by node, also those that have a node only as a wish. */
  #podsByNode(set: DaemonSet): Map<string, Pod[]> {
    const byNode = new Map<string, Pod[]>();
    for (const pod of this.#pods.of(set.metadata.uid)) {
      const node = nodeOf(pod);
      const pods = byNode.get(node);
      if (pods === undefined) byNode.set(node, [pod]);
      else pods.push(pod);
    }
    return byNode;
  }

  #rollingUpdate(set: DaemonSet): Plan {
    const eligible = [...this.#nodes.values()].filter((node) => isEligible(set, node)).length;
    const surge = surgeOf(set, eligible);
    const unavailable = scaledValue(set.spec.maxUnavailable, eligible, "up");
    return surge === 0
      ? this.#replaceAfter(set, Math.max(1, unavailable))
      : this.#replaceBefore(set, surge);
  }

  /** Without a surge: old pods that are not available, and others as long as few enough nodes lack one. */
  #replaceAfter(set: DaemonSet, maxUnavailable: number): Plan {
    const needed: Pod[] = [];
    const candidates: Pod[] = [];
    let unavailable = 0;
    for (const pods of this.#podsByNode(set).values()) {
      const { newPod, oldPod, isOdd } = liveOf(set, pods);
      if (isOdd || (newPod === null) === (oldPod === null)) unavailable++;
      else if (newPod !== null) {
        if (!this.#isAvailable(set, newPod)) unavailable++;
      } else if (!this.#isAvailable(set, oldPod!)) needed.push(oldPod!);
      else candidates.push(oldPod!);
    }
    const more = Math.max(0, maxUnavailable - unavailable);
    return { create: [], remove: [...needed, ...candidates.slice(0, more)] };
  }

  /** With a surge: new pods beside old ones, which go when the new are available. */
  #replaceBefore(set: DaemonSet, maxSurge: number): Plan {
    const needed: string[] = [];
    const candidates: string[] = [];
    const remove: Pod[] = [];
    let surging = 0;
    for (const [node, pods] of this.#podsByNode(set)) {
      const { newPod, oldPod, isOdd } = liveOf(set, pods);
      if (isOdd) surging++;
      else if (oldPod === null) continue;
      else if (newPod === null) {
        (this.#isAvailable(set, oldPod) ? candidates : needed).push(node);
      } else if (this.#isAvailable(set, newPod)) remove.push(oldPod);
      else surging++;
    }
    const more = Math.max(0, maxSurge - surging);
    return { create: [...needed, ...candidates.slice(0, more)], remove };
  }

  *#carryOut(set: DaemonSet, plan: Plan): Steps<void> {
    const { client, sim, profile } = this.#context;
    const { burstReplicas } = profile.daemonSet;
    const { slowStartInitial } = profile.replicaSet;
    const { uid } = set.metadata;
    const nodes = plan.create.slice(0, burstReplicas).values();
    const count = Math.min(plan.create.length, burstReplicas);
    const names = sim.streams.get(`names/${objectKey(set)}`);
    const next = (): Pod =>
      daemonPod(set, nodes.next().value!, `${set.metadata.name}-${nameSuffix(names)}`);
    this.#expectations.expectCreates(uid, count);
    const notMade = yield* createPods(client, count, slowStartInitial, next);
    this.#expectations.creationSeen(uid, notMade);
    const victims = plan.remove.slice(0, burstReplicas);
    const notDeleted = yield* deletePods(client, this.#expectations, uid, victims);
    if (notMade + notDeleted > 0) throw new WriteFailed(`${notMade + notDeleted} pods`);
  }

  #isAvailable(set: DaemonSet, pod: Pod): boolean {
    return isReady(pod) && availableAtNs(pod, set.spec.minReadyNs) <= this.#context.sim.nowNs;
  }

  *#writeStatus(set: DaemonSet): Steps<void> {
    const { sim, client } = this.#context;
    const status = daemonSetStatus(set, this.#nodes.values(), this.#podsByNode(set), sim.nowNs);
    if (status.numberReady !== status.numberAvailable) {
      this.#queue.addAfter(objectKey(set), set.spec.minReadyNs);
    }
    if (sameStatus(set.status, status)) return;
    yield* written<"DaemonSet">((done) =>
      client.patch("DaemonSet", objectKey(set), (stored) => ({ ...stored, status }), done),
    );
  }
}

/** podByCreationTimestampAndPhase: those that have a node before those that wait for one. */
function oldestFirst(a: Pod, b: Pod): number {
  const waits = ({ spec }: Pod): number => (spec.nodeName === null ? 1 : 0);
  return waits(a) - waits(b) || a.metadata.creationTimestampNs - b.metadata.creationTimestampNs;
}

/**
 * NodeShouldRunDaemonPod: a node runs a pod; or keeps the one that it has, for a NoSchedule taint that came later;
 * or has none. A cordoned node runs one, for daemon pods bear node.kubernetes.io/unschedulable.
 */
export function placementOn({ spec }: DaemonSet, node: Node): "runs" | "keeps" | "none" {
  const { template } = spec;
  const { nodeName } = template.spec;
  if (nodeName !== null && nodeName !== node.metadata.name) return "none";
  if (!fitsNodeAffinity(template, node)) return "none";
  const { taints = [] } = node.spec;
  if (taints.length === 0) return "runs";
  const tolerations = tolerationsOfDaemon(template);
  if (untolerated(taints, tolerations, "NoExecute") !== undefined) return "none";
  return untolerated(taints, tolerations, "NoSchedule") === undefined ? "runs" : "keeps";
}

/** Whether the node is to have a pod. */
export function isEligible(set: DaemonSet, node: Node): boolean {
  return placementOn(set, node) === "runs";
}

/** Of each template, which is never changed. */
const tolerationsByTemplate = new WeakMap<PodTemplate, readonly Toleration[]>();

function tolerationsOfDaemon(template: PodTemplate): readonly Toleration[] {
  let tolerations = tolerationsByTemplate.get(template);
  if (tolerations === undefined) {
    tolerations = daemonTolerations(template.spec.tolerations);
    tolerationsByTemplate.set(template, tolerations);
  }
  return tolerations;
}

/** maxSurge rounds up, as maxUnavailable does; if both come to 0, one node may lack its pod. */
function surgeOf({ spec }: DaemonSet, nodes: number): number {
  return spec.updateStrategy === "OnDelete" ? 0 : scaledValue(spec.maxSurge, nodes, "up");
}

function isOfRevision(set: DaemonSet, pod: Pod): boolean {
  return pod.metadata.labels[REVISION_LABEL] === templateHash(set.spec.template);
}

function nodeOf({ spec }: Pod): string {
  return spec.nodeName ?? spec.nodeSelector[HOSTNAME_LABEL] ?? "";
}

/** findUpdatedPodsOnNode: those that are not on their way out; `isOdd`: more than one of a revision. */
function liveOf(
  set: DaemonSet,
  pods: readonly Pod[],
): { readonly newPod: Pod | null; readonly oldPod: Pod | null; readonly isOdd: boolean } {
  const live = pods.filter(({ metadata }) => metadata.deletionTimestampNs === null);
  const fresh = live.filter((pod) => isOfRevision(set, pod));
  const old = live.filter((pod) => !isOfRevision(set, pod));
  return {
    newPod: fresh[0] ?? null,
    oldPod: old[0] ?? null,
    isOdd: fresh.length > 1 || old.length > 1,
  };
}

export function daemonPod(set: DaemonSet, node: string, name: string): Pod {
  const { template } = set.spec;
  const labels = { ...template.labels, [REVISION_LABEL]: templateHash(template) };
  const nodeSelector = { ...template.spec.nodeSelector, [HOSTNAME_LABEL]: node };
  const tolerations = tolerationsOfDaemon(template);
  const own = { ...template, labels, spec: { ...template.spec, nodeSelector, tolerations } };
  return podNamed({ metadata: set.metadata, spec: { template: own } }, name);
}

export function daemonSetStatus(
  set: DaemonSet,
  nodes: Iterable<Node>,
  byNode: ReadonlyMap<string, readonly Pod[]>,
  nowNs: number,
): DaemonSetStatus {
  const counts = { desired: 0, current: 0, updated: 0, ready: 0, available: 0, misscheduled: 0 };
  for (const node of nodes) {
    const [pod] = (byNode.get(node.metadata.name) ?? []).toSorted(oldestFirst);
    if (!isEligible(set, node)) {
      if (pod !== undefined) counts.misscheduled++;
      continue;
    }
    counts.desired++;
    if (pod === undefined) continue;
    counts.current++;
    if (isOfRevision(set, pod)) counts.updated++;
    if (!isReady(pod)) continue;
    counts.ready++;
    if (availableAtNs(pod, set.spec.minReadyNs) <= nowNs) counts.available++;
  }
  return {
    desiredNumberScheduled: counts.desired,
    currentNumberScheduled: counts.current,
    updatedNumberScheduled: counts.updated,
    numberReady: counts.ready,
    numberAvailable: counts.available,
    numberMisscheduled: counts.misscheduled,
  };
}

function sameStatus(a: DaemonSetStatus, b: DaemonSetStatus): boolean {
  return Object.entries(a).every(([name, value]) => b[name as keyof DaemonSetStatus] === value);
}

export const noDaemonSetStatus: DaemonSetStatus = {
  desiredNumberScheduled: 0,
  currentNumberScheduled: 0,
  updatedNumberScheduled: 0,
  numberReady: 0,
  numberAvailable: 0,
  numberMisscheduled: 0,
};
