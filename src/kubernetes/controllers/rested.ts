/**
 * The owners of pods as they are when a cluster has run for days: each has what it wants.
 *
 * Owns: which objects are stored, with which status and annotations, and which pods they have. Jobs are
 * as new: none runs for days. Refuses to own: giving the pods nodes and addresses (cluster.ts).
 */
import type { RandomStreams } from "../../engine/index.ts";
import {
  objectKey,
  type CronJob,
  type DaemonSet,
  type Deployment,
  type Job,
  type Kind,
  type Node,
  type ObjectByKind,
  type Pod,
  type PodDisruptionBudget,
  type ReplicaSet,
  type ReplicationController,
  type StatefulSet,
  type Workload,
} from "../api/types.ts";
import { daemonPod, isEligible } from "./daemonset.ts";
import { covers, disruptionStatus, scalesIn } from "./disruption.ts";
import { nameSuffix, podFor, replicaSetFor, templateHash } from "./pods.ts";
import { REVISION, restedStatus, sizeAnnotations } from "./rollout.ts";
import { statefulPod } from "./statefulset.ts";

/** What makes pods, beside Deployments and ReplicaSets. */
export type OtherWorkload = ReplicationController | StatefulSet | DaemonSet | Job | CronJob;

export interface Owners {
  readonly deployments: readonly Deployment[];
  readonly replicaSets: readonly ReplicaSet[];
  readonly workloads?: readonly OtherWorkload[];
}

export function* restedOwners(
  { deployments, replicaSets, workloads = [] }: Owners,
  nodes: readonly Node[],
): Generator<Workload> {
  const sets: ReplicaSet[] = [];
  for (const deployment of deployments) {
    const status = restedStatus(deployment);
    yield withAnnotations({ ...deployment, status }, { [REVISION]: "1" });
    const annotations = { ...sizeAnnotations(deployment), [REVISION]: "1" };
    sets.push(withAnnotations(replicaSetFor(deployment), annotations));
  }
  for (const set of [...sets, ...replicaSets]) yield { ...set, status: replicaStatus(set) };
  for (const owner of workloads) yield restedWorkload(owner, nodes);
}

function restedWorkload(owner: OtherWorkload, nodes: readonly Node[]): OtherWorkload {
  switch (owner.kind) {
    case "Job":
    case "CronJob":
      return owner;
    case "ReplicationController":
      return { ...owner, status: replicaStatus(owner) };
    case "StatefulSet":
      return { ...owner, status: restedStatefulSet(owner) };
    case "DaemonSet":
      return { ...owner, status: restedDaemonSet(owner, nodes) };
  }
}

function replicaStatus({ spec }: { readonly spec: { readonly replicas: number } }) {
  const { replicas } = spec;
  return { replicas, readyReplicas: replicas, availableReplicas: replicas };
}

function restedStatefulSet(set: StatefulSet): StatefulSet["status"] {
  const revision = templateHash(set.spec.template);
  return {
    ...replicaStatus(set),
    currentReplicas: set.spec.replicas,
    updatedReplicas: set.spec.replicas,
    currentRevision: revision,
    updateRevision: revision,
    currentTemplate: set.spec.template,
  };
}

function restedDaemonSet(set: DaemonSet, nodes: readonly Node[]): DaemonSet["status"] {
  const count = nodes.filter((node) => isEligible(set, node)).length;
  return {
    desiredNumberScheduled: count,
    currentNumberScheduled: count,
    updatedNumberScheduled: count,
    numberReady: count,
    numberAvailable: count,
    numberMisscheduled: 0,
  };
}

function withAnnotations<T extends Deployment | ReplicaSet>(
  object: T,
  annotations: Record<string, string>,
): T {
  const { metadata } = object;
  return {
    ...object,
    metadata: { ...metadata, annotations: { ...metadata.annotations, ...annotations } },
  };
}

/** The pods of an owner as stored. */
export function restedPods(owner: Workload, nodes: readonly Node[], streams: RandomStreams): Pod[] {
  if (owner.kind === "Deployment") return [];
  // Their pods end.
  if (owner.kind === "Job" || owner.kind === "CronJob") return [];
  if (owner.kind === "StatefulSet") {
    const { replicas, template } = owner.spec;
    return Array.from({ length: replicas }, (_, i) => statefulPod(owner, i, template));
  }
  const names = streams.get(`names/${objectKey(owner)}`);
  if (owner.kind === "DaemonSet") {
    const own = nodes.filter((node) => isEligible(owner, node));
    return own.map(({ metadata: { name } }) => {
      const pod = daemonPod(owner, name, `${owner.metadata.name}-${nameSuffix(names)}`);
      return { ...pod, spec: { ...pod.spec, nodeName: name } };
    });
  }
  return Array.from({ length: owner.spec.replicas }, () => podFor(owner, names));
}

/** Budgets as the disruption controller has left them. @param list the stored objects of a kind */
export function* restedBudgets(
  budgets: readonly PodDisruptionBudget[],
  list: <K extends Kind>(kind: K) => Iterable<ObjectByKind[K]>,
): Generator<PodDisruptionBudget> {
  if (budgets.length === 0) return;
  const stored = <K extends Kind>(kind: K) => ({ values: () => [...list(kind)].values() });
  const scaleOf = scalesIn({
    Deployment: stored("Deployment"),
    ReplicaSet: stored("ReplicaSet"),
    ReplicationController: stored("ReplicationController"),
    StatefulSet: stored("StatefulSet"),
  });
  const pods = [...list("Pod")];
  for (const budget of budgets) {
    const own = pods.filter((pod) => covers(budget, pod));
    yield { ...budget, status: disruptionStatus(budget, own, scaleOf, 0, 0) };
  }
}
