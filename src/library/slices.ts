/**
 * Running a simulation slice by slice, so that what waits outside of it gets its turn.
 *
 * Owns: how long a slice is. Refuses to own: what happens between two slices (a progress bar, Ctrl-C).
 */
import { ms, seconds, us, type SimTimeNs } from "../engine/index.ts";
import type { RunEnd } from "../observe/report.ts";
import type { StopSignal } from "./options.ts";

/** A compiled scenario that can be run piece by piece. */
export interface RunInPieces {
  readonly sim: { readonly eventsProcessed: number };
  readonly nowNs: SimTimeNs;
  readonly durationNs: SimTimeNs;
  /** Runs every event up to and including `timeNs`, or the first `mostEvents` of them: then false. */
  runUntil(timeNs: SimTimeNs, mostEvents?: number): boolean;
  /** Closes the last window and checks the laws. */
  finish(): RunEnd;
}

/** The outside, as far as a run needs it. */
export interface Outside {
  readonly signal: StopSignal;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  /** Lets what waits outside the simulation happen. */
  readonly breathe: () => Promise<void>;
}

export interface ProgressState {
  readonly nowNs: number;
  readonly durationNs: number;
  readonly eventsProcessed: number;
}

/** Wall time of a slice: short enough for Ctrl-C to feel immediate, long enough to cost nothing. */
const sliceMs = { least: 10, most: 40 };
/**
 * Simulated time of a slice. At most a second: the clock of a quiet hour is seen to go on. At least a
 * microsecond, however much happens.
 */
const sliceNs = { first: ms(1), least: us(1), most: seconds(1) };

/**
 * Events between two looks at the clock: however short a slice is, it may hold millions of events, and
 * where all ports of a client are taken each costs a millisecond.
 */
const EVENTS_BETWEEN_LOOKS = 64;

/**
 * How the run is cut changes nothing in it: run(a) then run(b) is run(b).
 * @throws the signal's reason when it was aborted
 */
export async function runInSlices(
  run: RunInPieces,
  untilNs: SimTimeNs,
  outside: Outside,
  progress: (state: ProgressState) => void,
): Promise<void> {
  let lengthNs: number = sliceNs.first;
  for (;;) {
    const beforeMs = outside.nowMs();
    const endNs = Math.min(untilNs, run.nowNs + lengthNs);
    let whole = false;
    let tookMs = 0;
    while (!whole && tookMs <= sliceMs.most) {
      whole = run.runUntil(endNs, EVENTS_BETWEEN_LOOKS);
      tookMs = outside.nowMs() - beforeMs;
    }
    if (tookMs < sliceMs.least) lengthNs = Math.min(sliceNs.most, lengthNs * 2);
    else if (tookMs > sliceMs.most) {
      lengthNs = Math.max(sliceNs.least, Math.floor(lengthNs / 2));
    }
    const { nowNs, sim } = run;
    progress({ nowNs, durationNs: untilNs, eventsProcessed: sim.eventsProcessed });
    await outside.breathe();
    outside.signal.throwIfAborted();
    if (whole && nowNs >= untilNs) return;
  }
}
