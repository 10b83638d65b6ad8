/**
 * How unevenly a load is spread over n places.
 *
 * Owns: the indices and their formulas. Refuses to own: what a place or a load is.
 */

/** All indices are NaN where there are no places or no load: nothing is spread, evenly or not. */
export interface SkewIndices {
  /** Largest over mean: 1 when even, n when one place has all. */
  readonly maxOverMean: number;
  /** Coefficient of variation: standard deviation (dividing by n) over mean; 0 when even, sqrt(n - 1) at most. */
  readonly cv: number;
  /** Jain's fairness (sum x)^2 / (n sum x^2): 1 when even, 1/n when one place has all. */
  readonly jain: number;
  /** Gini coefficient: 0 when even, 1 - 1/n when one place has all. */
  readonly gini: number;
  /**
   * Kolmogorov distance of the load from the uniform distribution over the places, taken in order of load, so
   * that the places' numbering does not matter: the share of the load that would have to move to make it even.
   */
  readonly kolmogorov: number;
}

/**
 * @param counts load by place, non-negative
 * @throws RangeError for a negative or infinite load
 */
export function skewIndices(counts: ArrayLike<number>): SkewIndices {
  const sorted = Float64Array.from(counts).sort();
  const n = sorted.length;
  let sum = 0;
  for (const x of sorted) {
    if (!(x >= 0 && x < Infinity)) {
      throw new RangeError(`skewIndices: a load is ${x}; allowed: a finite number from 0`);
    }
    sum += x;
  }
  if (sum === 0) return { maxOverMean: NaN, cv: NaN, jain: NaN, gini: NaN, kolmogorov: NaN };
  const mean = sum / n;
  let squares = 0;
  let deviations = 0;
  let ranked = 0;
  let cumulative = 0;
  let farthest = 0;
  for (let i = 0; i < n; i++) {
    const x = sorted[i]!;
    squares += x * x;
    deviations += (x - mean) * (x - mean);
    // Gini = sum over i of (2i - n - 1) x_i / (n sum x), for x ascending and i from 1.
    ranked += (2 * (i + 1) - n - 1) * x;
    cumulative += x;
    farthest = Math.max(farthest, (i + 1) / n - cumulative / sum);
  }
  return {
    maxOverMean: sorted[n - 1]! / mean,
    cv: Math.sqrt(deviations / n) / mean,
    jain: (sum * sum) / (n * squares),
    gini: ranked / (n * sum),
    kolmogorov: farthest,
  };
}
