/**
 * Confidence intervals for a mean.
 *
 * Owns: the interval from independent samples (replications), and from one long run by batch means. Refuses to
 * own: deciding when a run has warmed up; callers leave the beginning out.
 */
import { studentTQuantile } from "./probability.ts";

/** mean - halfWidth .. mean + halfWidth covers the true mean with probability `confidence`. */
export interface Interval {
  readonly mean: number;
  readonly halfWidth: number;
  readonly low: number;
  readonly high: number;
  /** Independent values it rests on. */
  readonly count: number;
  readonly confidence: number;
}

/**
 * Student's t interval: mean +- t * s / sqrt(n), with t at (1 + confidence) / 2 and n - 1 degrees of freedom.
 * @param samples independent, such as one mean per replication
 * @throws RangeError for fewer than two samples, or a confidence outside (0, 1)
 */
export function studentTInterval(samples: ArrayLike<number>, confidence = 0.95): Interval {
  const count = samples.length;
  if (count < 2) throw new RangeError(`studentTInterval: ${count} samples; allowed: 2 or more`);
  if (!(confidence > 0 && confidence < 1)) {
    throw new RangeError(`studentTInterval: confidence is ${confidence}; allowed: between 0 and 1`);
  }
  let sum = 0;
  for (let i = 0; i < count; i++) sum += samples[i]!;
  const mean = sum / count;
  let squares = 0;
  for (let i = 0; i < count; i++) squares += (samples[i]! - mean) * (samples[i]! - mean);
  const deviation = Math.sqrt(squares / (count - 1));
  const halfWidth =
    (studentTQuantile((1 + confidence) / 2, count - 1) * deviation) / Math.sqrt(count);
  return { mean, halfWidth, low: mean - halfWidth, high: mean + halfWidth, count, confidence };
}

/**
 * Interval for the mean of one correlated series: the means of long batches are nearly independent.
 * What does not fill the batches evenly is left out at the beginning.
 * @param options.batches number of batches, 2 or more; default 20
 * @throws RangeError for fewer values than batches, and as studentTInterval
 */
export function batchMeans(
  values: ArrayLike<number>,
  options: { readonly batches?: number; readonly confidence?: number } = {},
): Interval {
  const { batches = 20, confidence = 0.95 } = options;
  if (!Number.isInteger(batches) || batches < 2 || values.length < batches) {
    throw new RangeError(
      `batchMeans: ${batches} batches of ${values.length} values; allowed: 2 up to the number of values`,
    );
  }
  const size = Math.floor(values.length / batches);
  const skipped = values.length - size * batches;
  const means = new Float64Array(batches);
  for (let batch = 0; batch < batches; batch++) {
    const start = skipped + batch * size;
    let sum = 0;
    for (let i = start; i < start + size; i++) sum += values[i]!;
    means[batch] = sum / size;
  }
  return studentTInterval(means, confidence);
}
