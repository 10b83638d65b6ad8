/**
 * Pod garbage collection: pods whose node is no more, and terminating pods that never had one.
 *
 * Owns: when they are looked for, and removing them with no grace. A node counts as gone after a quarantine.
 * Source: pkg/controller/podgc/gc_controller.go; timings §3. Not modelled: the limit on finished pods
 * (12,500), the out-of-service taint.
 */
import { Phase, type SimTimeNs } from "../../engine/index.ts";
import type { Informer } from "../api/contract.ts";
import { objectKey, type Pod } from "../api/types.ts";
import type { Controller, ControllerContext } from "./contract.ts";

export class PodGCController implements Controller {
  readonly name = "pod-garbage-collector";
  readonly isIdle = true;
  #context!: ControllerContext;
  #nodes!: Informer<"Node">;
  #pods!: Informer<"Pod">;
  /** Names that pods speak of and no node has, and since when. */
  readonly #quarantine = new Map<string, SimTimeNs>();
  #isArmed = false;
  #startNs: SimTimeNs = 0;

  start(context: ControllerContext): void {
    this.#context = context;
    this.#startNs = context.sim.nowNs;
    this.#nodes = context.informers.on("Node", { deleted: () => this.#arm() });
    const look = (pod: Pod): void => {
      if (this.#isOrphan(pod) || isUnscheduledTerminating(pod)) this.#arm();
    };
    this.#pods = context.informers.on("Pod", {
      added: look,
      updated: (_previous, pod) => look(pod),
    });
    for (const pod of this.#pods.values()) look(pod);
  }

  #isOrphan({ spec }: Pod): boolean {
    return spec.nodeName !== null && this.#nodes.get(`/${spec.nodeName}`) === undefined;
  }

  /** Every gcCheckPeriod since the start; a round that would find nothing is left out. */
  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    const { sim, profile } = this.#context;
    const { checkPeriodNs } = profile.podGC;
    const rounds = Math.floor((sim.nowNs - this.#startNs) / checkPeriodNs) + 1;
    sim.callAt(this.#startNs + rounds * checkPeriodNs, Phase.start, () => {
      this.#isArmed = false;
      this.#collect();
    });
  }

  #collect(): void {
    const { sim, profile } = this.#context;
    const missing = new Set<string>();
    let left = 0;
    for (const pod of this.#pods.values()) {
      if (isUnscheduledTerminating(pod)) this.#remove(pod);
      if (!this.#isOrphan(pod)) continue;
      const nodeName = pod.spec.nodeName!;
      missing.add(nodeName);
      const sinceNs = this.#quarantine.get(nodeName) ?? sim.nowNs;
      this.#quarantine.set(nodeName, sinceNs);
      if (sim.nowNs - sinceNs >= profile.podGC.quarantineNs) this.#remove(pod);
      left++;
    }
    for (const name of this.#quarantine.keys()) {
      if (!missing.has(name)) this.#quarantine.delete(name);
    }
    if (left > 0) this.#arm();
  }

  /** markFailedAndDeletePod: an orphan's last state is Failed. */
  #remove(pod: Pod): void {
    const { client } = this.#context;
    const key = objectKey(pod);
    const { uid } = pod.metadata;
    const remove = (): void => client.delete("Pod", key, { gracePeriodNs: 0, uid });
    if (pod.status.phase === "Failed" || pod.status.phase === "Succeeded") {
      remove();
      return;
    }
    client.patch(
      "Pod",
      key,
      (stored) =>
        stored.metadata.uid === uid
          ? { ...stored, status: { ...stored.status, phase: "Failed" } }
          : null,
      remove,
    );
  }
}

function isUnscheduledTerminating({ metadata, spec }: Pod): boolean {
  return metadata.deletionTimestampNs !== null && spec.nodeName === null;
}
