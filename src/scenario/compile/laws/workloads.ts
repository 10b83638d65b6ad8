/**
 * Law 12, workloads: controllers keep to what their objects say.
 *
 * Owns: a book of what Deployments, StatefulSets and budgets said lately, and comparing each write of a
 * controller with it; at the end of a quiet run, the number of pods of each owner. A controller acts on
 * what its own watch has shown it, which may be old: it is held to anything that was stored lately.
 */
import { seconds, type SimTimeNs } from "../../../engine/index.ts";
import {
  objectKey,
  type Deployment,
  type Kind,
  type ObjectByKind,
  type Pod,
  type PodDisruptionBudget,
  type ReplicaSet,
} from "../../../kubernetes/api/types.ts";
import type { Cluster } from "../../../kubernetes/cluster.ts";
import { placementOn } from "../../../kubernetes/controllers/daemonset.ts";
import { isActive, isReady } from "../../../kubernetes/controllers/pods.ts";
import { maxSurge, maxUnavailable } from "../../../kubernetes/controllers/rollout.ts";
import { ordinalOf } from "../../../kubernetes/controllers/statefulset.ts";
import type { BrokenLaw } from "../../../observe/report.ts";
import type { LawContext } from "./contract.ts";

const LAW = "12 workloads";
/** How old a controller's view may be: longer than the outages that scenarios are made of. */
const LATELY_NS = seconds(300);
/** Broken writes that are told; what follows is mostly their consequence. */
const TOLD_MAX = 10;

/** Values with the time from which each was stored. */
class Lately {
  #values: { value: number; fromNs: SimTimeNs }[] = [];

  add(value: number, nowNs: SimTimeNs): void {
    const last = this.#values.at(-1);
    if (last?.value === value) return;
    this.#values.push({ value, fromNs: nowNs });
    const isOld = (index: number): boolean =>
      (this.#values[index + 1]?.fromNs ?? Infinity) < nowNs - LATELY_NS;
    while (isOld(0)) this.#values.shift();
  }

  get most(): number {
    return this.#values.reduce((most, { value }) => Math.max(most, value), -Infinity);
  }

  get fewest(): number {
    return this.#values.reduce((fewest, { value }) => Math.min(fewest, value), Infinity);
  }
}

interface Bounds {
  readonly most: Lately;
  readonly fewest: Lately;
  isRolling: boolean;
  readonly sets: Map<string, { replicas: number; readonly available: Lately }>;
}

export class WorkloadWatch {
  #clock: { readonly nowNs: SimTimeNs } = { nowNs: 0 };
  #cluster!: Cluster;
  readonly #deployments = new Map<string, Bounds>();
  /** Of pods of StatefulSets, by the owner's uid and the pod's name: when each was last ready. */
  readonly #readyNs = new Map<string, SimTimeNs>();
  readonly #broken: BrokenLaw[] = [];

  attach(cluster: Cluster, clock: { readonly nowNs: SimTimeNs }): void {
    this.#clock = clock;
    this.#cluster = cluster;
    cluster.onCommit((kind, previous, object) => this.#committed(kind, previous, object));
  }

  #committed<K extends Kind>(
    _kind: K,
    previous: ObjectByKind[K] | null,
    object: ObjectByKind[K] | null,
  ): void {
    const now: ObjectByKind[Kind] | null = object;
    const before: ObjectByKind[Kind] | null = previous;
    if (now === null) {
      if (before?.kind === "ReplicaSet") this.#boundsOf(before)?.sets.delete(before.metadata.uid);
    } else if (now.kind === "Deployment") this.#noteDeployment(now);
    else if (now.kind === "ReplicaSet") this.#setWritten(before as ReplicaSet | null, now);
    else if (now.kind === "Pod") this.#podWritten(before as Pod | null, now);
    else if (now.kind === "PodDisruptionBudget") {
      this.#budgetWritten(before as PodDisruptionBudget | null, now);
    }
  }

  #noteDeployment(deployment: Deployment): Bounds {
    const { metadata, spec } = deployment;
    let bounds = this.#deployments.get(metadata.uid);
    if (bounds === undefined) {
      bounds = { most: new Lately(), fewest: new Lately(), isRolling: true, sets: new Map() };
      this.#deployments.set(metadata.uid, bounds);
    }
    const { nowNs } = this.#clock;
    bounds.most.add(spec.replicas + maxSurge(deployment), nowNs);
    bounds.fewest.add(spec.replicas - maxUnavailable(deployment), nowNs);
    bounds.isRolling = spec.strategy === "RollingUpdate";
    return bounds;
  }

  /** What is known of a ReplicaSet's Deployment; at first, with its other sets as they are. */
  #boundsOf({ metadata }: ReplicaSet): Bounds | null {
    const { ownerUid } = metadata;
    if (ownerUid === null) return null;
    const known = this.#deployments.get(ownerUid);
    if (known !== undefined && known.sets.size > 0) return known;
    for (const deployment of this.#cluster.api.list("Deployment")) {
      if (deployment.metadata.uid === ownerUid) this.#noteDeployment(deployment);
    }
    const bounds = this.#deployments.get(ownerUid) ?? null;
    if (bounds === null) return null;
    for (const set of this.#cluster.api.list("ReplicaSet")) {
      const { ownerUid: owner, uid } = set.metadata;
      if (owner === ownerUid && uid !== metadata.uid) noteSet(bounds, set, this.#clock.nowNs);
    }
    return bounds;
  }

  /** Never more pods than desired + surge, nor fewer available ones kept than desired - unavailable. */
  #setWritten(previous: ReplicaSet | null, set: ReplicaSet): void {
    const bounds = this.#boundsOf(set);
    if (bounds === null) return;
    if (previous !== null) noteSet(bounds, previous, this.#clock.nowNs);
    const before = bounds.sets.get(set.metadata.uid)?.replicas ?? 0;
    const keptBefore = kept(bounds);
    noteSet(bounds, set, this.#clock.nowNs);
    if (!bounds.isRolling) return;
    const total = [...bounds.sets.values()].reduce((sum, { replicas }) => sum + replicas, 0);
    const { replicas } = set.spec;
    if (replicas > before && total > bounds.most.most) {
      this.#tell(set, `${before} to ${replicas} makes ${total} pods of ${bounds.most.most}`);
    }
    const given = keptBefore - kept(bounds);
    const least = bounds.fewest.fewest;
    if (replicas < before && given > 0 && seen(bounds) - given < least) {
      const left = seen(bounds) - given;
      this.#tell(set, `${before} to ${replicas} leaves ${left} available pods of ${least}`);
    }
  }

  /** OrderedReady: a pod is made when all of lower ordinals have lately been ready. */
  #podWritten(previous: Pod | null, pod: Pod): void {
    const { ownerUid, labels, namespace } = pod.metadata;
    if (ownerUid === null || labels["apps.kubernetes.io/pod-index"] === undefined) return;
    const { nowNs } = this.#clock;
    if (isReady(pod)) this.#readyNs.set(`${ownerUid}|${pod.metadata.name}`, nowNs);
    else if (previous !== null && isReady(previous)) {
      this.#readyNs.set(`${ownerUid}|${pod.metadata.name}`, nowNs);
    }
    if (previous !== null) return;
    for (const set of this.#cluster.api.list("StatefulSet")) {
      if (set.metadata.uid !== ownerUid || set.spec.podManagementPolicy === "Parallel") continue;
      for (let ordinal = 0; ordinal < ordinalOf(pod); ordinal++) {
        const name = `${set.metadata.name}-${ordinal}`;
        const lastNs = this.#readyNs.get(`${ownerUid}|${name}`) ?? -Infinity;
        if (nowNs - lastNs <= LATELY_NS) continue;
        const lower = [...this.#cluster.api.list("Pod")].find(
          (each) => each.metadata.namespace === namespace && each.metadata.name === name,
        );
        if (lower !== undefined && isReady(lower)) continue;
        this.#tell(pod, `made while ${name} is not ready`);
      }
    }
  }

  /** An eviction takes exactly its share, and only what there is. */
  #budgetWritten(previous: PodDisruptionBudget | null, budget: PodDisruptionBudget): void {
    if (previous === null) return;
    const granted = Object.keys(budget.status.disruptedPods).filter(
      (name) => previous.status.disruptedPods[name] === undefined,
    ).length;
    if (granted === 0) return;
    const { disruptionsAllowed: before } = previous.status;
    const { disruptionsAllowed: after } = budget.status;
    if (before >= granted && after === before - granted) return;
    this.#tell(budget, `${granted} evictions of ${before} allowed, ${after} left`);
  }

  #tell(object: ObjectByKind[Kind], detail: string): void {
    if (this.#broken.length >= TOLD_MAX) return;
    const entity = `${object.kind.toLowerCase()}/${objectKey(object)}`;
    this.#broken.push({ law: LAW, entity, atNs: this.#clock.nowNs, detail });
  }

  broken({ cluster }: LawContext): BrokenLaw[] {
    if (cluster.isQuiet) this.#compareCounts(cluster);
    return this.#broken;
  }

  /** Nothing is left to do: each owner has the pods that it wants. */
  #compareCounts({ api }: Cluster): void {
    const active = new Map<string, Pod[]>();
    for (const pod of api.list("Pod")) {
      if (pod.metadata.ownerUid === null || !isActive(pod)) continue;
      const known = active.get(pod.metadata.ownerUid);
      if (known === undefined) active.set(pod.metadata.ownerUid, [pod]);
      else known.push(pod);
    }
    const compare = (
      owner: ObjectByKind[Kind],
      wanted: number,
      counts: (pod: Pod) => boolean = () => true,
    ): void => {
      const count = active.get(owner.metadata.uid)?.filter(counts).length ?? 0;
      if (count !== wanted) this.#tell(owner, `wants ${wanted} pods and has ${count}`);
    };
    for (const set of api.list("ReplicaSet")) compare(set, set.spec.replicas);
    for (const set of api.list("ReplicationController")) compare(set, set.spec.replicas);
    for (const set of api.list("StatefulSet")) {
      // One that is not ready keeps the next from coming.
      const own = active.get(set.metadata.uid) ?? [];
      if (own.every(isReady)) compare(set, set.spec.replicas);
    }
    const nodes = [...api.list("Node")];
    for (const set of api.list("DaemonSet")) {
      const placements = nodes.map((node) => [node.metadata.name, placementOn(set, node)] as const);
      // What a node keeps that should get none may be there or not.
      const kept = new Set(placements.flatMap(([name, how]) => (how === "keeps" ? [name] : [])));
      const wanted = placements.filter(([, how]) => how === "runs").length;
      compare(set, wanted, ({ spec }) => !kept.has(spec.nodeName ?? ""));
    }
  }
}

function noteSet(bounds: Bounds, { metadata, spec, status }: ReplicaSet, nowNs: SimTimeNs): void {
  let known = bounds.sets.get(metadata.uid);
  if (known === undefined) {
    known = { replicas: spec.replicas, available: new Lately() };
    bounds.sets.set(metadata.uid, known);
  }
  known.replicas = spec.replicas;
  known.available.add(status.availableReplicas, nowNs);
}

/**
 * Available pods by the statuses, as rolling.go scaleDownOldReplicaSetsForRollingUpdate counts them: those that a
 * ReplicaSet has to give up count until its own controller has written that they are gone.
 */
function seen({ sets }: Bounds): number {
  let sum = 0;
  for (const { available } of sets.values()) sum += Math.max(0, available.most);
  return sum;
}

/** Available pods that no ReplicaSet has to give up. */
function kept({ sets }: Bounds): number {
  let sum = 0;
  for (const { replicas, available } of sets.values()) {
    sum += Math.min(replicas, Math.max(0, available.most));
  }
  return sum;
}
