/**
 * The arithmetic of a rollout: how many pods a Deployment may have, and what its status says.
 *
 * Owns: fenceposts, the size of the new ReplicaSet, the share of each when a Deployment is scaled in the
 * middle of a rollout, conditions. Refuses to own: doing any of it (deployment.ts).
 * Source: pkg/controller/deployment/util/deployment_util.go, rolling.go, sync.go, progress.go; timings §3.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import type {
  Deployment,
  DeploymentCondition,
  DeploymentStatus,
  ReplicaSet,
} from "../api/types.ts";

/** Annotations that the controller keeps on its ReplicaSets. */
export const REVISION = "deployment.kubernetes.io/revision";
export const DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas";
export const MAX_REPLICAS = "deployment.kubernetes.io/max-replicas";

/** "25%" of a whole, or the number itself (intstr.GetScaledValueFromIntOrPercent). */
export function scaledValue(value: number | string, whole: number, round: "up" | "down"): number {
  if (typeof value === "number") return value;
  const hundredths = Number.parseInt(value, 10) * whole;
  return round === "up" ? Math.ceil(hundredths / 100) : Math.floor(hundredths / 100);
}

/** maxSurge rounds up and maxUnavailable down; if both come to 0, one may be unavailable. */
export function resolveFenceposts(
  { maxSurge, maxUnavailable }: Pick<Deployment["spec"], "maxSurge" | "maxUnavailable">,
  replicas: number,
): { readonly surge: number; readonly unavailable: number } {
  const surge = scaledValue(maxSurge, replicas, "up");
  const unavailable = scaledValue(maxUnavailable, replicas, "down");
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

export function maxSurge({ spec }: Deployment): number {
  return spec.strategy === "RollingUpdate" ? resolveFenceposts(spec, spec.replicas).surge : 0;
}

export function maxUnavailable({ spec }: Deployment): number {
  if (spec.strategy !== "RollingUpdate" || spec.replicas === 0) return 0;
  return Math.min(spec.replicas, resolveFenceposts(spec, spec.replicas).unavailable);
}

export function wantedPods(sets: readonly ReplicaSet[]): number {
  return sets.reduce((sum, { spec }) => sum + spec.replicas, 0);
}

export function availablePods(sets: readonly ReplicaSet[]): number {
  return sets.reduce((sum, { status }) => sum + status.availableReplicas, 0);
}

/** NewRSNewReplicas: as large as the surge allows, terminating pods not counted. */
export function newSetReplicas(
  deployment: Deployment,
  others: readonly ReplicaSet[],
  present: number,
): number {
  const { strategy, replicas } = deployment.spec;
  if (strategy === "Recreate") return replicas;
  const room = replicas + maxSurge(deployment) - wantedPods(others) - present;
  return room <= 0 ? present : present + Math.min(room, replicas - present);
}

export function revisionOf({ metadata }: Pick<ReplicaSet, "metadata">): number {
  return Number(metadata.annotations[REVISION] ?? 0);
}

/** The annotations that say for which Deployment size a ReplicaSet was last scaled. */
export function sizeAnnotations(deployment: Deployment): Record<string, string> {
  const { replicas } = deployment.spec;
  return {
    [DESIRED_REPLICAS]: String(replicas),
    [MAX_REPLICAS]: String(replicas + maxSurge(deployment)),
  };
}

export function hasSizeAnnotations({ metadata }: ReplicaSet, deployment: Deployment): boolean {
  return Object.entries(sizeAnnotations(deployment)).every(
    ([key, value]) => metadata.annotations[key] === value,
  );
}

/** The Deployment's size has changed since a live ReplicaSet was scaled. */
export function isScalingEvent(deployment: Deployment, sets: readonly ReplicaSet[]): boolean {
  return sets.some(({ spec, metadata }) => {
    const desired = metadata.annotations[DESIRED_REPLICAS];
    if (spec.replicas === 0 || desired === undefined) return false;
    return Number(desired) !== deployment.spec.replicas;
  });
}

/** The new ReplicaSet has all pods, all of them available, and was made for this size. */
export function isSaturated(deployment: Deployment, newSet: ReplicaSet | null): boolean {
  if (newSet === null) return false;
  const { replicas } = deployment.spec;
  return (
    Number(newSet.metadata.annotations[DESIRED_REPLICAS]) === replicas &&
    newSet.spec.replicas === replicas &&
    newSet.status.availableReplicas === replicas
  );
}

/** Older first; ReplicaSets of one instant by name. */
export function byAge(a: ReplicaSet, b: ReplicaSet): number {
  const ages = a.metadata.creationTimestampNs - b.metadata.creationTimestampNs;
  return ages || (a.metadata.name < b.metadata.name ? -1 : 1);
}

/** The sizes of all ReplicaSets after a Deployment was scaled in the middle of a rollout. */
export function proportionalSizes(
  deployment: Deployment,
  live: readonly ReplicaSet[],
): ReadonlyMap<ReplicaSet, number> {
  const { replicas } = deployment.spec;
  const allowed = replicas > 0 ? replicas + maxSurge(deployment) : 0;
  const toAdd = allowed - wantedPods(live);
  const sign = toAdd > 0 ? -1 : 1;
  // ReplicaSetsBySizeNewer when pods are added, BySizeOlder when they are taken away: larger first.
  const sorted = [...live].sort((a, b) => b.spec.replicas - a.spec.replicas || sign * byAge(a, b));
  const sizes = new Map<ReplicaSet, number>();
  let added = 0;
  for (const set of sorted) {
    const share = toAdd === 0 ? 0 : proportion(deployment, set, toAdd, added);
    sizes.set(set, set.spec.replicas + share);
    added += share;
  }
  const [largest] = sorted;
  if (largest !== undefined && toAdd !== 0) {
    sizes.set(largest, Math.max(0, sizes.get(largest)! + toAdd - added));
  }
  return sizes;
}

/** GetReplicaSetProportion: its own share, no more than is left. */
function proportion(deployment: Deployment, set: ReplicaSet, toAdd: number, added: number): number {
  if (set.spec.replicas === 0 || toAdd === added) return 0;
  const left = toAdd - added;
  const share = fraction(deployment, set);
  return toAdd > 0 ? Math.min(share, left) : Math.max(share, left);
}

function fraction(deployment: Deployment, { spec, metadata }: ReplicaSet): number {
  if (deployment.spec.replicas === 0) return -spec.replicas;
  const before = Number(metadata.annotations[MAX_REPLICAS] ?? 0) || deployment.status.replicas;
  if (before === 0) return 0;
  const size = (spec.replicas * (deployment.spec.replicas + maxSurge(deployment))) / before;
  return Math.round(size) - spec.replicas;
}

export const FOUND_NEW_SET = "FoundNewReplicaSet";
export const NEW_SET_CREATED = "NewReplicaSetCreated";
export const NEW_SET_AVAILABLE = "NewReplicaSetAvailable";
export const SET_UPDATED = "ReplicaSetUpdated";
export const TIMED_OUT = "ProgressDeadlineExceeded";
export const PAUSED = "DeploymentPaused";
export const RESUMED = "DeploymentResumed";

export function condition(
  status: DeploymentCondition["status"],
  reason: string,
  nowNs: SimTimeNs,
): DeploymentCondition {
  return { status, reason, lastUpdateTimeNs: nowNs, lastTransitionTimeNs: nowNs };
}

/** SetDeploymentCondition: nothing changes but with status or reason; a transition is one of status. */
export function withCondition(
  current: DeploymentCondition | null,
  next: DeploymentCondition,
): DeploymentCondition {
  if (current?.status !== next.status) return next;
  if (current.reason === next.reason) return current;
  return { ...next, lastTransitionTimeNs: current.lastTransitionTimeNs };
}

export function isComplete({ spec }: Deployment, status: DeploymentStatus): boolean {
  return (
    status.updatedReplicas === spec.replicas &&
    status.replicas === spec.replicas &&
    status.availableReplicas === spec.replicas
  );
}

export function isProgressing(before: DeploymentStatus, status: DeploymentStatus): boolean {
  return (
    status.updatedReplicas > before.updatedReplicas ||
    status.replicas - status.updatedReplicas < before.replicas - before.updatedReplicas ||
    status.readyReplicas > before.readyReplicas ||
    status.availableReplicas > before.availableReplicas
  );
}

export function hasTimedOut({ spec, status }: Deployment, nowNs: SimTimeNs): boolean {
  const current = status.progressing;
  if (current === null || current.reason === NEW_SET_AVAILABLE) return false;
  if (current.reason === TIMED_OUT) return true;
  return current.lastUpdateTimeNs + spec.progressDeadlineNs < nowNs;
}

/** calculateStatus: counts from the ReplicaSets' statuses, and whether enough are available. */
export function countedStatus(
  deployment: Deployment,
  newSet: ReplicaSet | null,
  sets: readonly ReplicaSet[],
  nowNs: SimTimeNs,
): DeploymentStatus {
  const { status, spec } = deployment;
  const availableReplicas = availablePods(sets);
  const isAvailable = availableReplicas >= spec.replicas - maxUnavailable(deployment);
  const available = isAvailable
    ? condition("True", "MinimumReplicasAvailable", nowNs)
    : condition("False", "MinimumReplicasUnavailable", nowNs);
  return {
    replicas: sets.reduce((sum, set) => sum + set.status.replicas, 0),
    updatedReplicas: newSet?.status.replicas ?? 0,
    readyReplicas: sets.reduce((sum, set) => sum + set.status.readyReplicas, 0),
    availableReplicas,
    unavailableReplicas: Math.max(0, wantedPods(sets) - availableReplicas),
    progressing: status.progressing,
    available: withCondition(status.available, available),
  };
}

/** syncRolloutStatus: the counts, and how the rollout stands. */
export function rolloutStatus(
  deployment: Deployment,
  newSet: ReplicaSet | null,
  sets: readonly ReplicaSet[],
  nowNs: SimTimeNs,
): DeploymentStatus {
  const status = countedStatus(deployment, newSet, sets, nowNs);
  const current = deployment.status.progressing;
  const isSettled =
    status.replicas === status.updatedReplicas && current?.reason === NEW_SET_AVAILABLE;
  if (isSettled) return status;
  if (isComplete(deployment, status)) {
    const done = condition("True", NEW_SET_AVAILABLE, nowNs);
    return { ...status, progressing: withCondition(current, done) };
  }
  if (isProgressing(deployment.status, status)) {
    const fresh = condition("True", SET_UPDATED, nowNs);
    const since = current?.status === "True" ? current.lastTransitionTimeNs : nowNs;
    return { ...status, progressing: { ...fresh, lastTransitionTimeNs: since } };
  }
  if (!hasTimedOut(deployment, nowNs)) return status;
  return {
    ...status,
    progressing: withCondition(current, condition("False", TIMED_OUT, nowNs)),
  };
}

export function sameStatus(a: DeploymentStatus, b: DeploymentStatus): boolean {
  return (
    a.replicas === b.replicas &&
    a.updatedReplicas === b.updatedReplicas &&
    a.readyReplicas === b.readyReplicas &&
    a.availableReplicas === b.availableReplicas &&
    a.unavailableReplicas === b.unavailableReplicas &&
    sameCondition(a.progressing, b.progressing) &&
    sameCondition(a.available, b.available)
  );
}

function sameCondition(a: DeploymentCondition | null, b: DeploymentCondition | null): boolean {
  return (
    a === b ||
    (a?.status === b?.status &&
      a?.reason === b?.reason &&
      a?.lastUpdateTimeNs === b?.lastUpdateTimeNs)
  );
}

/** Of a Deployment that has run for days. */
export function restedStatus({ spec }: Deployment): DeploymentStatus {
  return {
    replicas: spec.replicas,
    updatedReplicas: spec.replicas,
    readyReplicas: spec.replicas,
    availableReplicas: spec.replicas,
    unavailableReplicas: 0,
    progressing: condition("True", NEW_SET_AVAILABLE, 0),
    available: condition("True", "MinimumReplicasAvailable", 0),
  };
}

export const noDeploymentStatus: DeploymentStatus = {
  replicas: 0,
  updatedReplicas: 0,
  readyReplicas: 0,
  availableReplicas: 0,
  unavailableReplicas: 0,
  progressing: null,
  available: null,
};
