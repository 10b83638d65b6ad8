/**
 * The owners of pods as they are when a cluster has run for days: each has what it wants.
 *
 * Owns: which objects are stored, with which status and annotations, and which pods they have. Refuses to
 * own: giving the pods nodes and addresses (cluster.ts).
 */
import type { RandomStreams } from "../../engine/index.ts";
import {
  objectKey,
  type Deployment,
  type ObjectByKind,
  type Pod,
  type ReplicaSet,
} from "../api/types.ts";
import { podFor, replicaSetFor } from "./pods.ts";
import { REVISION, restedStatus, sizeAnnotations } from "./rollout.ts";

export type RestedKind = "Deployment" | "ReplicaSet";
interface Rested {
  readonly kind: RestedKind;
  readonly object: ObjectByKind[RestedKind];
}

export function* restedOwners(
  deployments: readonly Deployment[],
  replicaSets: readonly ReplicaSet[],
): Generator<Rested> {
  const sets: ReplicaSet[] = [];
  for (const deployment of deployments) {
    const object = withAnnotations(
      { ...deployment, status: restedStatus(deployment) },
      { [REVISION]: "1" },
    );
    yield { kind: "Deployment", object };
    const annotations = { ...sizeAnnotations(deployment), [REVISION]: "1" };
    sets.push(withAnnotations(replicaSetFor(deployment), annotations));
  }
  for (const set of [...sets, ...replicaSets]) {
    const { replicas } = set.spec;
    const status = { replicas, readyReplicas: replicas, availableReplicas: replicas };
    yield { kind: "ReplicaSet", object: { ...set, status } };
  }
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
export function restedPods(owner: ObjectByKind[RestedKind], streams: RandomStreams): Pod[] {
  if (owner.kind === "Deployment") return [];
  const names = streams.get(`names/${objectKey(owner)}`);
  return Array.from({ length: owner.spec.replicas }, () => podFor(owner, names));
}
