/**
 * Checks of random results whose tolerance is not chosen but follows from a stated confidence.
 *
 * Owns: how a simulated mean, or a count of successes, is compared with what theory expects. Seeds are
 * fixed, so a check passes always or never; the confidence says how often an honest model would have
 * been given a seed that fails it.
 */
import { expect } from "vitest";
import { batchMeans, type Interval } from "../../src/stats/index.ts";

/**
 * Of each check. There are about a hundred in the suite, so an honest model would see one of them fail with
 * one set of seeds in a hundred (Bonferroni): 99 % for all together. At 99.9 % each, it would be one in ten.
 */
const CONFIDENCE = 0.9999;
const BATCHES = 30;

export interface MeanCheck {
  /** What is compared, for the message. */
  readonly name: string;
  readonly expected: number;
  /** In order of time; correlation within a batch of a thirtieth of them does no harm. */
  readonly values: ArrayLike<number>;
  /**
   * Not a tolerance: the run must be long enough for the interval's half-width to stay below this, or the
   * check would let anything through.
   */
  readonly resolution: number;
}

/** The interval of batch means around the values' mean must hold the expected mean. */
export function expectMean({ name, expected, values, resolution }: MeanCheck): Interval {
  const interval = batchMeans(values, { batches: BATCHES, confidence: CONFIDENCE });
  const shown = `${name}: ${interval.mean} +- ${interval.halfWidth} should hold ${expected}`;
  expect(Math.abs(interval.mean - expected), shown).toBeLessThanOrEqual(interval.halfWidth);
  expect(interval.halfWidth, `${name}: half-width`).toBeLessThan(resolution);
  return interval;
}

/**
 * The smallest and largest count of successes in `trials` that lie outside no tail of (1 - confidence) / 2,
 * by summing the binomial distribution from its recurrence P(k + 1) = P(k) (n - k) / (k + 1) p / (1 - p).
 */
export function binomialRange(
  trials: number,
  probability: number,
  confidence = CONFIDENCE,
): readonly [low: number, high: number] {
  const tail = (1 - confidence) / 2;
  const mode = Math.floor((trials + 1) * probability);
  const odds = probability / (1 - probability);
  // Relative to the mode, where nothing underflows.
  const weights = new Float64Array(trials + 1);
  weights[mode] = 1;
  for (let k = mode; k < trials; k++)
    weights[k + 1] = weights[k]! * ((trials - k) / (k + 1)) * odds;
  for (let k = mode; k > 0; k--) weights[k - 1] = (weights[k]! * (k / (trials - k + 1))) / odds;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let low = 0;
  for (let below = weights[0]!; below <= tail * total; below += weights[low]!) low++;
  let high = trials;
  for (let above = weights[trials]!; above <= tail * total; above += weights[high]!) high--;
  return [low, high];
}
