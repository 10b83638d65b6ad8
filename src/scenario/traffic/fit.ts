/**
 * A distribution of the scenario language for durations that were measured.
 *
 * Owns: the fit of each family by its moments, how far it is from the measured ones (Kolmogorov-Smirnov), and the choice.
 * What no family comes near is kept as quantiles. Refuses to own: sampling (engine/).
 */
import { chiSquareCdf } from "../../stats/index.ts";
import { Word } from "../import/text.ts";
import { fineDuration } from "./contract.ts";

export interface Fit {
  /** A word of the language. */
  readonly word: unknown;
  /** One line for each family: how well it fits. */
  readonly report: readonly string[];
}

/** Largest gap between the two distribution functions that still counts as the family's. */
const GOOD_ENOUGH = 0.08;
const QUANTILES = 100;
/** Measured values that are looked at: evenly taken from all, sorted. */
const MOST_VALUES = 10_000;
const MS = 1e6;
const Z99 = 2.326347874040841;

interface Candidate {
  readonly name: string;
  readonly word: Word;
  readonly cdf: (x: number) => number;
}

/** @param durationsNs at least one */
export function fitOf(durationsNs: readonly number[]): Fit {
  // A log that counts whole milliseconds says of each duration in which of them it ended.
  const stepNs = durationsNs.every((each) => each % MS === 0) ? MS : 0;
  const middles = durationsNs.map((each) => each + stepNs / 2).filter((each) => each > 0);
  const sorted = thinned(middles.toSorted((a, b) => a - b));
  if (sorted.length === 0) return { word: "1ms", report: ["every duration is 0: 1 ms is taken"] };
  const fits = candidatesFor(sorted)
    .map((candidate) => ({ candidate, gap: gapOf(sorted, candidate.cdf, stepNs / 2) }))
    .toSorted((a, b) => a.gap - b.gap);
  const report = fits.map(
    ({ candidate: { name }, gap }, index) =>
      `${index === 0 && gap <= GOOD_ENOUGH ? "taken" : "not taken"}: ${name}, largest gap ${(100 * gap).toFixed(1)} %`,
  );
  const best = fits[0];
  if (best !== undefined && best.gap <= GOOD_ENOUGH) return { word: best.candidate.word, report };
  const values = Array.from({ length: QUANTILES }, (_, index) =>
    fineDuration(quantile(sorted, (index + 0.5) / QUANTILES)),
  );
  const taken = `taken: the ${QUANTILES} quantiles that were measured, as no family comes nearer than ${100 * GOOD_ENOUGH} %`;
  return { word: new Word("empirical", [values]), report: [taken, ...report] };
}

function candidatesFor(sorted: readonly number[]): Candidate[] {
  const mean = sorted.reduce((sum, each) => sum + each, 0) / sorted.length;
  const variance = sorted.reduce((sum, each) => sum + (each - mean) ** 2, 0) / sorted.length;
  const logs = sorted.map((each) => Math.log(each));
  const mu = logs.reduce((sum, each) => sum + each, 0) / logs.length;
  const sigma = Math.sqrt(logs.reduce((sum, each) => sum + (each - mu) ** 2, 0) / logs.length);
  const meanText = fineDuration(mean);
  const shape = Math.min(50, Math.max(2, Math.round(mean ** 2 / Math.max(variance, 1e-9))));
  const found: Candidate[] = [
    {
      name: `exponential, mean ${meanText}`,
      word: new Word("exponential", [meanText]),
      cdf: (x) => 1 - Math.exp(-x / mean),
    },
    {
      name: `erlang of ${shape} stages, mean ${meanText}`,
      word: new Word("erlang", [{ shape, mean: meanText }]),
      cdf: (x) => chiSquareCdf((2 * shape * x) / mean, 2 * shape),
    },
  ];
  if (sigma > 0) {
    const p50 = fineDuration(Math.exp(mu));
    const p99 = fineDuration(Math.exp(mu + Z99 * sigma));
    found.push({
      name: `lognormal, median ${p50}, 99th percentile ${p99}`,
      word: new Word("lognormal", [{ p50, p99 }]),
      cdf: (x) => (x === 0 ? 0 : normalCdf((Math.log(x) - mu) / sigma)),
    });
  }
  return found;
}

function normalCdf(z: number): number {
  return 0.5 + 0.5 * Math.sign(z) * chiSquareCdf(z * z, 1);
}

/** The Kolmogorov-Smirnov distance. @param half of the stretch that each value stands for */
function gapOf(sorted: readonly number[], cdf: (x: number) => number, half: number): number {
  let gap = 0;
  let before = 0;
  for (let index = 0; index < sorted.length; index++) {
    // Values that were rounded to one number are one step.
    if (sorted[index + 1] === sorted[index]) continue;
    const after = (index + 1) / sorted.length;
    const upTo = Math.abs(before - cdf(Math.max(0, sorted[index]! - half)));
    gap = Math.max(gap, upTo, Math.abs(after - cdf(sorted[index]! + half)));
    before = after;
  }
  return gap;
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

function thinned(sorted: readonly number[]): number[] {
  if (sorted.length <= MOST_VALUES) return [...sorted];
  return Array.from({ length: MOST_VALUES }, (_, index) =>
    quantile(sorted, (index + 0.5) / MOST_VALUES),
  );
}
