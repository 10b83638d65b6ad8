/**
 * A probe worker: one container's readiness or liveness probe.
 *
 * Owns: when it probes and how many equal results in a row it takes to change its verdict. The ticker
 * runs from the pod's start, not the container's; a poke probes at once and moves the ticker's phase.
 * Source: pkg/kubelet/prober/worker.go; timings §1.1.
 */
import { Phase, type EventHandle, type Simulation } from "../../engine/index.ts";
import type { Probe } from "../api/types.ts";

export interface ProbeWorkerOptions {
  readonly probe: Probe;
  /** Verdict before the first probe: readiness false, liveness true. */
  readonly initial: boolean;
  /** Sends one probe. */
  readonly send: (done: (success: boolean) => void) => void;
  /** When the container last started, or null while it does not run. */
  readonly runningSinceNs: () => number | null;
  /** The verdict has changed. */
  readonly changed: (verdict: boolean) => void;
}

export class ProbeWorker {
  readonly #sim: Simulation;
  readonly #options: ProbeWorkerOptions;
  #tick: EventHandle = 0;
  #verdict: boolean;
  #lastResult: boolean | null = null;
  #inARow = 0;
  #probing = false;
  #stopped = false;

  /** @param firstTickNs time until the first tick; 0 as for a new pod, anything for one at rest */
  constructor(sim: Simulation, options: ProbeWorkerOptions, firstTickNs: number) {
    this.#sim = sim;
    this.#options = options;
    this.#verdict = options.initial;
    this.#schedule(firstTickNs);
  }

  get verdict(): boolean {
    return this.#verdict;
  }

  /** Takes a verdict for granted: a pod that has been ready for days. */
  assume(verdict: boolean): void {
    this.#verdict = verdict;
    this.#lastResult = verdict;
  }

  /** The container has stopped: its next run starts from the initial verdict. */
  reset(): void {
    this.#verdict = this.#options.initial;
    this.#lastResult = null;
    this.#inARow = 0;
  }

  /** Probes now; the ticker counts from here. */
  poke(): void {
    if (this.#stopped) return;
    this.#sim.cancel(this.#tick);
    this.#onTick();
  }

  stop(): void {
    this.#stopped = true;
    this.#sim.cancel(this.#tick);
  }

  #schedule(delayNs: number): void {
    this.#tick = this.#sim.callAfter(delayNs, Phase.start, () => this.#onTick());
  }

  #onTick(): void {
    const { probe, runningSinceNs, send } = this.#options;
    this.#schedule(probe.periodNs);
    const sinceNs = runningSinceNs();
    if (sinceNs === null || this.#probing) return;
    if (this.#sim.nowNs - sinceNs < probe.initialDelayNs) return;
    this.#probing = true;
    send((success) => {
      this.#probing = false;
      // A result for a run of the container that has ended says nothing about the next one.
      if (!this.#stopped && runningSinceNs() === sinceNs) this.#result(success);
    });
  }

  #result(success: boolean): void {
    this.#inARow = success === this.#lastResult ? this.#inARow + 1 : 1;
    this.#lastResult = success;
    const { successThreshold, failureThreshold } = this.#options.probe;
    if (this.#inARow < (success ? successThreshold : failureThreshold)) return;
    if (this.#verdict === success) return;
    this.#verdict = success;
    this.#options.changed(success);
  }
}
