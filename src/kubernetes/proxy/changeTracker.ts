/**
 * What has changed since the last sync: kube-proxy's change trackers.
 *
 * Owns: the set of Services to look at anew, the trigger times by which upstream measures its network
 * programming latency, and since when each changed endpoint has been known here. Refuses to own: when a sync runs (runner.ts). Source:
 * pkg/proxy/endpointschangetracker.go; rules of kube-proxy, section 12.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import type { EndpointSlice } from "../api/types.ts";
import { changedPods } from "./sliceVersions.ts";

/** When a change of an endpoint came to the process, and when the process took note of it. */
export interface Arrival {
  readonly deliveredNs: SimTimeNs;
  readonly trackedNs: SimTimeNs;
}

/** By Service and uid of the pod: the arrival of its last change. For observations only. */
export type Arrivals = ReadonlyMap<string, ReadonlyMap<string, Arrival>>;

export class ChangeTracker {
  #startNs: SimTimeNs;
  readonly #services = new Set<string>();
  #triggers = new Map<string, SimTimeNs[]>();
  #arrivals = new Map<string, Map<string, Arrival>>();

  /** @param startNs triggers from before it are not this proxy's to answer for */
  constructor(startNs: SimTimeNs) {
    this.#startNs = startNs;
  }

  /** A new process: it knows nothing of what the last one had noted, and answers for no trigger from before. */
  restart(startNs: SimTimeNs): void {
    this.take();
    this.#startNs = startNs;
  }

  get isEmpty(): boolean {
    return this.#services.size === 0;
  }

  /** A Service changed, or its rules must be looked at again. */
  changed(service: string): void {
    this.#services.add(service);
  }

  /** @param triggerNs the slice's last-change-trigger-time; null if it has none */
  sliceChanged(service: string, triggerNs: SimTimeNs | null): void {
    this.#services.add(service);
    if (triggerNs === null || triggerNs <= this.#startNs) return;
    const triggers = this.#triggers.get(service);
    if (triggers === undefined) this.#triggers.set(service, [triggerNs]);
    else triggers.push(triggerNs);
  }

  /** A slice has come in the place of another; null for none. */
  endpointsArrived(
    previous: EndpointSlice | null,
    slice: EndpointSlice | null,
    arrival: Arrival,
  ): void {
    const { service } = (slice ?? previous)!;
    let times = this.#arrivals.get(service);
    if (times === undefined) this.#arrivals.set(service, (times = new Map()));
    for (const podUid of changedPods(previous, slice)) times.set(podUid, arrival);
  }

  /** The sync that took these has failed: they still wait, unless something newer has come. */
  putBack(arrivals: Arrivals): void {
    for (const [service, times] of arrivals) {
      const newer = this.#arrivals.get(service) ?? [];
      this.#arrivals.set(service, new Map([...times, ...newer]));
    }
  }

  /** With a slice its Service's notes go: what they told of may have been in it. */
  sliceDeleted(service: string): void {
    this.#services.add(service);
    this.#triggers.delete(service);
  }

  /** Hands over everything; what comes later is for the next sync. */
  take(): {
    readonly services: readonly string[];
    readonly triggers: ReadonlyMap<string, readonly SimTimeNs[]>;
    readonly arrivals: Arrivals;
  } {
    const services = [...this.#services];
    const triggers = this.#triggers;
    const arrivals = this.#arrivals;
    this.#services.clear();
    this.#triggers = new Map();
    this.#arrivals = new Map();
    return { services, triggers, arrivals };
  }
}
