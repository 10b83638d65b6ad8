/**
 * The room's door: observations, recorders and the metrics dictionary.
 *
 * Owns: what other rooms may import from observe/.
 */
export * from "./measures.ts";
export * from "./metrics.ts";
export * from "./observations.ts";
export * from "./recorder.ts";
export { rank } from "./quantiles.ts";
export * from "./report.ts";
export * from "./totals.ts";
export { Recording, type RequestedRecorder } from "./recorders/index.ts";
export { NETWORK_PROGRAMMING_BUCKETS_S } from "./recorders/network-programming.ts";
