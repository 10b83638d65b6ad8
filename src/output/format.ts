/**
 * Figures and names as a person reads them.
 *
 * Owns: counts, shares, durations, and text that is safe on a terminal. The same on every machine: no
 * locale is asked.
 */
import type { DurationNs } from "../engine/index.ts";
import type { Unit } from "../observe/index.ts";

/** 1234567 -> "1,234,567". */
export function count(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

/** "1 node", "12 nodes". */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/**
 * Part of a whole as a percentage with one decimal. Something is never shown as nothing, nor almost
 * all as all: "<0.1 %", ">99.9 %". No whole: "-".
 */
export function percentage(part: number, whole: number): string {
  if (whole === 0) return "-";
  const percent = (100 * part) / whole;
  if (part > 0 && percent < 0.1) return "<0.1 %";
  if (part < whole && percent > 99.9) return ">99.9 %";
  return `${percent.toFixed(1)} %`;
}

const durationUnits: readonly (readonly [nanoseconds: number, unit: string])[] = [
  [1e9, "s"],
  [1e6, "ms"],
  [1e3, "us"],
];

/** Three significant digits in the unit that fits: "812 ns", "1.25 ms", "93.4 s". null: "-". */
export function duration(ns: DurationNs | null): string {
  if (ns === null) return "-";
  for (const [size, unit] of durationUnits) {
    // 999.5 us would round to "1000 us".
    if (ns >= size * 0.9995) return `${threeDigits(ns / size)} ${unit}`;
  }
  return `${ns} ns`;
}

function threeDigits(value: number): string {
  if (value >= 99.95) return count(Math.round(value));
  return value.toFixed(value >= 9.995 ? 1 : 2);
}

/** A ratio with two decimals; null: "-". */
export function ratio(value: number | null): string {
  return value === null ? "-" : value.toFixed(2);
}

/** A figure of any unit: as precise as a limit near it has to be. */
export function measured(value: number, unit: Unit | "share"): string {
  if (unit === "ns") return duration(Math.round(value));
  if (unit === "share") return `${Number((100 * value).toPrecision(4))} %`;
  return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(4)));
}

/** What a threshold found; null: nothing that it asks for happened. */
export function figureText(figure: number | null, unit: Unit | "share"): string {
  return figure === null ? "there was nothing to measure" : measured(figure, unit);
}

/**
 * Text from outside, harmless on a terminal: control characters and characters that reorder or hide
 * text are shown as \u{...} instead of being obeyed.
 */
export function printable(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
