/**
 * The disruption controller: how many pods of a PodDisruptionBudget may be evicted now.
 *
 * Owns: the status of budgets. It counts healthy pods by its own watch, so what it allows is late: an
 * eviction takes its share from the stored budget at once (api/eviction.ts), and the pods that it names
 * there are not counted here until they are seen to go. Refuses to own: who asks for an eviction.
 * Source: pkg/controller/disruption/disruption.go; timings §3. Not modelled: its fail-safe, stale conditions.
 */
import { Phase, type SimTimeNs } from "../../engine/index.ts";
import type { Informer } from "../api/contract.ts";
import {
  matchesSelector,
  objectKey,
  type DisruptionStatus,
  type Pod,
  type PodDisruptionBudget,
} from "../api/types.ts";
import type { Controller, ControllerContext } from "./contract.ts";
import { scaledValue } from "./rollout.ts";
import { syncQueue, written, type Steps } from "./steps.ts";
import type { WorkQueue } from "./workqueue.ts";

/** What the owner of a pod has as its size: uid of what is scaled, and its replicas. */
export type ScaleOf = (
  ownerUid: string,
) => { readonly uid: string; readonly replicas: number } | null;

export class DisruptionController implements Controller {
  readonly name = "disruption-controller";
  #context!: ControllerContext;
  #queue!: WorkQueue;
  #budgets!: Informer<"PodDisruptionBudget">;
  #scaleOf!: ScaleOf;
  /** Pods of each budget, by its key, then by theirs. */
  readonly #pods = new Map<string, Map<string, Pod>>();

  get isIdle(): boolean {
    return this.#queue.isIdle;
  }

  start(context: ControllerContext, synced: boolean): void {
    this.#context = context;
    const { profile, informers } = context;
    const { workers, maxRetries } = profile.disruption;
    this.#queue = syncQueue(context, { workers, maxRetries }, (key) => this.#sync(key));
    const pods = informers.on("Pod", {
      added: (pod) => this.#podSeen(pod),
      updated: (_previous, pod) => this.#podSeen(pod),
      deleted: (pod) => this.#podGone(pod),
    });
    const seen = (budget: PodDisruptionBudget): void => {
      const own = [...pods.values()].filter((pod) => covers(budget, pod));
      this.#pods.set(objectKey(budget), new Map(own.map((pod) => [objectKey(pod), pod])));
    };
    const ask = (budget: PodDisruptionBudget): void => this.#queue.add(objectKey(budget));
    this.#budgets = informers.on("PodDisruptionBudget", {
      added: (budget) => {
        seen(budget);
        ask(budget);
      },
      updated: (_previous, budget) => ask(budget),
      deleted: (budget) => this.#pods.delete(objectKey(budget)),
    });
    for (const budget of this.#budgets.values()) {
      seen(budget);
      if (!synced) ask(budget);
    }
    this.#scaleOf = scalesIn({
      Deployment: informers.on("Deployment", {}),
      ReplicaSet: informers.on("ReplicaSet", {}),
      ReplicationController: informers.on("ReplicationController", {}),
      StatefulSet: informers.on("StatefulSet", {}),
    });
  }

  #podSeen(pod: Pod): void {
    for (const budget of this.#budgets.values()) {
      if (!covers(budget, pod)) continue;
      this.#pods.get(objectKey(budget))?.set(objectKey(pod), pod);
      this.#queue.add(objectKey(budget));
    }
  }

  #podGone(pod: Pod): void {
    for (const budget of this.#budgets.values()) {
      if (!this.#pods.get(objectKey(budget))?.delete(objectKey(pod))) continue;
      this.#queue.add(objectKey(budget));
    }
  }

  *#sync(key: string): Steps<void> {
    const budget = this.#budgets.get(key);
    if (budget === undefined) return;
    const { sim, client, profile } = this.#context;
    const own = [...(this.#pods.get(key)?.values() ?? [])];
    const { deletionTimeoutNs } = profile.disruption;
    const status = disruptionStatus(budget, own, this.#scaleOf, sim.nowNs, deletionTimeoutNs);
    this.#lookAgain(key, status, deletionTimeoutNs);
    if (sameStatus(budget.status, status)) return;
    // An update, not a patch: an eviction that was granted meanwhile must not be undone.
    yield* written<"PodDisruptionBudget">((done) =>
      client.update("PodDisruptionBudget", { ...budget, status }, done),
    );
  }

  /** A pod whose eviction was granted and that does not go counts again when its time is up. */
  #lookAgain(key: string, { disruptedPods }: DisruptionStatus, timeoutNs: number): void {
    const first = Object.values(disruptedPods).reduce((a, b) => Math.min(a, b), Infinity);
    if (first === Infinity) return;
    this.#context.sim.callAt(first + timeoutNs, Phase.start, () => this.#queue.add(key));
  }
}

/** A budget covers the pods of its namespace that its selector matches; an empty one matches all. */
export function covers({ metadata, spec }: PodDisruptionBudget, pod: Pod): boolean {
  return (
    metadata.namespace === pod.metadata.namespace &&
    matchesSelector(spec.selector, pod.metadata.labels)
  );
}

/** trySync: what a budget allows, given its pods. */
export function disruptionStatus(
  { spec, status }: PodDisruptionBudget,
  pods: readonly Pod[],
  scaleOf: ScaleOf,
  nowNs: SimTimeNs,
  deletionTimeoutNs: number,
): DisruptionStatus {
  const { expectedPods, desiredHealthy } = wanted(spec, pods, scaleOf);
  const disruptedPods: Record<string, SimTimeNs> = {};
  let currentHealthy = 0;
  for (const { metadata, status: own } of pods) {
    if (metadata.deletionTimestampNs !== null) continue;
    const sinceNs = status.disruptedPods[metadata.name];
    if (sinceNs !== undefined && sinceNs + deletionTimeoutNs > nowNs) {
      disruptedPods[metadata.name] = sinceNs;
    } else if (own.ready.status) {
      currentHealthy++;
    }
  }
  const disruptionsAllowed = expectedPods > 0 ? Math.max(0, currentHealthy - desiredHealthy) : 0;
  return { disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods, disruptedPods };
}

/** getExpectedPodCount: percentages are of what the owners want, and round up, both of them. */
function wanted(
  { minAvailable, maxUnavailable }: PodDisruptionBudget["spec"],
  pods: readonly Pod[],
  scaleOf: ScaleOf,
): { readonly expectedPods: number; readonly desiredHealthy: number } {
  if (maxUnavailable !== null) {
    const expectedPods = expectedScale(pods, scaleOf);
    const unavailable = scaledValue(maxUnavailable, expectedPods, "up");
    return { expectedPods, desiredHealthy: Math.max(0, expectedPods - unavailable) };
  }
  if (typeof minAvailable === "string") {
    const expectedPods = expectedScale(pods, scaleOf);
    return { expectedPods, desiredHealthy: scaledValue(minAvailable, expectedPods, "up") };
  }
  return { expectedPods: pods.length, desiredHealthy: minAvailable ?? 1 };
}

function expectedScale(pods: readonly Pod[], scaleOf: ScaleOf): number {
  const scales = new Map<string, number>();
  for (const ownerUid of new Set(pods.map(({ metadata }) => metadata.ownerUid))) {
    const scale = ownerUid === null ? null : scaleOf(ownerUid);
    if (scale !== null) scales.set(scale.uid, scale.replicas);
  }
  return [...scales.values()].reduce((sum, replicas) => sum + replicas, 0);
}

type ScaledKind = "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet";

/** The finders: a ReplicaSet of a Deployment stands for the Deployment. */
export function scalesIn(lists: {
  readonly [K in ScaledKind]: Pick<Informer<K>, "values">;
}): ScaleOf {
  const find = (uid: string): (ReturnType<ScaleOf> & { ownerUid: string | null }) | null => {
    for (const list of Object.values(lists)) {
      for (const { metadata, spec } of list.values()) {
        if (metadata.uid !== uid) continue;
        return { uid, replicas: spec.replicas, ownerUid: metadata.ownerUid };
      }
    }
    return null;
  };
  return (ownerUid) => {
    const owner = find(ownerUid);
    if (owner === null || owner.ownerUid === null) return owner;
    return find(owner.ownerUid) ?? owner;
  };
}

function sameStatus(a: DisruptionStatus, b: DisruptionStatus): boolean {
  const names = Object.keys(a.disruptedPods);
  return (
    a.disruptionsAllowed === b.disruptionsAllowed &&
    a.currentHealthy === b.currentHealthy &&
    a.desiredHealthy === b.desiredHealthy &&
    a.expectedPods === b.expectedPods &&
    names.length === Object.keys(b.disruptedPods).length &&
    names.every((name) => a.disruptedPods[name] === b.disruptedPods[name])
  );
}

export const noDisruptionStatus: DisruptionStatus = {
  disruptionsAllowed: 0,
  currentHealthy: 0,
  desiredHealthy: 0,
  expectedPods: 0,
  disruptedPods: {},
};
