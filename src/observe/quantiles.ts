/**
 * Exact quantiles of sorted values.
 *
 * Owns: the rank that a quantile is. Refuses to own: those of histograms (stats/).
 */

/** The q-quantile of sorted values: the smallest value that at least q of them do not exceed. */
export function quantile(sorted: Float64Array, q: number): number {
  return sorted[rank(q, sorted.length)]!;
}

/** Index of the ceil(q n)-th of n sorted values; q n is rounded first, as 0.99 * 100 is not 99. */
export function rank(q: number, count: number): number {
  return Math.max(0, Math.ceil(Math.round(q * count * 1e6) / 1e6) - 1);
}
