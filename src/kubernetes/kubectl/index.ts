/**
 * What a user does to workloads with kubectl: calls to the API server, like any other client's.
 *
 * Owns: scale, set image, rollout restart, undo, pause and resume: which fields each command changes.
 * Refuses to own: what becomes of it, which is the controllers' affair, and when it is done (faults/).
 * Source: k8s.io/kubectl pkg/polymorphichelpers (objectrestarter.go, rollback.go), pkg/cmd/set; timings §3.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import type { ApiClient, WriteCallback } from "../api/contract.ts";
import {
  objectKey,
  type Deployment,
  type ObjectByKind,
  type ObjectKey,
  type PodTemplate,
  type ReplicaSet,
} from "../api/types.ts";
import { templateHash, TEMPLATE_HASH_LABEL } from "../controllers/pods.ts";
import { revisionOf } from "../controllers/rollout.ts";

export type ScalableKind = "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet";
export type RolloutKind = "Deployment" | "StatefulSet" | "DaemonSet";

/** kubectl scale --replicas=N. */
export function scale<K extends ScalableKind>(
  client: ApiClient,
  kind: K,
  key: ObjectKey,
  replicas: number,
  done?: WriteCallback<K>,
): void {
  client.patch(kind, key, (stored) => scaled(stored, replicas), done);
}

/** A patch of the scale subresource. */
export function scaled<T extends ObjectByKind[ScalableKind]>(
  stored: T,
  replicas: number,
): T | null {
  if (stored.spec.replicas === replicas) return null;
  return { ...stored, spec: { ...stored.spec, replicas } };
}

/** kubectl set image CONTAINER=IMAGE; null is `*`, every container. */
export function setImage<K extends RolloutKind>(
  client: ApiClient,
  kind: K,
  key: ObjectKey,
  container: string | null,
  image: string,
  done?: WriteCallback<K>,
): void {
  patchTemplate(
    client,
    kind,
    key,
    (template) => {
      const containers = template.spec.containers.map((each) =>
        container === null || each.name === container ? { ...each, image } : each,
      );
      const isSame = containers.every(
        (each, i) => each.image === template.spec.containers[i]!.image,
      );
      return isSame ? null : { ...template, spec: { ...template.spec, containers } };
    },
    done,
  );
}

/** kubectl rollout restart: an annotation with the time makes another template. Of seconds, as RFC 3339 has. */
export function rolloutRestart<K extends RolloutKind>(
  client: ApiClient,
  kind: K,
  key: ObjectKey,
  nowNs: SimTimeNs,
  done?: WriteCallback<K>,
): void {
  const at = `${Math.floor(nowNs / 1e9)}s`;
  patchTemplate(
    client,
    kind,
    key,
    (template) => ({
      ...template,
      annotations: { ...template.annotations, "kubectl.kubernetes.io/restartedAt": at },
    }),
    done,
  );
}

export function patchTemplate<K extends RolloutKind>(
  client: ApiClient,
  kind: K,
  key: ObjectKey,
  change: (template: PodTemplate) => PodTemplate | null,
  done?: WriteCallback<K>,
): void {
  client.patch(
    kind,
    key,
    (stored) => {
      const template = change(stored.spec.template);
      return template === null ? null : { ...stored, spec: { ...stored.spec, template } };
    },
    done,
  );
}

/** kubectl rollout pause, and resume. */
export function setPaused(
  client: ApiClient,
  key: ObjectKey,
  paused: boolean,
  done?: WriteCallback<"Deployment">,
): void {
  client.patch(
    "Deployment",
    key,
    (stored) =>
      stored.spec.paused === paused ? null : { ...stored, spec: { ...stored.spec, paused } },
    done,
  );
}

/**
 * kubectl rollout undo: the template of an earlier revision, as its ReplicaSet still holds it. The
 * controller then finds that ReplicaSet again and gives it the next revision.
 * @param sets the ReplicaSets as listed, of all Deployments
 * @param toRevision 0: the one before the present
 * @returns why nothing was asked of the server, or null
 */
export function rolloutUndo(
  client: ApiClient,
  deployment: Deployment,
  sets: Iterable<ReplicaSet>,
  toRevision = 0,
  done?: WriteCallback<"Deployment">,
): "NoSuchRevision" | "Paused" | "AlreadyThere" | null {
  if (deployment.spec.paused) return "Paused";
  const own = [...sets]
    .filter(({ metadata }) => metadata.ownerUid === deployment.metadata.uid)
    .sort((a, b) => revisionOf(b) - revisionOf(a));
  const found = toRevision === 0 ? own[1] : own.find((set) => revisionOf(set) === toRevision);
  if (found === undefined) return "NoSuchRevision";
  const { [TEMPLATE_HASH_LABEL]: _hash, ...labels } = found.spec.template.labels;
  const template = { ...found.spec.template, labels };
  if (templateHash(template) === templateHash(deployment.spec.template)) return "AlreadyThere";
  patchTemplate(client, "Deployment", objectKey(deployment), () => template, done);
  return null;
}
