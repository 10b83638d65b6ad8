/**
 * The taint-eviction controller: pods leave nodes whose NoExecute taints they do not bear.
 *
 * Owns: when each pod of a tainted node is to go, and deleting it then. A taint that is taken away in time
 * saves it. Source: pkg/controller/tainteviction; timings §5.
 */
import { Phase, type EventHandle } from "../../engine/index.ts";
import type { Informer } from "../api/contract.ts";
import { toleratedNs, tolerationsOf, type Taint } from "../api/taints.ts";
import { objectKey, type Node, type Pod } from "../api/types.ts";
import type { Controller, ControllerContext } from "./contract.ts";

export class TaintEvictionController implements Controller {
  readonly name = "taint-eviction-controller";
  /** A pod that has time left may still be saved. */
  readonly isIdle = true;
  #context!: ControllerContext;
  #pods!: Informer<"Pod">;
  readonly #taints = new Map<string, readonly Taint[]>();
  readonly #scheduled = new Map<string, EventHandle>();

  start(context: ControllerContext): void {
    this.#context = context;
    const nodes = context.informers.on("Node", {
      added: (node) => this.#nodeSeen(node),
      updated: (_previous, node) => this.#nodeSeen(node),
      deleted: ({ metadata }) => void this.#taints.delete(metadata.name),
    });
    this.#pods = context.informers.on("Pod", {
      added: (pod) => this.#judge(pod),
      updated: (previous, pod) => {
        if (previous.spec.nodeName !== pod.spec.nodeName) this.#judge(pod);
      },
      deleted: (pod) => this.#cancel(objectKey(pod)),
    });
    for (const node of nodes.values()) this.#nodeSeen(node);
  }

  #nodeSeen({ metadata, spec }: Node): void {
    const now = (spec.taints ?? []).filter(({ effect }) => effect === "NoExecute");
    const before = this.#taints.get(metadata.name) ?? [];
    if (JSON.stringify(now) === JSON.stringify(before)) return;
    if (now.length === 0) this.#taints.delete(metadata.name);
    else this.#taints.set(metadata.name, now);
    for (const pod of this.#pods.values()) {
      if (pod.spec.nodeName === metadata.name) this.#judge(pod);
    }
  }

  /** processPodOnNode. */
  #judge(pod: Pod): void {
    const key = objectKey(pod);
    const taints = this.#taints.get(pod.spec.nodeName ?? "") ?? [];
    const waitNs =
      taints.length === 0 ? null : toleratedNs(tolerationsOf(pod.spec.tolerations), taints);
    if (waitNs === null) {
      this.#cancel(key);
      return;
    }
    const { nowNs } = this.#context.sim;
    // Its time runs from when it was first scheduled to go, whatever taints come after.
    if (waitNs > 0 && this.#scheduled.has(key)) return;
    this.#cancel(key);
    const timer = this.#context.sim.callAt(nowNs + waitNs, Phase.start, () => {
      this.#scheduled.delete(key);
      const { client } = this.#context;
      // TaintManagerEviction: "Marking for deletion".
      client.recordEvent(pod.metadata.uid);
      client.delete("Pod", key, { uid: pod.metadata.uid });
    });
    this.#scheduled.set(key, timer);
  }

  #cancel(key: string): void {
    const timer = this.#scheduled.get(key);
    if (timer === undefined) return;
    this.#context.sim.cancel(timer);
    this.#scheduled.delete(key);
  }
}
