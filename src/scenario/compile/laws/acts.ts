/**
 * Law 12, workloads: what the Deployment and StatefulSet controllers may ask for by what they believe.
 *
 * Owns: for each sync, what its process believed when it began and what it has heard since, and comparing each
 * thing that it asks for with that, at the instant at which it asks. How old a belief is does not matter: that it
 * becomes true again is law 13. Refuses to own: counting pods (workloads.ts).
 */
import type { SimTimeNs } from "../../../engine/index.ts";
import {
  objectKey,
  type Deployment,
  type Kind,
  type ObjectByKind,
  type ObjectKey,
  type Pod,
  type ReplicaSet,
  type StatefulSet,
} from "../../../kubernetes/api/types.ts";
import type { ActListener, SharedInformers } from "../../../kubernetes/controllers/contract.ts";
import { availableAtNs, isReady, replicaSetFor } from "../../../kubernetes/controllers/pods.ts";
import {
  isScalingEvent,
  maxSurge,
  maxUnavailable,
} from "../../../kubernetes/controllers/rollout.ts";
import { ordinalOf } from "../../../kubernetes/controllers/statefulset.ts";

/** A ReplicaSet as a sync found it, and the size that it has by now. */
interface Size {
  readonly found: ReplicaSet;
  replicas: number;
}

/** What a sync of a Deployment goes by. */
interface Rollout {
  deployment: Deployment;
  readonly newKey: ObjectKey;
  /**
   * Paused, or of another size than its ReplicaSets were made for: sync.go scale() looks at no availability, and what
   * GetReplicaSetProportion() rounds and cuts off at zero may come to more than the surge.
   */
  readonly isScaling: boolean;
  readonly sizes: Map<ObjectKey, Size>;
  readonly believed: SharedInformers;
}

/** What a sync of a StatefulSet goes by. */
interface Ordinals {
  readonly set: StatefulSet;
  readonly pods: ReadonlyMap<number, Pod>;
}

type Tell = (object: ObjectByKind[Kind], detail: string) => void;

export class ControllerActs implements ActListener {
  readonly #clock: { readonly nowNs: SimTimeNs };
  readonly #tell: Tell;
  /** The latest sync of each, by its uid: no two of one object run at a time. */
  readonly #rollouts = new Map<string, Rollout>();
  readonly #ordinals = new Map<string, Ordinals>();

  constructor(clock: { readonly nowNs: SimTimeNs }, tell: Tell) {
    this.#clock = clock;
    this.#tell = tell;
  }

  begins(controller: string, key: ObjectKey, believed: SharedInformers): void {
    if (controller === "deployment-controller") this.#rolloutBegins(key, believed);
    else if (controller === "statefulset-controller") this.#ordinalsBegin(key, believed);
  }

  asks(controller: string, kind: Kind, object: ObjectByKind[Kind]): void {
    const owner = object.metadata.ownerUid ?? "";
    if (controller === "deployment-controller" && kind === "ReplicaSet") {
      const rollout = this.#rollouts.get(owner);
      if (rollout !== undefined) this.#resizes(rollout, object as ReplicaSet);
    } else if (controller === "statefulset-controller" && kind === "Pod") {
      const ordinals = this.#ordinals.get(owner);
      if (ordinals !== undefined) this.#makes(ordinals, object as Pod);
    }
  }

  /** What was there already, and what users have changed meanwhile. */
  hears(controller: string, kind: Kind, object: ObjectByKind[Kind]): void {
    if (controller !== "deployment-controller") return;
    if (kind === "Deployment") {
      const rollout = this.#rollouts.get(object.metadata.uid);
      if (rollout !== undefined) rollout.deployment = object as Deployment;
    } else if (kind === "ReplicaSet") {
      const set = object as ReplicaSet;
      const sizes = this.#rollouts.get(set.metadata.ownerUid ?? "")?.sizes;
      const found = sizes?.get(objectKey(set))?.found ?? set;
      sizes?.set(objectKey(set), { found, replicas: set.spec.replicas });
    }
  }

  #rolloutBegins(key: ObjectKey, believed: SharedInformers): void {
    const deployment = believed.of("Deployment").get(key);
    if (deployment === undefined) return;
    const { uid } = deployment.metadata;
    const sets = believed.byOwner("ReplicaSet").of(uid);
    this.#rollouts.set(uid, {
      deployment,
      newKey: objectKey(replicaSetFor(deployment)),
      isScaling: deployment.spec.paused || isScalingEvent(deployment, sets),
      sizes: new Map(
        sets.map((found) => [objectKey(found), { found, replicas: found.spec.replicas }]),
      ),
      believed,
    });
  }

  #resizes(rollout: Rollout, set: ReplicaSet): void {
    const { sizes, newKey } = rollout;
    const key = objectKey(set);
    const before = sizes.get(key)?.replicas ?? 0;
    const { replicas } = set.spec;
    const size = sizes.get(key) ?? { found: set, replicas };
    size.replicas = replicas;
    sizes.set(key, size);
    if (rollout.isScaling) return;
    if (replicas > before) this.#grows(rollout, set, before);
    else if (replicas < before) {
      if (key === newKey) this.#newShrinks(rollout, set, before);
      else this.#oldShrinks(rollout, set, before, size.found);
    }
  }

  /** Never more pods than desired + surge; with Recreate, none beside an old one. */
  #grows(rollout: Rollout, set: ReplicaSet, before: number): void {
    const { deployment, sizes, believed } = rollout;
    const { replicas } = set.spec;
    const most = deployment.spec.replicas + maxSurge(deployment);
    let total = 0;
    for (const each of sizes.values()) total += each.replicas;
    if (total > most) this.#tell(set, `${before} to ${replicas} makes ${total} pods of ${most}`);
    if (deployment.spec.strategy !== "Recreate") return;
    for (const [key, { found }] of sizes) {
      if (key === objectKey(set)) continue;
      const pods = believed.byOwner("Pod").of(found.metadata.uid);
      const left = pods.filter(
        ({ status: { phase } }) => phase !== "Failed" && phase !== "Succeeded",
      );
      if (left.length === 0) continue;
      this.#tell(set, `${before} to ${replicas} while ${left.length} pods of ${key} are there`);
    }
  }

  #newShrinks({ deployment }: Rollout, set: ReplicaSet, before: number): void {
    const { replicas } = set.spec;
    const desired = deployment.spec.replicas;
    if (replicas >= desired) return;
    this.#tell(set, `${before} to ${replicas}, the new ReplicaSet of ${desired} pods`);
  }

  /**
   * Never fewer available pods than desired - unavailable, but for those that are gone anyway. They are counted as
   * rolling.go scaleDownOldReplicaSetsForRollingUpdate counts them: by statuses, in which a pod that a ReplicaSet has
   * just been told to give up is still available.
   */
  #oldShrinks(rollout: Rollout, set: ReplicaSet, before: number, found: ReplicaSet): void {
    const { deployment, newKey, sizes } = rollout;
    if (deployment.spec.strategy !== "RollingUpdate") return;
    const { replicas } = set.spec;
    const { availableReplicas } = found.status;
    if (Math.min(before, availableReplicas) <= replicas) return;
    let left = 0;
    for (const [key, each] of sizes) {
      const { spec, status } = each.found;
      const kept = Math.min(spec.replicas, status.availableReplicas);
      left += status.availableReplicas;
      if (key !== newKey) left -= Math.max(0, kept - each.replicas);
    }
    const least = deployment.spec.replicas - maxUnavailable(deployment);
    if (left >= least) return;
    this.#tell(set, `${before} to ${replicas} leaves ${left} available pods of ${least}`);
  }

  #ordinalsBegin(key: ObjectKey, believed: SharedInformers): void {
    const set = believed.of("StatefulSet").get(key);
    if (set?.spec.podManagementPolicy !== "OrderedReady") return;
    const { uid } = set.metadata;
    const pods = believed.byOwner("Pod").of(uid);
    this.#ordinals.set(uid, { set, pods: new Map(pods.map((pod) => [ordinalOf(pod), pod])) });
  }

  /** OrderedReady: a pod is made when all of lower ordinals are available. */
  #makes({ set, pods }: Ordinals, pod: Pod): void {
    for (let ordinal = 0; ordinal < ordinalOf(pod); ordinal++) {
      const lower = pods.get(ordinal);
      const isThere = lower !== undefined && lower.metadata.deletionTimestampNs === null;
      const { minReadyNs } = set.spec;
      if (isThere && isReady(lower) && availableAtNs(lower, minReadyNs) <= this.#clock.nowNs) {
        continue;
      }
      this.#tell(pod, `made while ${set.metadata.name}-${ordinal} is not available`);
    }
  }
}
