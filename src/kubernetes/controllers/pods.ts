/**
 * Pods as their controllers make and judge them.
 *
 * Owns: a new pod from a template, generated names, what counts as active, and the order in which a
 * ReplicaSet gives pods up. Source: pkg/controller/controller_utils.go; timings §3.
 */
import {
  Fingerprint,
  type DurationNs,
  type RandomStream,
  type SimTimeNs,
} from "../../engine/index.ts";
import type { Deployment, ObjectMeta, Pod, PodTemplate, ReplicaSet } from "../api/types.ts";

/** The label by which a ReplicaSet of a Deployment tells its pods from those of the others. */
export const TEMPLATE_HASH_LABEL = "pod-template-hash";

/** The letters of rand.SafeEncodeString: no vowels, nothing that looks like another. */
const SAFE_LETTERS = "bcdfghjklmnpqrstvwxz2456789";

export function newMeta(namespace: string, name: string): ObjectMeta {
  return {
    namespace,
    name,
    uid: "",
    labels: {},
    annotations: {},
    resourceVersion: 0,
    creationTimestampNs: 0,
    deletionTimestampNs: null,
    deletionGracePeriodNs: null,
    ownerUid: null,
  };
}

/** Five safe letters, as generateName appends. */
export function nameSuffix(stream: RandomStream): string {
  let suffix = "";
  for (let i = 0; i < 5; i++) suffix += SAFE_LETTERS[stream.below(SAFE_LETTERS.length)];
  return suffix;
}

/** The ReplicaSet of a Deployment's present template: named by a hash of it. */
export function replicaSetFor(deployment: Deployment): ReplicaSet {
  const { metadata, spec } = deployment;
  const hash = templateHash(spec.template);
  const labels = { ...spec.template.labels, [TEMPLATE_HASH_LABEL]: hash };
  return {
    kind: "ReplicaSet",
    metadata: {
      ...newMeta(metadata.namespace, `${metadata.name}-${hash}`),
      labels,
      ownerUid: metadata.uid,
    },
    spec: {
      replicas: spec.replicas,
      selector: {
        ...spec.selector,
        matchLabels: { ...spec.selector.matchLabels, [TEMPLATE_HASH_LABEL]: hash },
      },
      template: { ...spec.template, labels },
      minReadyNs: spec.minReadyNs,
    },
    status: { replicas: 0, readyReplicas: 0, availableReplicas: 0 },
  };
}

/** A new pod of an owner, with a name that it generates. */
export function podFor(owner: PodOwner, stream: RandomStream): Pod {
  return podNamed(owner, `${owner.metadata.name}-${nameSuffix(stream)}`);
}

/** What makes pods from a template. */
export interface PodOwner {
  readonly metadata: ObjectMeta;
  readonly spec: { readonly template: PodTemplate };
}

export function podNamed({ metadata, spec }: PodOwner, name: string): Pod {
  return {
    kind: "Pod",
    metadata: {
      ...newMeta(metadata.namespace, name),
      labels: spec.template.labels,
      annotations: spec.template.annotations,
      ownerUid: metadata.uid,
    },
    spec: spec.template.spec,
    status: {
      phase: "Pending",
      podIPs: [],
      ready: { status: false, lastTransitionTimeNs: 0 },
      restartCount: 0,
      observedCauseNs: 0,
    },
  };
}

/** Running and ready. */
export function isReady({ status }: Pod): boolean {
  return status.phase === "Running" && status.ready.status;
}

/** When a ready pod has been ready for minReadySeconds. */
export function availableAtNs({ status }: Pod, minReadyNs: DurationNs): SimTimeNs {
  return status.ready.lastTransitionTimeNs + minReadyNs;
}

/** Neither finished nor on its way out: what a ReplicaSet counts. */
export function isActive(pod: Pod): boolean {
  return (
    pod.metadata.deletionTimestampNs === null &&
    pod.status.phase !== "Succeeded" &&
    pod.status.phase !== "Failed"
  );
}

/**
 * ActivePodsWithRanks: negative when `a` is given up before `b`. Unscheduled, pending, not ready, the
 * lower deletion cost, the one with more siblings on its node, ready for a shorter time, more restarts,
 * newer. Ages are compared by powers of two; where those are equal but the times are not, the uid
 * decides at once.
 */
export function compareVictims(siblings: ReadonlyMap<string, number>, nowNs: number) {
  const rank = (pod: Pod): readonly number[] => [
    pod.spec.nodeName === null ? 0 : 1,
    pod.status.phase === "Pending" ? 0 : 1,
    pod.status.ready.status ? 1 : 0,
    deletionCost(pod),
    -(siblings.get(pod.spec.nodeName ?? "") ?? 0),
  ];
  return (a: Pod, b: Pod): number => {
    const [left, right] = [rank(a), rank(b)];
    for (const [i, value] of left.entries()) {
      if (value !== right[i]!) return value - right[i]!;
    }
    const byUid = a.metadata.uid < b.metadata.uid ? -1 : 1;
    const [readyA, readyB] = [a, b].map((pod) => nowNs - pod.status.ready.lastTransitionTimeNs);
    if (a.status.ready.status && readyA !== readyB) {
      return ageBucket(readyA!) - ageBucket(readyB!) || byUid;
    }
    if (a.status.restartCount !== b.status.restartCount) {
      return b.status.restartCount - a.status.restartCount;
    }
    const [ageA, ageB] = [a, b].map((pod) => nowNs - pod.metadata.creationTimestampNs);
    return ageBucket(ageA!) - ageBucket(ageB!) || byUid;
  };
}

function deletionCost(pod: Pod): number {
  return Number(pod.metadata.annotations["controller.kubernetes.io/pod-deletion-cost"] ?? 0);
}

/** floor(log2(ns)), as upstream compares ages. */
function ageBucket(ns: number): number {
  let bucket = 0;
  for (let left = Math.max(1, ns); left >= 2; left /= 2) bucket++;
  return bucket;
}

const hashes = new WeakMap<PodTemplate, string>();

/** Of a template as a whole; templates are immutable, so each is hashed once. */
export function templateHash(template: PodTemplate): string {
  let hash = hashes.get(template);
  if (hash === undefined) hashes.set(template, (hash = hashOf(template)));
  return hash;
}

function hashOf(template: PodTemplate): string {
  const print = new Fingerprint();
  print.addText(JSON.stringify(template));
  const hex = print.hex();
  let hash = "";
  for (let i = 0; i < 10; i++) {
    hash += SAFE_LETTERS[Number.parseInt(hex.slice(i, i + 4), 16) % SAFE_LETTERS.length];
  }
  return hash;
}
