/**
 * Law 12, workloads: controllers keep to what their objects say.
 *
 * Owns: comparing each eviction with its budget; at the end of a quiet run, the number of pods of each owner.
 * Refuses to own: what controllers ask for on the way (acts.ts).
 */
import type { SimTimeNs } from "../../../engine/index.ts";
import {
  objectKey,
  type Kind,
  type Node,
  type ObjectByKind,
  type Pod,
  type PodDisruptionBudget,
} from "../../../kubernetes/api/types.ts";
import type { Cluster } from "../../../kubernetes/cluster.ts";
import { placementOn } from "../../../kubernetes/controllers/daemonset.ts";
import { isActive, isReady } from "../../../kubernetes/controllers/pods.ts";
import type { BrokenLaw } from "../../../observe/report.ts";
import { ControllerActs } from "./acts.ts";
import type { LawContext } from "./contract.ts";

const LAW = "12 workloads";
/** Broken acts that are told; what follows is mostly their consequence. */
const TOLD_MAX = 10;

export class WorkloadWatch {
  #clock: { readonly nowNs: SimTimeNs } = { nowNs: 0 };
  readonly #broken: BrokenLaw[] = [];

  attach(cluster: Cluster, clock: { readonly nowNs: SimTimeNs }): void {
    this.#clock = clock;
    cluster.controllerManager.acts = new ControllerActs(clock, (object, detail) =>
      this.#tell(object, detail),
    );
    cluster.onCommit((kind, previous, object) => {
      if (kind !== "PodDisruptionBudget" || previous === null || object === null) return;
      this.#budgetWritten(previous as PodDisruptionBudget, object as PodDisruptionBudget);
    });
  }

  /** An eviction takes exactly its share, and only what there is. */
  #budgetWritten(previous: PodDisruptionBudget, budget: PodDisruptionBudget): void {
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
    /** Finished or on their way out: where one is, a StatefulSet and a DaemonSet make no other. */
    const leaving = new Map<string, Pod[]>();
    for (const pod of api.list("Pod")) {
      const { ownerUid } = pod.metadata;
      if (ownerUid === null) continue;
      const book = isActive(pod) ? active : leaving;
      const known = book.get(ownerUid);
      if (known === undefined) book.set(ownerUid, [pod]);
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
      if (own.every(isReady) && !leaving.has(set.metadata.uid)) compare(set, set.spec.replicas);
    }
    const nodes = [...api.list("Node")];
    for (const set of api.list("DaemonSet")) {
      const left = leaving.get(set.metadata.uid)?.map(({ spec }) => spec.nodeName);
      const isOpen = (node: Node): boolean => {
        // What a node keeps that should get none may be there or not.
        const { name } = node.metadata;
        return placementOn(set, node) === "keeps" || left?.includes(name) === true;
      };
      const open = new Set(nodes.filter(isOpen).map(({ metadata }) => metadata.name));
      const wanted = nodes.filter(
        (node) => !open.has(node.metadata.name) && placementOn(set, node) === "runs",
      );
      compare(set, wanted.length, ({ spec }) => !open.has(spec.nodeName ?? ""));
    }
  }
}
