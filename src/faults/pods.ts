/** The pods that a fault may strike: running, not already on their way out, in a fixed order. */
import type { Informer } from "../kubernetes/api/contract.ts";
import { matchesLabels, objectKey, type Labels, type Pod } from "../kubernetes/api/types.ts";

export interface PodTargets {
  readonly namespace: string;
  readonly selector: Labels;
}

export function runningPods(pods: Informer<"Pod">, { namespace, selector }: PodTargets): Pod[] {
  const found: Pod[] = [];
  for (const pod of pods.values()) {
    const { metadata, status } = pod;
    if (metadata.namespace !== namespace || metadata.deletionTimestampNs !== null) continue;
    if (status.phase === "Running" && matchesLabels(selector, metadata.labels)) found.push(pod);
  }
  return found.sort((a, b) => (objectKey(a) < objectKey(b) ? -1 : 1));
}
