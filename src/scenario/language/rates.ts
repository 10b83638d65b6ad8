/**
 * The words for rates of requests over time.
 *
 * Owns: what an author writes. Refuses to own: checking and translation to segments (schema/rate.ts).
 */
import type { Duration } from "./scenario.ts";

/** All rates are requests per second over all replicas of a client. */
export type RateInput =
  | { kind: "constant"; rps: number }
  | { kind: "step"; from: number; to: number; at: Duration }
  | { kind: "ramp"; from: number; to: number; at?: Duration; over: Duration }
  | BurstInput
  | { kind: "stages"; stages: StageInput[] };

export interface BurstInput {
  kind: "burst";
  base: number;
  peak: number;
  at: Duration;
  for: Duration;
  /** From one burst to the next. Default: one burst only. */
  every?: Duration;
  /** How many bursts. Default 1, or 1000 when `every` is given. */
  times?: number;
}

export interface StageInput {
  at: Duration;
  rps: number;
  /** Time to get there from the rate before, in a straight line. Default: at once. */
  over?: Duration;
}

type Options<K extends RateInput["kind"]> = Omit<Extract<RateInput, { kind: K }>, "kind">;

/** The same rate all the time. */
export function constant(rps: number): RateInput {
  return { kind: "constant", rps };
}
/** One rate, then at once another. */
export function step(options: Options<"step">): RateInput {
  return { ...options, kind: "step" };
}
/** A straight line from one rate to another. */
export function ramp(options: Options<"ramp">): RateInput {
  return { ...options, kind: "ramp" };
}
/** A base rate with one or more bursts at the peak rate. */
export function burst(options: Options<"burst">): RateInput {
  return { ...options, kind: "burst" };
}
/** Any sequence of rates; 0 before the first. */
export function stages(list: StageInput[]): RateInput {
  return { kind: "stages", stages: list };
}
