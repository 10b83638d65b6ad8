/**
 * The scheduling queue: pods that may be tried, those that back off, and those that wait for an event.
 *
 * Owns: the order of the pods (priority, then arrival), the back-off of each, and which event or time lets it be
 * tried again. Source: backend/queue/scheduling_queue.go; timings §4.
 */
import { Phase, type SimTimeNs, type Simulation } from "../../engine/index.ts";
import type { ClusterEvent } from "./contract.ts";
import { filters } from "./placement.ts";
import type { SchedulerProfile } from "./profile.ts";

interface Parked {
  readonly notBeforeNs: SimTimeNs;
  readonly rejectedBy: ReadonlySet<string>;
}

export class SchedulingQueue {
  readonly #sim: Simulation;
  readonly #profile: SchedulerProfile;
  readonly #ready: () => void;
  /** Keys by priority, each in order of arrival; priorities from the highest. */
  readonly #active = new Map<number, Set<string>>();
  #priorities: number[] = [];
  readonly #priorityOf = new Map<string, number>();
  readonly #attempts = new Map<string, number>();
  /** Pods that fitted nowhere when last tried. */
  readonly #parked = new Map<string, Parked>();

  /** @param ready told when there is a pod to try */
  constructor(sim: Simulation, profile: SchedulerProfile, ready: () => void) {
    this.#sim = sim;
    this.#profile = profile;
    this.#ready = ready;
  }

  add(key: string, priority: number): void {
    this.#parked.delete(key);
    this.#priorityOf.set(key, priority);
    this.#activate(key);
  }

  forget(key: string): void {
    this.#active.get(this.#priorityOf.get(key) ?? 0)?.delete(key);
    this.#priorityOf.delete(key);
    this.#attempts.delete(key);
    this.#parked.delete(key);
  }

  /** The next pod to try. */
  take(): string | null {
    for (const priority of this.#priorities) {
      const keys = this.#active.get(priority)!;
      const [key] = keys;
      if (key === undefined) continue;
      keys.delete(key);
      return key;
    }
    return null;
  }

  /** It waits for an event that helps, and for its back-off: then it is tried again. */
  park(key: string, rejectedBy: ReadonlySet<string>): void {
    const attempts = this.#attempts.get(key) ?? 0;
    this.#attempts.set(key, attempts + 1);
    const { backoffBaseNs, backoffMaxNs, unschedulableFlushNs } = this.#profile;
    const waitNs = Math.min(backoffMaxNs, backoffBaseNs * 2 ** Math.min(attempts, 10));
    const parked = { notBeforeNs: this.#sim.nowNs + waitNs, rejectedBy };
    this.#parked.set(key, parked);
    this.#sim.callAfter(unschedulableFlushNs, Phase.start, () => {
      if (this.#parked.get(key) === parked) this.#wake(key, parked);
    });
  }

  /** Queueing hints: those that a filter has turned away which the event may have changed. */
  happened(event: ClusterEvent): void {
    for (const [key, parked] of this.#parked) {
      const isHelped = filters.some(
        ({ name, helpedBy }) => parked.rejectedBy.has(name) && helpedBy.includes(event),
      );
      if (isHelped) this.#wake(key, parked);
    }
  }

  #wake(key: string, { notBeforeNs }: Parked): void {
    this.#parked.delete(key);
    this.#sim.callAt(Math.max(this.#sim.nowNs, notBeforeNs), Phase.start, () => {
      if (this.#priorityOf.has(key)) this.#activate(key);
    });
  }

  #activate(key: string): void {
    const priority = this.#priorityOf.get(key)!;
    let keys = this.#active.get(priority);
    if (keys === undefined) {
      this.#active.set(priority, (keys = new Set()));
      this.#priorities = [...this.#active.keys()].sort((a, b) => b - a);
    }
    keys.add(key);
    this.#ready();
  }
}
