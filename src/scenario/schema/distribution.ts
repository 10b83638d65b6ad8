/**
 * Reading a distribution.
 *
 * Owns: what the parameters of each kind may be, and their translation to a DistributionSpec.
 */
import type { z } from "zod";
import type { DistributionSpec } from "../../engine/index.ts";
import { choice, duration, fields, integer, list, number, object, reading } from "./reading.ts";

const DISTRIBUTION_ALLOWED =
  'a duration such as "4ms", or deterministic, uniform, exponential, erlang, hyperexponential, ' +
  "lognormal, pareto, weibull, empirical or discrete";

/** Schema of one distribution, whose values are read by `value`. */
function distributionOf(value: z.ZodType<number>): z.ZodType<DistributionSpec> {
  const shape = number("a shape above 0", (n) => n > 0 && n <= 1000);
  const weight = number("a weight from 0", (n) => n >= 0);
  const probability = number("a probability from 0 to 1", (n) => n >= 0 && n <= 1);
  const kinds = {
    deterministic: fields("deterministic", { value }),
    uniform: fields("uniform", { low: value, high: value }),
    exponential: fields("exponential", { mean: value }),
    erlang: fields("erlang", { shape: integer("a number of stages", 1, 1000), mean: value }),
    hyperexponential: fields("hyperexponential", {
      branches: list(object({ probability, mean: value }), 1),
    }),
    lognormal: fields("lognormal", { p50: value, p99: value }),
    pareto: fields("pareto", { shape, low: value, high: value }),
    weibull: fields("weibull", { shape, scale: value }),
    empirical: fields("empirical", { values: list(value, 1) }),
    discrete: fields("discrete", { values: list(value, 1), weights: list(weight, 1) }),
  };
  const byKind: z.ZodType<DistributionSpec> = choice(DISTRIBUTION_ALLOWED, kinds);
  return reading((input, context) => {
    if (typeof input !== "object") {
      const parsed = context.nested(value, input);
      return parsed === undefined ? undefined : { kind: "deterministic", value: parsed };
    }
    const spec = context.nested(byKind, input);
    if (spec !== undefined) checkSpec(spec, context.mistake);
    return spec;
  });
}

export const distribution = distributionOf(duration);

type Mistaken = (path: string[], found: string, allowed: string) => void;

/** The rules between the parameters of one distribution. */
function checkSpec(spec: DistributionSpec, mistake: Mistaken): void {
  switch (spec.kind) {
    case "uniform":
      if (spec.low > spec.high) mistake(["high"], "below low", "a value from low up");
      break;
    case "pareto":
      if (spec.low <= 0) mistake(["low"], "0", "a value above 0");
      if (spec.low >= spec.high) mistake(["high"], "not above low", "a value above low");
      break;
    case "lognormal":
      if (spec.p50 <= 0) mistake(["p50"], "0", "a value above 0");
      if (spec.p50 > spec.p99) mistake(["p99"], "below p50", "a value from p50 up");
      break;
    case "weibull":
      if (spec.scale <= 0) mistake(["scale"], "0", "a value above 0");
      break;
    case "exponential":
    case "erlang":
      if (spec.mean <= 0) mistake(["mean"], "0", "a value above 0");
      break;
    case "hyperexponential": {
      const total = spec.branches.reduce((sum: number, branch) => sum + branch.probability, 0);
      if (Math.abs(total - 1) > 1e-9) {
        mistake(["branches"], `probabilities that add up to ${total}`, "a sum of 1");
      }
      break;
    }
    case "discrete":
      checkDiscrete(spec.values, spec.weights, mistake);
      break;
    default:
  }
}

function checkDiscrete(values: readonly number[], weights: readonly number[], mistake: Mistaken) {
  if (values.length !== weights.length) {
    mistake(
      ["weights"],
      `${weights.length} weights`,
      `one weight for each of ${values.length} values`,
    );
  } else if (!weights.some((weight) => weight > 0)) {
    mistake(["weights"], "no weight above 0", "at least one weight above 0");
  }
}
