/**
 * Running a simulation slice by slice, so that Ctrl-C and the progress bar get their turn.
 *
 * Owns: how long a slice is.
 */
import { ms, seconds, us, type SimTimeNs } from "../engine/index.ts";
import type { Run } from "./dependencies.ts";
import type { Io } from "./io.ts";
import type { Progress } from "./progress.ts";

/** Wall time of a slice: short enough for Ctrl-C to feel immediate, long enough to cost nothing. */
const sliceMs = { least: 10, most: 40 };
/**
 * Simulated time of a slice. At most a second: after a quiet hour the next one may hold a storm, and
 * what a slice will cost is known only when it is over. At least a microsecond, however much happens.
 */
const sliceNs = { first: ms(1), least: us(1), most: seconds(1) };

/** How the run is cut changes nothing in it: run(a) then run(b) is run(b). */
export async function runInSlices(
  run: Run,
  untilNs: SimTimeNs,
  io: Io,
  progress: Progress,
): Promise<void> {
  let lengthNs: number = sliceNs.first;
  for (;;) {
    const beforeMs = io.nowMs();
    run.runUntil(Math.min(untilNs, run.nowNs + lengthNs));
    const tookMs = io.nowMs() - beforeMs;
    if (tookMs < sliceMs.least) lengthNs = Math.min(sliceNs.most, lengthNs * 2);
    else if (tookMs > sliceMs.most) {
      lengthNs = Math.max(sliceNs.least, Math.floor(lengthNs / 2));
    }
    const { nowNs, sim } = run;
    progress.update({ nowNs, durationNs: untilNs, eventsProcessed: sim.eventsProcessed });
    await io.breathe();
    io.signal.throwIfAborted();
    if (nowNs >= untilNs) return;
  }
}
