/**
 * Probability distributions.
 *
 * Owns: how a random number is made from uniform draws, the check of parameters, and the exact means.
 * Refuses to own: units, and the streams (random.ts). Every distribution is an increasing function of its
 * draw, or uses a fixed number of draws, so that two variants of a scenario with the same streams stay in step
 * (common random numbers). Only portable arithmetic.
 */
import { exp, ln, lnGamma, normalQuantile, pow } from "./portable-math.ts";
import type { RandomStream } from "./random.ts";
import type { DurationNs } from "./time.ts";

export type DistributionSpec =
  | { readonly kind: "deterministic"; readonly value: number }
  | { readonly kind: "uniform"; readonly low: number; readonly high: number }
  | { readonly kind: "exponential"; readonly mean: number }
  | { readonly kind: "erlang"; readonly shape: number; readonly mean: number }
  | {
      readonly kind: "hyperexponential";
      readonly branches: readonly { readonly probability: number; readonly mean: number }[];
    }
  | { readonly kind: "lognormal"; readonly p50: number; readonly p99: number }
  /** Bounded Pareto: density proportional to x^(-shape - 1) between low and high. */
  | {
      readonly kind: "pareto";
      readonly shape: number;
      readonly low: number;
      readonly high: number;
    }
  | { readonly kind: "weibull"; readonly shape: number; readonly scale: number }
  /** Each given value equally likely. */
  | { readonly kind: "empirical"; readonly values: readonly number[] }
  | {
      readonly kind: "discrete";
      readonly values: readonly number[];
      readonly weights: readonly number[];
    };

export interface Distribution {
  /** Expected value. */
  readonly mean: number;
  sample(stream: RandomStream): number;
}

/** @throws RangeError naming the parameter, its value and what is allowed */
export function createDistribution(spec: DistributionSpec): Distribution {
  switch (spec.kind) {
    case "deterministic":
      return deterministic(spec.value);
    case "uniform":
      return uniform(spec.low, spec.high);
    case "exponential":
      return exponential(spec.mean);
    case "erlang":
      return erlang(spec.shape, spec.mean);
    case "hyperexponential":
      return hyperexponential(spec.branches);
    case "lognormal":
      return lognormal(spec.p50, spec.p99);
    case "pareto":
      return boundedPareto(spec.shape, spec.low, spec.high);
    case "weibull":
      return weibull(spec.shape, spec.scale);
    case "empirical":
      return discrete(
        "empirical",
        spec.values,
        spec.values.map(() => 1),
      );
    case "discrete":
      return discrete("discrete", spec.values, spec.weights);
    default:
      throw new RangeError(
        `unknown distribution ${JSON.stringify((spec as { kind: unknown }).kind)}`,
      );
  }
}

/**
 * A sample as a duration: rounded to whole nanoseconds, negative ones to 0.
 * @throws RangeError above 2^53 - 1
 */
export function sampleNs(distribution: Distribution, stream: RandomStream): DurationNs {
  // Not Math.round: it is slower, and from 0 to 2^52 this is the same but for one number just below 0.5.
  const duration = Math.floor(distribution.sample(stream) + 0.5);
  if (!(duration <= Number.MAX_SAFE_INTEGER)) {
    throw new RangeError(`a sample of ${duration} ns is no duration: at most 2^53 - 1`);
  }
  return duration > 0 ? duration : 0;
}

function deterministic(value: number): Distribution {
  check(value >= 0 && value < Infinity, "deterministic", "value", value, "a finite number from 0");
  return { mean: value, sample: () => value };
}

function uniform(low: number, high: number): Distribution {
  check(low >= 0 && low < Infinity, "uniform", "low", low, "a finite number from 0");
  check(high >= low && high < Infinity, "uniform", "high", high, "a finite number from low");
  const width = high - low;
  return { mean: low + width / 2, sample: (stream) => low + width * stream.uniform() };
}

/** Quantile function -mean ln(1 - u); written with 1 - u so that it increases with the draw. */
function exponential(mean: number): Distribution {
  requirePositive("exponential", "mean", mean);
  return { mean, sample: (stream) => -mean * ln(1 - stream.uniform()) };
}

/** Sum of `shape` exponentials: `shape` draws. */
function erlang(shape: number, mean: number): Distribution {
  const isCount = Number.isInteger(shape) && shape >= 1 && shape <= 1000;
  check(isCount, "erlang", "shape", shape, "an integer from 1 to 1000");
  requirePositive("erlang", "mean", mean);
  const stageMean = mean / shape;
  const sample = (stream: RandomStream): number => {
    let sum = 0;
    let product = 1;
    for (let stage = 1; stage <= shape; stage++) {
      product *= 1 - stream.uniform();
      // A draw is at least 2^-33, so 24 of them cannot underflow; one ln serves them all.
      if (stage % 24 === 0 || stage === shape) {
        sum -= ln(product);
        product = 1;
      }
    }
    return stageMean * sum;
  };
  return { mean, sample };
}

/** Two draws: the branch, then the time. */
function hyperexponential(
  branches: readonly { readonly probability: number; readonly mean: number }[],
): Distribution {
  const kind = "hyperexponential";
  check(branches.length > 0, kind, "branches", branches.length, "at least one branch");
  let total = 0;
  let mean = 0;
  for (const branch of branches) {
    const { probability } = branch;
    check(probability >= 0 && probability <= 1, kind, "probability", probability, "0 to 1");
    requirePositive(kind, "mean", branch.mean);
    total += probability;
    mean += probability * branch.mean;
  }
  check(Math.abs(total - 1) <= 1e-9, kind, "probabilities", total, "numbers that sum to 1");
  const choice = discrete(
    kind,
    branches.map((branch) => branch.mean),
    branches.map((branch) => branch.probability),
  );
  const sample = (stream: RandomStream): number => {
    const branchMean = choice.sample(stream);
    return -branchMean * ln(1 - stream.uniform());
  };
  return { mean, sample };
}

/** ln X is normal with mean ln p50, and its 99th percentile lies z_0.99 standard deviations above. */
function lognormal(p50: number, p99: number): Distribution {
  requirePositive("lognormal", "p50", p50);
  check(p99 >= p50 && p99 < Infinity, "lognormal", "p99", p99, "a finite number from p50");
  const mu = ln(p50);
  const sigma = (ln(p99) - mu) / normalQuantile(0.99);
  return {
    mean: exp(mu + (sigma * sigma) / 2),
    sample: (stream) => exp(mu + sigma * normalQuantile(stream.uniform())),
  };
}

/** F(x) = (1 - (low/x)^shape) / (1 - (low/high)^shape). */
function boundedPareto(shape: number, low: number, high: number): Distribution {
  requirePositive("pareto", "shape", shape);
  requirePositive("pareto", "low", low);
  check(high > low && high < Infinity, "pareto", "high", high, "a finite number above low");
  const mass = 1 - pow(low / high, shape);
  const exponent = -1 / shape;
  // E X = shape low^shape / mass * integral of x^-shape; at shape 1 the integral is a logarithm.
  const integral = shape === 1 ? ln(high / low) : (1 - pow(low / high, shape - 1)) / (shape - 1);
  return {
    mean: (low * shape * integral) / mass,
    sample: (stream) => low * exp(exponent * ln(1 - stream.uniform() * mass)),
  };
}

/** F(x) = 1 - exp(-(x/scale)^shape); mean scale * Gamma(1 + 1/shape). */
function weibull(shape: number, scale: number): Distribution {
  requirePositive("weibull", "shape", shape);
  requirePositive("weibull", "scale", scale);
  const exponent = 1 / shape;
  return {
    mean: scale * exp(lnGamma(1 + exponent)),
    sample: (stream) => scale * exp(exponent * ln(-ln(1 - stream.uniform()))),
  };
}

/**
 * Inverse of the step function over the sorted values: one draw, increasing in it, unlike Walker's alias
 * method. As fast: a guide table says where to begin to look, on average within one step of the answer
 * (H.-C. Chen and Y. Asau, "On generating random variates from an empirical distribution", 1974).
 */
function discrete(
  kind: string,
  values: readonly number[],
  weights: readonly number[],
): Distribution {
  check(values.length > 0, kind, "values", values.length, "at least one value");
  check(weights.length === values.length, kind, "weights", weights.length, "one per value");
  for (const value of values) {
    check(value >= 0 && value < Infinity, kind, "value", value, "a finite number from 0");
  }
  for (const weight of weights) {
    check(weight >= 0 && weight < Infinity, kind, "weight", weight, "a finite number from 0");
  }
  const order = values.map((_, i) => i).filter((i) => weights[i]! > 0);
  order.sort((i, j) => values[i]! - values[j]! || i - j);
  const total = order.reduce((sum, i) => sum + weights[i]!, 0);
  check(total > 0 && total < Infinity, kind, "weights", total, "a positive finite sum");
  const sorted = Float64Array.from(order, (i) => values[i]!);
  const upTo = new Float64Array(order.length);
  let sum = 0;
  let mean = 0;
  order.forEach((i, rank) => {
    sum += weights[i]! / total;
    mean += (weights[i]! / total) * values[i]!;
    upTo[rank] = sum;
  });
  upTo[order.length - 1] = 1;
  const guide = guideTable(upTo);
  const size = sorted.length;
  const sample = (stream: RandomStream): number => {
    const u = stream.uniform();
    let rank = guide[Math.floor(u * size)]!;
    while (upTo[rank]! <= u) rank++;
    return sorted[rank]!;
  };
  return { mean, sample };
}

/** For each of n equal parts of (0, 1): the first rank that a draw in it may give. */
function guideTable(upTo: Float64Array): Int32Array {
  const size = upTo.length;
  const guide = new Int32Array(size);
  let rank = 0;
  for (let part = 0; part < size; part++) {
    while (upTo[rank]! <= part / size) rank++;
    guide[part] = rank;
  }
  return guide;
}

function requirePositive(kind: string, parameter: string, value: number): void {
  check(value > 0 && value < Infinity, kind, parameter, value, "a finite number above 0");
}

function check(
  holds: boolean,
  kind: string,
  parameter: string,
  value: unknown,
  allowed: string,
): void {
  if (!holds)
    throw new RangeError(`${kind}: ${parameter} is ${String(value)}; allowed: ${allowed}`);
}
