/**
 * `--live`: a small dashboard on the terminal while a run goes on.
 *
 * Owns: its lines, drawn over themselves at most five times a second and wiped at the end. Refuses to own: figures (watch.ts), and
 * what is shown where there is no terminal (progress.ts).
 */
import type { ProgressState } from "../../library/slices.ts";
import { count, duration, printable, ratio } from "../../output/index.ts";
import type { ResolvedScenario } from "../../scenario/resolved.ts";
import { wantsColour, type Io, type RunIo } from "../io.ts";
import { progressLine, type ProgressView } from "../progress.ts";
import { sparkline } from "./sparkline.ts";
import { LiveWatch } from "./watch.ts";

const redrawMs = 200;
const silentMs = 250;
/** Of a terminal that is too small for it. */
const smallest = { columns: 40, rows: 11 };
const mostColumns = 120;
const labelCells = 15;
const valueCells = 11;
/** The largest so far, where there is room for it. */
const peakCells = { cells: 15, from: 64 };

const RED = "\u001B[31m";
const PLAIN = "\u001B[0m";

/** Whether stderr is a terminal that can be drawn on. */
export function canDraw({ stderr, env }: Pick<Io, "stderr" | "env">): boolean {
  if (stderr.isTTY !== true || env["TERM"] === "dumb") return false;
  return (stderr.columns ?? 80) >= smallest.columns && (stderr.rows ?? 24) >= smallest.rows;
}

export class LiveDashboard implements ProgressView {
  readonly #io: RunIo;
  readonly #scenario: Pick<ResolvedScenario, "name" | "durationNs" | "windowNs">;
  readonly #watch = new LiveWatch();
  readonly #startedMs: number;
  #drawnMs = -Infinity;
  #lines = 0;

  constructor(io: RunIo, scenario: Pick<ResolvedScenario, "name" | "durationNs" | "windowNs">) {
    this.#io = io;
    this.#scenario = scenario;
    this.#startedMs = io.nowMs();
  }

  get observers() {
    return [this.#watch];
  }

  update(state: ProgressState): void {
    const nowMs = this.#io.nowMs();
    if (nowMs - this.#drawnMs < redrawMs || nowMs - this.#startedMs < silentMs) return;
    this.#drawnMs = nowMs;
    const { stderr } = this.#io;
    const width = Math.min(mostColumns, (stderr.columns ?? 80) - 1);
    const colour = wantsColour(stderr, this.#io.env);
    const lines = dashboardLines(this.#watch, this.#scenario, state, {
      seconds: (nowMs - this.#startedMs) / 1000,
      width,
      colour,
    });
    stderr.write(`${this.#home()}${lines.map((line) => `${line}\u001B[K\n`).join("")}`);
    this.#lines = lines.length;
  }

  /** Wipes it: the summary says what came of it. */
  end(): void {
    if (this.#lines > 0) this.#io.stderr.write(`${this.#home()}\u001B[J`);
    this.#lines = 0;
  }

  #home(): string {
    return this.#lines === 0 ? "" : `\r\u001B[${this.#lines}A`;
  }
}

export interface DashboardLook {
  /** Of wall time, since the start. */
  readonly seconds: number;
  readonly width: number;
  readonly colour: boolean;
}

/** The dashboard as lines, none of them wider than the terminal. */
export function dashboardLines(
  watch: LiveWatch,
  scenario: Pick<ResolvedScenario, "name" | "durationNs" | "windowNs">,
  state: ProgressState,
  { seconds, width, colour }: DashboardLook,
): string[] {
  const { series } = watch;
  const windows = Math.ceil(scenario.durationNs / scenario.windowNs);
  const hasPeak = width >= peakCells.from;
  const cells = width - labelCells - valueCells - (hasPeak ? peakCells.cells : 0);
  const row = (
    label: string,
    values: readonly (number | null)[],
    text: (value: number) => string,
    alarm = false,
  ): string => {
    const last = values.findLast((value) => value !== null) ?? null;
    const bars = sparkline(values, windows, cells);
    const red = colour && alarm && values.some((value) => (value ?? 0) > 0);
    const drawn = red ? `${RED}${bars}${PLAIN}` : bars;
    const shown = (last === null ? "-" : text(last)).padStart(valueCells);
    const most = values.reduce<number>((all, value) => Math.max(all, value ?? 0), 0);
    const peak = hasPeak && last !== null ? `max ${text(most)}`.padStart(peakCells.cells) : "";
    return `${label.padEnd(labelCells)}${drawn}${shown}${peak}`;
  };
  const rate = (value: number): string => count(Math.round(value));
  return [
    `${cut(printable(scenario.name), width)}`,
    progressLine(state, seconds, width, watch.failed),
    "",
    row("requests/s", series.requestsPerS, rate),
    row("failed/s", series.failedPerS, rate, true),
    row("latency p99", series.p99Ns, duration),
    row("stale conn./s", series.stalePerS, rate, true),
    row("update lag", series.lagNs, duration),
    row("skew", series.skew, ratio),
    cut(causesText(watch), width),
  ];
}

function causesText({ ended, failed, causes }: LiveWatch): string {
  if (failed === 0) return `${count(ended)} requests ended, none failed`;
  const by = causes.map(([name, many]) => `${count(many)} ${name}`).join(", ");
  return `${count(ended)} requests ended, ${count(failed)} failed: ${by}`;
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
