/**
 * The progress bar: how far the simulated clock is, how fast, how many requests have failed, how long still.
 *
 * Owns: one line on a terminal, as wide as it is, drawn at most ten times a second and wiped at the end; where stderr is no terminal
 * nothing, or a line at each tenth of the run for those who asked to see it live.
 */
import type { Observer } from "../observe/index.ts";
import { count, duration } from "../output/index.ts";
import type { ProgressState } from "../library/slices.ts";
import type { RunIo } from "./io.ts";
import { FailureCount } from "./live/watch.ts";

const redrawMs = 100;
/** Shorter runs need no bar, and a rate measured over less is none. */
const silentMs = 250;
const barCells = { least: 8, most: 24 };

/** What is seen of a run on its way. */
export interface ProgressView {
  /** What it has to be told of the run. */
  readonly observers: readonly Observer[];
  update(state: ProgressState): void;
  /** Leaves the terminal as it was. */
  end(): void;
}

export class Progress implements ProgressView {
  readonly #io: RunIo;
  readonly #enabled: boolean;
  readonly #failures: FailureCount | null;
  readonly #startedMs: number;
  #drawnMs = -Infinity;

  /** @param failures counted in the run, which has to tell them to `observers`; null: not told */
  constructor(io: RunIo, quiet: boolean, failures: FailureCount | null = null) {
    this.#io = io;
    this.#failures = failures;
    this.#enabled = !quiet && io.stderr.isTTY === true;
    this.#startedMs = io.nowMs();
  }

  get observers(): readonly Observer[] {
    return this.#enabled && this.#failures !== null ? [this.#failures] : [];
  }

  update(state: ProgressState): void {
    if (!this.#enabled) return;
    const nowMs = this.#io.nowMs();
    if (nowMs - this.#drawnMs < redrawMs || nowMs - this.#startedMs < silentMs) return;
    this.#drawnMs = nowMs;
    // One column stays free: a full last column makes some terminals wrap.
    const width = (this.#io.stderr.columns ?? 80) - 1;
    const failed = this.#failures?.failed ?? null;
    const line = progressLine(state, (nowMs - this.#startedMs) / 1000, width, failed);
    this.#io.stderr.write(`\r${line}\u001B[K`);
  }

  /** Wipes the line. */
  end(): void {
    if (this.#enabled && this.#drawnMs > -Infinity) this.#io.stderr.write("\r\u001B[K");
  }
}

/** For pipes and logs: a line at each tenth. */
export class PlainProgress implements ProgressView {
  readonly #io: RunIo;
  readonly #startedMs: number;
  readonly #failures = new FailureCount();
  #tenth = 0;

  constructor(io: RunIo) {
    this.#io = io;
    this.#startedMs = io.nowMs();
  }

  get observers(): readonly Observer[] {
    return [this.#failures];
  }

  update(state: ProgressState): void {
    const tenth = Math.floor((10 * state.nowNs) / state.durationNs);
    if (tenth <= this.#tenth) return;
    this.#tenth = tenth;
    const seconds = (this.#io.nowMs() - this.#startedMs) / 1000;
    this.#io.stderr.write(`${progressText(state, seconds, this.#failures.failed)}\n`);
  }

  end(): void {}
}

/**
 * @param seconds of wall time since the start
 * @param width in columns: the bar becomes shorter first, then the least wanted figures go
 */
export function progressLine(
  state: ProgressState,
  seconds: number,
  width: number,
  failed: number | null = null,
): string {
  const share = shareOf(state);
  const { percent, simulated, speed, rate, failures, left } = progressParts(state, seconds, failed);
  const texts = [
    [percent, simulated, speed, rate, failures, left],
    [percent, simulated, speed, failures, left],
    [percent, simulated, failures, left],
    [percent, failures, left],
    [percent, left],
    [percent],
  ].map(joined);
  const text =
    texts.find(({ length }) => length + 2 + barCells.least <= width) ??
    texts.find(({ length }) => length <= width) ??
    "";
  const cells = Math.min(barCells.most, width - text.length - 2);
  if (cells < barCells.least) return text;
  const full = Math.floor(share * cells);
  return `${"█".repeat(full)}${"░".repeat(cells - full)}  ${text}`;
}

/** All of it, without a bar. */
function progressText(state: ProgressState, seconds: number, failed: number): string {
  const { percent, simulated, speed, failures, left } = progressParts(state, seconds, failed);
  return joined([percent, simulated, speed, failures, left]);
}

function joined(parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("  ");
}

function shareOf({ nowNs, durationNs }: ProgressState): number {
  return durationNs > 0 ? Math.min(1, nowNs / durationNs) : 1;
}

/** The first slices say nothing of what is to come: much is done there for the first time. */
const ETA_SHARE = 0.01;
const ETA_SECONDS = 5;

function progressParts(state: ProgressState, seconds: number, failed: number | null) {
  const share = shareOf(state);
  const isKnown = share > 0 && seconds > 0;
  const timesReal = state.nowNs / 1e9 / seconds;
  return {
    percent: `${Math.floor(share * 100)} %`.padStart(5),
    simulated: `${duration(state.nowNs)} of ${duration(state.durationNs)}`,
    speed: isKnown
      ? `${timesReal < 9.95 ? timesReal.toFixed(1) : count(Math.round(timesReal))}x`
      : "",
    rate: seconds > 0 ? `${count(Math.round(state.eventsProcessed / seconds))} events/s` : "",
    failures: failed === null ? "" : `${count(failed)} failed`,
    left:
      isKnown && (share >= ETA_SHARE || seconds >= ETA_SECONDS)
        ? `ETA ${eta((seconds * (1 - share)) / share)}`
        : "",
  };
}

function eta(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
