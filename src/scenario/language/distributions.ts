/**
 * The words for distributions of durations.
 *
 * Owns: what an author writes for each kind of distribution. Refuses to own: checking and translation
 * to nanoseconds (schema/distribution.ts), sampling (engine/).
 */
import type { Duration } from "./scenario.ts";

export type DistributionInput =
  | { kind: "deterministic"; value: Duration }
  | { kind: "uniform"; low: Duration; high: Duration }
  | { kind: "exponential"; mean: Duration }
  | { kind: "erlang"; shape: number; mean: Duration }
  | { kind: "hyperexponential"; branches: { probability: number; mean: Duration }[] }
  | { kind: "lognormal"; p50: Duration; p99: Duration }
  | { kind: "pareto"; shape: number; low: Duration; high: Duration }
  | { kind: "weibull"; shape: number; scale: Duration }
  | { kind: "empirical"; values: Duration[] }
  | { kind: "discrete"; values: Duration[]; weights: number[] };

type Options<K extends DistributionInput["kind"]> = Omit<
  Extract<DistributionInput, { kind: K }>,
  "kind"
>;

/** Always the same duration. */
export function deterministic(value: Duration): DistributionInput {
  return { kind: "deterministic", value };
}
/** Every duration from low to high alike. */
export function uniform(options: Options<"uniform">): DistributionInput {
  return { ...options, kind: "uniform" };
}
/** Memoryless, with that mean. */
export function exponential(mean: Duration): DistributionInput {
  return { kind: "exponential", mean };
}
/** Sum of `shape` exponential stages: less variable than one. */
export function erlang(options: Options<"erlang">): DistributionInput {
  return { ...options, kind: "erlang" };
}
/** One of several exponentials, drawn by probability: more variable than one. */
export function hyperexponential(
  branches: { probability: number; mean: Duration }[],
): DistributionInput {
  return { kind: "hyperexponential", branches };
}
/** Lognormal by its median and 99th percentile. */
export function lognormal(options: Options<"lognormal">): DistributionInput {
  return { ...options, kind: "lognormal" };
}
/** Heavy tail between low and high; the smaller the shape, the heavier. */
export function pareto(options: Options<"pareto">): DistributionInput {
  return { ...options, kind: "pareto" };
}
/** Weibull by shape and scale. */
export function weibull(options: Options<"weibull">): DistributionInput {
  return { ...options, kind: "weibull" };
}
/** One of the measured values, all alike. */
export function empirical(values: Duration[]): DistributionInput {
  return { kind: "empirical", values };
}
/** One of the values, by weight. */
export function discrete(options: Options<"discrete">): DistributionInput {
  return { ...options, kind: "discrete" };
}
