/**
 * Statistics: pure functions and small accumulators, no domain word.
 *
 * Owns: the list of what is public.
 */
export { Histogram } from "./histogram.ts";
export { TimeWeighted } from "./time-weighted.ts";
export { type SkewIndices, skewIndices } from "./skew.ts";
export {
  chiSquareCdf,
  chiSquareQuantile,
  normalQuantile,
  studentTCdf,
  studentTQuantile,
} from "./probability.ts";
export { batchMeans, type Interval, studentTInterval } from "./intervals.ts";
