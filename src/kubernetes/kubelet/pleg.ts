/**
 * The pod lifecycle event generator of one node: when the kubelet sees what its containers did.
 *
 * Owns: relists, a period after the end of the one before, which take time by what is to be listed; or
 * the runtime's own events (Evented PLEG). A relist that would find nothing is only counted, not run:
 * nothing comes of it. Refuses to own: what a pod makes of the news (podWorker.ts).
 * Source: pkg/kubelet/pleg/generic.go, evented.go; timings §1.2.
 */
import { Phase, type SimTimeNs, type Simulation } from "../../engine/index.ts";
import type { NodeClock } from "./nodeClock.ts";
import type { KubeletProfile } from "./profile.ts";

/** A pod as the PLEG looks at it. */
export interface Listed {
  /** Takes over what the runtime says now. @returns whether that is news */
  look(): boolean;
  /** The kubelet hears the news. */
  news(): void;
}

interface Waiter {
  readonly sinceNs: SimTimeNs;
  readonly fn: () => void;
}

export class Pleg {
  readonly #sim: Simulation;
  readonly #clock: NodeClock;
  readonly #profile: KubeletProfile;
  /** When the last relist that is over began and ended. */
  #beganNs: SimTimeNs;
  #endedNs: SimTimeNs;
  #containers = 0;
  #armed = false;
  /** Pods with something that no relist has seen. */
  readonly #unseen = new Set<Listed>();
  #waiters: Waiter[] = [];

  /** @param phaseNs from now until the first relist begins */
  constructor(sim: Simulation, clock: NodeClock, profile: KubeletProfile, phaseNs: number) {
    this.#sim = sim;
    this.#clock = clock;
    this.#profile = profile;
    this.#endedNs = sim.nowNs + phaseNs - this.#periodNs;
    this.#beganNs = this.#endedNs;
  }

  /** The runtime has made or removed containers: a relist lists as many more. */
  count(change: number): void {
    this.#catchUp();
    this.#containers += change;
  }

  /** A container of the pod has started, or ended. */
  changed(pod: Listed): void {
    this.#unseen.add(pod);
    if (this.#profile.pleg === "evented") {
      this.#clock.after(this.#profile.plegEventNs, Phase.start, () => this.#event(pod));
    } else this.#arm();
  }

  forget(pod: Listed): void {
    this.#unseen.delete(pod);
  }

  /** Calls back as soon as the cache is newer than `sinceNs`: podCache.GetNewerThan. */
  newerThan(sinceNs: SimTimeNs, fn: () => void): void {
    this.#catchUp();
    if (this.#beganNs > sinceNs) {
      fn();
      return;
    }
    this.#waiters.push({ sinceNs, fn });
    this.#arm();
  }

  get #periodNs(): number {
    const { pleg, plegRelistNs, plegCacheNs } = this.#profile;
    return pleg === "evented" ? plegCacheNs : plegRelistNs;
  }

  get #listNs(): number {
    const { plegListNs, plegListPerContainerNs } = this.#profile;
    return plegListNs + this.#containers * plegListPerContainerNs;
  }

  /** Counts the relists that found nothing since the last one that is known. */
  #catchUp(): void {
    if (this.#armed) return;
    const stepNs = this.#periodNs + this.#listNs;
    const missed = Math.floor((this.#sim.nowNs - this.#endedNs) / stepNs);
    if (missed <= 0) return;
    this.#endedNs += missed * stepNs;
    this.#beganNs = this.#endedNs - this.#listNs;
  }

  #arm(): void {
    if (this.#armed) return;
    this.#catchUp();
    this.#armed = true;
    const beginNs = this.#endedNs + this.#periodNs;
    // One that has begun without any news would have seen nothing of what is new now.
    const delayNs = beginNs - this.#sim.nowNs;
    if (delayNs >= 0) this.#clock.after(delayNs, Phase.start, () => this.#relist());
    else {
      const overNs = beginNs + this.#listNs - this.#sim.nowNs;
      this.#clock.after(overNs, Phase.start, () => this.#end(beginNs));
    }
  }

  /** Sees what is there now; each pod with news is inspected, one after the other. */
  #relist(): void {
    const beganNs = this.#sim.nowNs;
    const changed = [...this.#unseen].filter((pod) => pod.look());
    this.#unseen.clear();
    let atNs = this.#listNs;
    for (const pod of changed) {
      atNs += this.#profile.plegInspectNs;
      this.#clock.after(atNs, Phase.start, () => pod.news());
    }
    this.#clock.after(atNs, Phase.start, () => this.#end(beganNs));
  }

  #end(beganNs: SimTimeNs): void {
    this.#armed = false;
    this.#beganNs = beganNs;
    this.#endedNs = this.#sim.nowNs;
    const waiters = this.#waiters;
    this.#waiters = waiters.filter(({ sinceNs }) => sinceNs >= beganNs);
    for (const { sinceNs, fn } of waiters) if (sinceNs < beganNs) fn();
    const evented = this.#profile.pleg === "evented";
    if (this.#waiters.length > 0 || (this.#unseen.size > 0 && !evented)) this.#arm();
  }

  /** The runtime's own event: the pod is inspected at once, and its cache is new. */
  #event(pod: Listed): void {
    if (!this.#unseen.delete(pod)) return;
    if (pod.look()) pod.news();
  }
}
