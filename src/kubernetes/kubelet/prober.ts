/**
 * A probe worker: one container's startup, readiness or liveness probe.
 *
 * Owns: when it probes and how many equal results in a row it takes to change its verdict. The ticker
 * runs from the pod's start, not the container's; a poke probes at once and moves the ticker's phase; of
 * the ticks and pokes that come while a probe is out one is remembered, as in Go's channels.
 * Source: pkg/kubelet/prober/worker.go; timings §1.1.
 */
import { Phase, type EventHandle } from "../../engine/index.ts";
import type { Probe } from "../api/types.ts";

/** What a worker needs of a clock. */
export interface ProbeClock {
  readonly nowNs: number;
  callAfter(delayNs: number, phase: Phase, fn: () => void): EventHandle;
  cancel(handle: EventHandle): unknown;
}

export interface ProbeWorkerOptions {
  readonly probe: Probe;
  /** Verdict before the first probe: readiness false, liveness true, startup none. */
  readonly initial: boolean | null;
  /** Sends one probe. */
  readonly send: (done: (success: boolean) => void) => void;
  /** When the container last started, or null while it does not run. */
  readonly runningSinceNs: () => number | null;
  /** It has nothing to ask now: readiness and liveness before the start-up, startup after it. */
  readonly idle?: (() => boolean) | undefined;
  /** After a failure it waits for another run of the container: liveness and startup. */
  readonly holdsAfterFailure?: boolean;
  /** The verdict has changed. */
  readonly changed: (verdict: boolean) => void;
}

export class ProbeWorker {
  readonly #clock: ProbeClock;
  readonly #options: ProbeWorkerOptions;
  #tick: EventHandle = 0;
  #verdict: boolean | null;
  #lastResult: boolean | null = null;
  #inARow = 0;
  #probing = false;
  /** A tick, or a poke, that came while a probe was out. */
  #due: "tick" | "poke" | null = null;
  #onHold = false;
  #stopped = false;

  /** @param firstTickNs time until the first tick; 0 as for a new pod, anything for one at rest */
  constructor(clock: ProbeClock, options: ProbeWorkerOptions, firstTickNs: number) {
    this.#clock = clock;
    this.#options = options;
    this.#verdict = options.initial;
    this.#schedule(firstTickNs);
  }

  get verdict(): boolean | null {
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
    this.#onHold = false;
  }

  /** Probes now; the ticker counts from here. */
  poke(): void {
    if (this.#stopped) return;
    if (this.#probing) {
      this.#due = "poke";
      return;
    }
    this.#clock.cancel(this.#tick);
    this.#onTick();
  }

  stop(): void {
    this.#stopped = true;
    this.#clock.cancel(this.#tick);
  }

  #schedule(delayNs: number): void {
    this.#tick = this.#clock.callAfter(delayNs, Phase.start, () => this.#onTick());
  }

  #onTick(): void {
    this.#schedule(this.#options.probe.periodNs);
    if (this.#probing) this.#due ??= "tick";
    else this.#probe();
  }

  #probe(): void {
    const { probe, runningSinceNs, send, idle } = this.#options;
    const sinceNs = runningSinceNs();
    if (sinceNs === null || this.#onHold || idle?.() === true) return;
    if (this.#clock.nowNs - sinceNs < probe.initialDelayNs) return;
    this.#probing = true;
    send((success) => {
      this.#probing = false;
      if (this.#stopped) return;
      // A result for a run of the container that has ended says nothing about the next one.
      if (runningSinceNs() === sinceNs) this.#result(success);
      const due = this.#due;
      this.#due = null;
      if (due === "poke") this.poke();
      else if (due === "tick") this.#probe();
    });
  }

  #result(success: boolean): void {
    this.#inARow = success === this.#lastResult ? this.#inARow + 1 : 1;
    this.#lastResult = success;
    const { successThreshold, failureThreshold } = this.#options.probe;
    if (this.#inARow < (success ? successThreshold : failureThreshold)) return;
    if (!success && this.#options.holdsAfterFailure === true) this.#onHold = true;
    if (this.#verdict === success) return;
    this.#verdict = success;
    this.#options.changed(success);
  }
}
