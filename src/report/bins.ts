/**
 * Metrics windows laid out as bins: as many as can be drawn.
 *
 * Owns: which window belongs to which bin. Refuses to own: what is counted in one.
 */
import type { Bins } from "./model.ts";

/** @param most how many bins there may be */
export function binsOf(durationNs: number, windowNs: number, most: number): Bins {
  const all = Math.max(1, Math.ceil(durationNs / windowNs));
  const windows = Math.ceil(all / most);
  const count = Math.ceil(all / windows);
  const startNs = Array.from({ length: count }, (_, i) => i * windows * windowNs);
  const lengthNs = startNs.map((fromNs) => Math.min(durationNs - fromNs, windows * windowNs));
  return { startNs, lengthNs, windows };
}

/** @param windowStartNs as a file has it */
export function binOf({ startNs, windows }: Bins, windowNs: number, windowStartNs: number): number {
  const bin = Math.floor(windowStartNs / windowNs / windows);
  return Math.min(bin, startNs.length - 1);
}

export function zeros(length: number): number[] {
  return filled(length, 0);
}

export function filled(length: number, value: number): number[] {
  return Array.from({ length }, () => value);
}
