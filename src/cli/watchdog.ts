/**
 * `--timeout`: ends what takes too long by the clock on the wall.
 *
 * Owns: noticing it, also where this thread never comes to look: in an endless loop of a scenario's own
 * code, which only a signal breaks. Refuses to own: what is then tidied up (whoever hears the abort).
 */
import { Worker } from "node:worker_threads";
import { TimedOut } from "./io.ts";

/** Between the time-out and the signal: the thread itself is to notice first, where it can. */
const SIGNAL_AFTER_MS = 250;

const signalling = `
  const { workerData } = require("node:worker_threads");
  setTimeout(() => process.kill(process.pid, "SIGINT"), workerData);
`;

export class Watchdog {
  readonly #abort: (reason: TimedOut) => void;
  #limitMs = Infinity;
  #endsMs = Infinity;
  #timer: NodeJS.Timeout | undefined;
  #thread: Worker | undefined;

  constructor(abort: (reason: TimedOut) => void) {
    this.#abort = abort;
  }

  start(limitMs: number): void {
    this.#limitMs = limitMs;
    this.#endsMs = performance.now() + limitMs;
    this.#thread = new Worker(signalling, { eval: true, workerData: limitMs + SIGNAL_AFTER_MS });
    this.#thread.unref();
    this.#timer = setTimeout(() => {
      void this.#thread?.terminate();
      this.#abort(this.reason());
    }, limitMs);
    this.#timer.unref();
  }

  isOver(): boolean {
    return performance.now() >= this.#endsMs;
  }

  reason(): TimedOut {
    return new TimedOut(`not done after ${this.#limitMs / 1000} s (--timeout)`);
  }

  stop(): void {
    clearTimeout(this.#timer);
    void this.#thread?.terminate();
  }
}
