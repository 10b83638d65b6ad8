/**
 * Pods of a live cluster in place of those that a cluster at rest would have: their names, nodes and addresses.
 *
 * Owns: whose each live pod is. Refuses to own: how many pods an owner has, and what they are made of
 * (rested.ts): a live pod that its owner does not want any more is left out.
 */
import { matchesSelector, type Labels, type Pod, type Workload } from "../api/types.ts";

export interface LivePod {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  readonly nodeName: string;
  /** null: not known, or of no range of its node. */
  readonly address: string | null;
}

/** Tells ReplicaSets of one Deployment apart: a live one has another hash than a simulated one. */
const HASH_LABEL = "pod-template-hash";

export class LivePods {
  readonly #left: Set<LivePod>;

  constructor(pods: readonly LivePod[]) {
    this.#left = new Set(pods);
  }

  /** The owner's pods, as many of them live ones as there are. */
  placed(owner: Workload, pods: readonly Pod[]): readonly Pod[] {
    if (this.#left.size === 0 || pods.length === 0 || owner.kind === "Job") return pods;
    const own = [...this.#left].filter((live) => isOf(owner, live));
    return pods.map((pod) => {
      const index = own.findIndex((live) => fits(owner, pod, live));
      const [live] = index < 0 ? [] : own.splice(index, 1);
      if (live === undefined) return pod;
      this.#left.delete(live);
      return {
        ...pod,
        metadata: { ...pod.metadata, name: live.name },
        spec: { ...pod.spec, nodeName: live.nodeName },
        status: { ...pod.status, podIPs: live.address === null ? [] : [live.address] },
      };
    });
  }
}

function isOf({ metadata, spec }: Workload, live: LivePod): boolean {
  if (metadata.namespace !== live.namespace || !("selector" in spec)) return false;
  const { [HASH_LABEL]: _, ...matchLabels } = spec.selector.matchLabels;
  return matchesSelector({ ...spec.selector, matchLabels }, live.labels);
}

/** A StatefulSet's pods have their names, a DaemonSet's their nodes. */
function fits({ kind }: Workload, pod: Pod, live: LivePod): boolean {
  if (kind === "StatefulSet") return pod.metadata.name === live.name;
  if (kind === "DaemonSet") return pod.spec.nodeName === live.nodeName;
  return true;
}
