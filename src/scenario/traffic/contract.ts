/**
 * Traffic that somebody measured, or wrote down for another tool: what each format in this folder comes to.
 *
 * Owns: the shape, and the numbers' texts. Refuses to own: any format (index.ts lists them), and whom the traffic
 * goes to.
 */
import type { FileMistakes } from "../mistakes.ts";
import type { DurationNs } from "../../engine/index.ts";

/** What makes requests: words of the scenario language (../import/text.ts), or data. */
export interface TrafficLoad {
  /** As its source calls it; null where there is one only. */
  readonly name: string | null;
  readonly load: unknown;
  readonly startNs: DurationNs;
  /** null: to the end. */
  readonly stopNs: DurationNs | null;
}

export interface Traffic {
  /** "k6 options" and the like. */
  readonly format: string;
  readonly loads: readonly TrafficLoad[];
  /** How long it lasts. */
  readonly durationNs: DurationNs;
  readonly thresholds: readonly string[];
  /** Of the server behind, where the source knows it. */
  readonly serviceTime?: unknown;
  /** Bytes of an answer, on average. */
  readonly responseBytes?: number;
  /** What was read, what was fitted and how well, what was assumed and what was left out. */
  readonly report: readonly string[];
}

/** Mistakes of the file, or of one of its lines. */
export type PlacedMistakes = (line?: number) => FileMistakes;

export interface TrafficFormat {
  /** null: the text is of another format. */
  readonly read: (text: string, mistakes: PlacedMistakes) => Traffic | null;
}

/** A duration as the language's types have it: one number and one unit. */
export function durationText(durationNs: number): string {
  return `${decimals(durationNs / 1e9, 3)}s`;
}

/** Short ones with three digits: "3.27ms". */
export function fineDuration(durationNs: number): string {
  if (durationNs >= 1e9) return `${digits(durationNs / 1e9)}s`;
  return durationNs >= 1e6 ? `${digits(durationNs / 1e6)}ms` : `${digits(durationNs / 1e3)}us`;
}

function digits(value: number): string {
  return String(Number(value.toPrecision(3)));
}

export function decimals(value: number, most: number): number {
  return Number(value.toFixed(most));
}
