/** The pods that a fault may strike: running, not already on their way out, in a fixed order. */
import type { Informer } from "../kubernetes/api/contract.ts";
import { matchesLabels, objectKey, type Labels, type Pod } from "../kubernetes/api/types.ts";

export interface PodTargets {
  readonly namespace: string;
  readonly selector: Labels;
}

export function runningPods(pods: Informer<"Pod">, { namespace, selector }: PodTargets): Pod[] {
  return [...pods.values()]
    .filter(
      ({ metadata, status }) =>
        metadata.namespace === namespace &&
        metadata.deletionTimestampNs === null &&
        status.phase === "Running" &&
        matchesLabels(selector, metadata.labels),
    )
    .sort((a, b) => (objectKey(a) < objectKey(b) ? -1 : 1));
}
