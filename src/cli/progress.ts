/**
 * The progress bar: how far the simulated clock is, how fast, how long still.
 *
 * Owns: one line on a terminal, drawn at most ten times a second and wiped at the end. Draws nothing
 * where stderr is not a terminal.
 */
import { count, duration } from "../output/index.ts";
import type { Io } from "./io.ts";

const redrawMs = 100;
const barCells = 24;

export interface ProgressState {
  readonly nowNs: number;
  readonly durationNs: number;
  readonly eventsProcessed: number;
}

export class Progress {
  readonly #io: Io;
  readonly #enabled: boolean;
  readonly #startedMs: number;
  #drawnMs = -Infinity;

  constructor(io: Io, quiet: boolean) {
    this.#io = io;
    this.#enabled = !quiet && io.stderr.isTTY === true;
    this.#startedMs = io.nowMs();
  }

  update(state: ProgressState): void {
    if (!this.#enabled) return;
    const nowMs = this.#io.nowMs();
    if (nowMs - this.#drawnMs < redrawMs) return;
    this.#drawnMs = nowMs;
    const width = Math.max(20, this.#io.stderr.columns ?? 80);
    const line = progressLine(state, (nowMs - this.#startedMs) / 1000);
    // One column stays free: a full last column makes some terminals wrap.
    this.#io.stderr.write(`\r${line.slice(0, width - 1)}\u001B[K`);
  }

  /** Wipes the line. */
  end(): void {
    if (this.#enabled && this.#drawnMs > -Infinity) this.#io.stderr.write("\r\u001B[K");
  }
}

/** @param seconds of wall time since the start */
export function progressLine(state: ProgressState, seconds: number): string {
  const share = state.durationNs > 0 ? Math.min(1, state.nowNs / state.durationNs) : 1;
  const full = Math.floor(share * barCells);
  const bar = "█".repeat(full) + "░".repeat(barCells - full);
  const percent = `${Math.floor(share * 100)} %`.padStart(5);
  const simulated = `${duration(state.nowNs)} of ${duration(state.durationNs)}`;
  const rate = seconds > 0 ? `${count(Math.round(state.eventsProcessed / seconds))} events/s` : "";
  const left = share > 0 && seconds > 0 ? `ETA ${eta((seconds * (1 - share)) / share)}` : "";
  return [bar, percent, simulated, rate, left].filter((part) => part !== "").join("  ");
}

function eta(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
