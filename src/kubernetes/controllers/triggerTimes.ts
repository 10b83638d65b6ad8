/**
 * The trigger time of a Service's slices: since when that is true which their next write tells of.
 *
 * Owns: what of a Service and its pods has changed since its last sync, and the least of those times, in
 * whole seconds, as the API's own time stamps are. A deleted pod leaves its Ready condition as it was, so its
 * removal has no trigger time. Source: k8s.io/endpointslice trigger_time_tracker.go; timings §2.
 */
import { seconds, type SimTimeNs } from "../../engine/index.ts";
import { LAST_CHANGE_TRIGGER_TIME, type EndpointSlice, type Pod } from "../api/types.ts";

const RESOLUTION_NS = seconds(1);

interface ServiceState {
  readonly serviceNs: SimTimeNs;
  readonly podsNs: ReadonlyMap<string, SimTimeNs>;
}

export class TriggerTimeTracker {
  readonly #states = new Map<string, ServiceState>();
  /** What has been so since then was synced by a controller that had run before; null: none had. */
  readonly #syncedNs: SimTimeNs | null;

  constructor(syncedNs: SimTimeNs | null) {
    this.#syncedNs = syncedNs;
  }

  /**
   * Notes the Service's present state as synced.
   * @returns the least trigger time that is new; null when there is none
   */
  update(key: string, createdNs: SimTimeNs, pods: readonly Pod[]): SimTimeNs | null {
    const serviceNs = truncate(createdNs);
    const podsNs = new Map<string, SimTimeNs>();
    for (const { metadata, status } of pods) {
      // Until the kubelet has spoken there is no Ready condition.
      const { lastTransitionTimeNs } = status.ready;
      if (lastTransitionTimeNs > 0) podsNs.set(metadata.name, truncate(lastTransitionTimeNs));
    }
    const known = this.#states.get(key);
    this.#states.set(key, { serviceNs, podsNs });
    const restedNs = this.#syncedNs;
    if (known === undefined && (restedNs === null || createdNs > restedNs)) return serviceNs;
    // Before the first sync of a run that began at rest, all that was there had been seen.
    const before = (name: string): SimTimeNs =>
      known === undefined ? restedNs! : (known.podsNs.get(name) ?? -1);
    let leastNs: SimTimeNs | null = null;
    for (const [name, atNs] of podsNs) {
      if (atNs > before(name) && (leastNs === null || atNs < leastNs)) leastNs = atNs;
    }
    return leastNs;
  }

  forget(key: string): void {
    this.#states.delete(key);
  }
}

/** The slice as it is written: with the trigger time, or with none (addTriggerTimeAnnotation). */
export function withTriggerTime(slice: EndpointSlice, triggerNs: SimTimeNs | null): EndpointSlice {
  const { [LAST_CHANGE_TRIGGER_TIME]: _old, ...others } = slice.metadata.annotations;
  const annotations =
    triggerNs === null ? others : { ...others, [LAST_CHANGE_TRIGGER_TIME]: String(triggerNs) };
  return { ...slice, metadata: { ...slice.metadata, annotations } };
}

function truncate(atNs: SimTimeNs): SimTimeNs {
  return Math.floor(atNs / RESOLUTION_NS) * RESOLUTION_NS;
}
