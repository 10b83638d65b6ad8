/**
 * The progress bar: how far the simulated clock is, how fast, how long still.
 *
 * Owns: one line on a terminal, as wide as it is, drawn at most ten times a second and wiped at the end.
 * Draws nothing where stderr is not a terminal.
 */
import { count, duration } from "../output/index.ts";
import type { ProgressState } from "../library/slices.ts";
import type { RunIo } from "./io.ts";

const redrawMs = 100;
/** Shorter runs need no bar, and a rate measured over less is none. */
const silentMs = 250;
const barCells = { least: 8, most: 24 };

export class Progress {
  readonly #io: RunIo;
  readonly #enabled: boolean;
  readonly #startedMs: number;
  #drawnMs = -Infinity;

  constructor(io: RunIo, quiet: boolean) {
    this.#io = io;
    this.#enabled = !quiet && io.stderr.isTTY === true;
    this.#startedMs = io.nowMs();
  }

  update(state: ProgressState): void {
    if (!this.#enabled) return;
    const nowMs = this.#io.nowMs();
    if (nowMs - this.#drawnMs < redrawMs || nowMs - this.#startedMs < silentMs) return;
    this.#drawnMs = nowMs;
    // One column stays free: a full last column makes some terminals wrap.
    const width = (this.#io.stderr.columns ?? 80) - 1;
    const line = progressLine(state, (nowMs - this.#startedMs) / 1000, width);
    this.#io.stderr.write(`\r${line}\u001B[K`);
  }

  /** Wipes the line. */
  end(): void {
    if (this.#enabled && this.#drawnMs > -Infinity) this.#io.stderr.write("\r\u001B[K");
  }
}

/**
 * @param seconds of wall time since the start
 * @param width in columns: the bar becomes shorter first, then the least wanted figures go
 */
export function progressLine(state: ProgressState, seconds: number, width: number): string {
  const share = state.durationNs > 0 ? Math.min(1, state.nowNs / state.durationNs) : 1;
  const percent = `${Math.floor(share * 100)} %`.padStart(5);
  const simulated = `${duration(state.nowNs)} of ${duration(state.durationNs)}`;
  const rate = seconds > 0 ? `${count(Math.round(state.eventsProcessed / seconds))} events/s` : "";
  const left = share > 0 && seconds > 0 ? `ETA ${eta((seconds * (1 - share)) / share)}` : "";
  const texts = [
    [percent, simulated, rate, left],
    [percent, simulated, left],
    [percent, left],
    [percent],
  ].map((parts) => parts.filter((part) => part !== "").join("  "));
  const text =
    texts.find(({ length }) => length + 2 + barCells.least <= width) ??
    texts.find(({ length }) => length <= width) ??
    "";
  const cells = Math.min(barCells.most, width - text.length - 2);
  if (cells < barCells.least) return text;
  const full = Math.floor(share * cells);
  return `${"█".repeat(full)}${"░".repeat(cells - full)}  ${text}`;
}

function eta(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
