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

/** As of the last sync. */
interface ServiceState {
  pods: readonly Pod[];
  /** By name, of the pods that have a Ready condition. */
  readonly podsNs: Map<string, SimTimeNs>;
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
    const known = this.#states.get(key);
    const state = known ?? { pods: [], podsNs: new Map<string, SimTimeNs>() };
    this.#states.set(key, state);
    const restedNs = this.#syncedNs;
    // Before the first sync of a run that began at rest, all that was there had been seen.
    const unseenNs = known === undefined ? (restedNs ?? -1) : -1;
    const leastNs = note(state, pods, unseenNs);
    const isNew = known === undefined && (restedNs === null || createdNs > restedNs);
    return isNew ? truncate(createdNs) : leastNs;
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

/**
 * Takes the pods as they are now. Few of many have changed since the last sync, and their order is that in which they
 * came: what is the same pod in both lists costs a comparison.
 * @param unseenNs what counts as the last time of a pod that was not there
 * @returns the least time that is later than the pod's last; null when there is none
 */
function note(state: ServiceState, pods: readonly Pod[], unseenNs: SimTimeNs): SimTimeNs | null {
  const { pods: old, podsNs } = state;
  const gone: Pod[] = [];
  const came: Pod[] = [];
  let at = 0;
  for (const pod of pods) {
    while (at < old.length && old[at]!.metadata.name !== pod.metadata.name) gone.push(old[at++]!);
    if (at === old.length || old[at] !== pod) came.push(pod);
    if (at < old.length) at++;
  }
  gone.push(...old.slice(at));
  state.pods = pods;
  let leastNs: SimTimeNs | null = null;
  for (const pod of came) {
    const atNs = readyNs(pod);
    if (atNs === null || atNs <= (podsNs.get(pod.metadata.name) ?? unseenNs)) continue;
    if (leastNs === null || atNs < leastNs) leastNs = atNs;
  }
  for (const { metadata } of gone) podsNs.delete(metadata.name);
  for (const pod of came) {
    const atNs = readyNs(pod);
    if (atNs === null) podsNs.delete(pod.metadata.name);
    else podsNs.set(pod.metadata.name, atNs);
  }
  return leastNs;
}

/** null: until the kubelet has spoken there is no Ready condition. */
function readyNs({ status }: Pod): SimTimeNs | null {
  const { lastTransitionTimeNs } = status.ready;
  return lastTransitionTimeNs > 0 ? truncate(lastTransitionTimeNs) : null;
}
