/**
 * Law 14, dead endpoints: no endpoint of a pod that has gone, or has ended, outlives the controller's next sync.
 *
 * Owns: looking through the stored slices when a run ends. While a write, a watch event or a sync is under way the
 * controller may not know yet: then there is nothing to judge.
 */
import { MANAGED_BY_LABEL, objectKey, SLICE_CONTROLLER } from "../../../kubernetes/api/types.ts";
import type { BrokenLaw } from "../../../observe/report.ts";
import type { LawContext } from "./contract.ts";

export function* deadEndpoints({ cluster, nowNs }: LawContext): Generator<BrokenLaw> {
  if (!cluster.isQuiet) return;
  const living = new Set<string>();
  for (const { metadata, status } of cluster.api.list("Pod")) {
    if (status.phase !== "Succeeded" && status.phase !== "Failed") living.add(metadata.uid);
  }
  for (const slice of cluster.api.list("EndpointSlice")) {
    if (slice.metadata.labels[MANAGED_BY_LABEL] !== SLICE_CONTROLLER) continue;
    for (const { podUid, podName, address } of slice.endpoints) {
      if (living.has(podUid)) continue;
      yield {
        law: "14 dead endpoints",
        entity: `endpointslice/${objectKey(slice)}`,
        atNs: nowNs,
        detail: `still holds ${address} of pod ${podName}, which has gone or ended`,
      };
    }
  }
}
