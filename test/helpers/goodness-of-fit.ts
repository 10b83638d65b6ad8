/** Does a sample come from a distribution? Two tests, and streams whose draws a test chooses. */
import type { RandomStream } from "../../src/engine/index.ts";
import { chiSquareCdf } from "../../src/stats/index.ts";

/**
 * Level of each test of fit: a right sampler fails one in a thousand *seeds*. Seeds are fixed, so it
 * fails always or never; none was chosen because it passes.
 */
export const LEVEL = 0.001;

/** Pearson's test: the probability that counts at least this far from the expected ones come by chance. */
export function chiSquarePValue(observed: readonly number[], expected: readonly number[]): number {
  let sum = 0;
  for (const [i, count] of observed.entries()) {
    sum += (count - expected[i]!) ** 2 / expected[i]!;
  }
  return 1 - chiSquareCdf(sum, observed.length - 1);
}

/**
 * Kolmogorov's test for a continuous distribution: the greatest distance between the sample's step function
 * and `cdf`, over the distance that a right sample exceeds with probability LEVEL. Above 1: not from there.
 * The limit is asymptotic: sqrt(-ln(LEVEL / 2) / (2 n)).
 */
export function kolmogorovExcess(sample: ArrayLike<number>, cdf: (x: number) => number): number {
  const sorted = Float64Array.from(sample).sort();
  const n = sorted.length;
  let distance = 0;
  for (let i = 0; i < n; i++) {
    const p = cdf(sorted[i]!);
    distance = Math.max(distance, p - i / n, (i + 1) / n - p);
  }
  return distance / Math.sqrt(-Math.log(LEVEL / 2) / (2 * n));
}

/** A stream that gives these draws in turn and counts them. */
export class ScriptedStream implements RandomStream {
  used = 0;
  readonly #draws: readonly number[];

  constructor(draws: readonly number[]) {
    this.#draws = draws;
  }

  uniform(): number {
    const draw = this.#draws[this.used++];
    if (draw === undefined) throw new Error(`no draw ${this.used} in the script`);
    return draw;
  }

  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }
}
