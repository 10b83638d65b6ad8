/**
 * What has changed since the last sync: kube-proxy's change trackers.
 *
 * Owns: the set of Services to look at anew, and the trigger times by which upstream measures its network
 * programming latency. Refuses to own: when a sync runs (runner.ts). Source:
 * pkg/proxy/endpointschangetracker.go; rules of kube-proxy, section 12.
 */
import type { SimTimeNs } from "../../engine/index.ts";

export class ChangeTracker {
  readonly #startNs: SimTimeNs;
  readonly #services = new Set<string>();
  readonly #triggers = new Map<string, SimTimeNs[]>();

  /** @param startNs triggers from before it are not this proxy's to answer for */
  constructor(startNs: SimTimeNs) {
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

  /** With a slice its Service's notes go: what they told of may have been in it. */
  sliceDeleted(service: string): void {
    this.#services.add(service);
    this.#triggers.delete(service);
  }

  /** Hands over everything; what comes later is for the next sync. */
  take(): {
    readonly services: readonly string[];
    readonly triggers: ReadonlyMap<string, readonly SimTimeNs[]>;
  } {
    const services = [...this.#services];
    const triggers = new Map(this.#triggers);
    this.#services.clear();
    this.#triggers.clear();
    return { services, triggers };
  }
}
