/**
 * Figures as sentences have them.
 *
 * Owns: an interval's look, and plurals of this room. Refuses to own: single values (output/format.ts).
 */
import { count, figureText } from "../output/index.ts";
import type { Figure } from "./contract.ts";

/** "97.2 %". */
export function value({ mean, unit }: Pick<Figure, "mean" | "unit">): string {
  return mean === null ? "none" : textOf(mean, unit);
}

function textOf(figure: number, unit: Figure["unit"]): string {
  if (unit === "ns" && figure === 0) return "0 s";
  // Durations are whole nanoseconds, and differences of them may be negative.
  if (unit === "ns") return `${figure < 0 ? "-" : ""}${figureText(Math.abs(figure), unit)}`;
  if (unit === "count" && figure >= 1000) return count(Math.round(figure));
  if (unit !== "share") return figureText(figure, unit);
  // Almost all is never shown as all.
  const digits = [4, 5, 6, 7, 8].find((each) => Number((100 * figure).toPrecision(each)) !== 100);
  const percent = figure === 1 ? 100 : Number((100 * figure).toPrecision(digits ?? 8));
  return `${percent} %`;
}

/** "96.9 to 97.5 %"; null: it has no interval. */
export function range({ low, high, unit }: Figure): string | null {
  if (low === null || high === null) return null;
  const [from, to] = [textOf(low, unit), textOf(high, unit)];
  const shorter = unit === "share" ? from.replace(/ %$/, "") : from;
  return from === to ? to : `${shorter} to ${to}`;
}

/** "97.2 % (96.9 to 97.5 %)". */
export function withRange(figure: Figure): string {
  const text = range(figure);
  return text === null || text === value(figure) ? value(figure) : `${value(figure)} (${text})`;
}
