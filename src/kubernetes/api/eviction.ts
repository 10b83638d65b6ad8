/**
 * The eviction subresource of pods: a delete that asks the pod's budget first.
 *
 * Owns: which budget covers a pod, what it grants, and taking the grant from it in the same write.
 * Refuses to own: how many disruptions a budget allows (controllers/disruption.ts computes them, late),
 * and trying again (the client). Source: pkg/registry/core/pod/storage/eviction.go; timings §3.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import type { DeleteOptions, ObjectStore, Result } from "./store.ts";
import {
  matchesSelector,
  objectKey,
  type ObjectKey,
  type Pod,
  type PodDisruptionBudget,
} from "./types.ts";

/** MaxDisruptedPodSize: so many granted evictions may be unseen by the controller. */
const MAX_DISRUPTED_PODS = 2000;

export function evict(
  store: ObjectStore,
  key: ObjectKey,
  options: DeleteOptions,
  nowNs: SimTimeNs,
): Result<"Pod"> {
  const pod = store.of("Pod").get(key);
  if (pod === undefined) return { error: "NotFound" };
  if (!ignoresBudgets(pod)) {
    const budgets = budgetsOf(store, pod);
    const [budget] = budgets;
    if (budgets.length > 1) return { error: "InternalError" };
    if (budget !== undefined && !isFree(pod, budget)) {
      if (!take(store, pod, budget, nowNs)) return { error: "TooManyRequests" };
    }
  }
  return store.delete("Pod", key, { ...options, uid: pod.metadata.uid }) as Result<"Pod">;
}

/** canIgnorePDB: it serves nobody, or is going already. */
function ignoresBudgets({ status, metadata }: Pod): boolean {
  return status.phase !== "Running" || metadata.deletionTimestampNs !== null;
}

function budgetsOf(store: ObjectStore, { metadata }: Pod): PodDisruptionBudget[] {
  return [...store.of("PodDisruptionBudget").values()].filter(
    (budget) =>
      budget.metadata.namespace === metadata.namespace &&
      matchesSelector(budget.spec.selector, metadata.labels),
  );
}

/** A pod that is not ready takes nothing from a budget whose other pods are as many as it wants. */
function isFree(pod: Pod, { spec, status }: PodDisruptionBudget): boolean {
  if (pod.status.ready.status) return false;
  if (spec.unhealthyPodEvictionPolicy === "AlwaysAllow") return true;
  return status.currentHealthy >= status.desiredHealthy && status.desiredHealthy > 0;
}

/** checkAndDecrement. */
function take(
  store: ObjectStore,
  pod: Pod,
  budget: PodDisruptionBudget,
  nowNs: SimTimeNs,
): boolean {
  const { status } = budget;
  if (status.disruptionsAllowed <= 0) return false;
  if (Object.keys(status.disruptedPods).length > MAX_DISRUPTED_PODS) return false;
  store.patch("PodDisruptionBudget", objectKey(budget), (stored) => ({
    ...stored,
    status: {
      ...status,
      disruptionsAllowed: status.disruptionsAllowed - 1,
      disruptedPods: { ...status.disruptedPods, [pod.metadata.name]: nowNs },
    },
  }));
  return true;
}
