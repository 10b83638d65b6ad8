/**
 * What events.csv tells of legacy Endpoints objects.
 *
 * Owns: one event for each that is written, and one for each pod that has come into it or left it. Observes only.
 */
import type { SimTimeNs } from "../engine/index.ts";
import type { Observations } from "../observe/observations.ts";
import { objectKey, OVER_CAPACITY, type Endpoints } from "./api/types.ts";

export function endpointsEvents(
  observations: Observations,
  nowNs: SimTimeNs,
  previous: Endpoints | null,
  object: Endpoints | null,
): void {
  const about = (object ?? previous)!;
  const key = objectKey(about);
  const kind = object === null ? "endpoints_removed" : "endpoints_written";
  observations.event(nowNs, kind, `endpoints/${key}`, object === null ? "" : detailOf(object));
  const [before, now] = [podsOf(previous), podsOf(object)];
  const { namespace } = about.metadata;
  for (const pod of now) {
    if (before.has(pod)) continue;
    observations.event(nowNs, "pod_in_endpoints", `pod/${namespace}/${pod}`, key);
  }
  for (const pod of before) {
    if (now.has(pod)) continue;
    observations.event(nowNs, "pod_off_endpoints", `pod/${namespace}/${pod}`, key);
  }
}

/** Those that the object calls ready. */
function podsOf(object: Endpoints | null): Set<string> {
  const addresses = object?.subsets.flatMap((subset) => subset.addresses) ?? [];
  return new Set(addresses.flatMap(({ podName }) => (podName === undefined ? [] : [podName])));
}

/** "1000 addresses, 0 not ready, over capacity: truncated". */
function detailOf({ subsets, metadata }: Endpoints): string {
  const ready = subsets.reduce((sum, { addresses }) => sum + addresses.length, 0);
  const others = subsets.reduce((sum, each) => sum + each.notReadyAddresses.length, 0);
  const capacity = metadata.annotations[OVER_CAPACITY];
  const cut = capacity === undefined ? "" : `, over capacity: ${capacity}`;
  return `${ready} addresses, ${others} not ready${cut}`;
}
