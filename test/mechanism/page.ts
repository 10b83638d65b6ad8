/**
 * Figures in the tables of docs/scenarios, held against a run's.
 *
 * Owns: finding a row by its first cells, and how near is near enough: a page need not be written anew for every
 * change of the model that moves a figure by little.
 */
import { readFileSync } from "node:fs";
import { expect } from "vitest";

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, "%": 0.01 };

/** "1.52 s" in ns, "44.6 %" as a share, "1,404" as it is. */
function figure(text: string): number {
  const [, digits = "", unit = ""] = /^([\d.,]+)(?: (ns|us|ms|s|%))?$/.exec(text.trim()) ?? [];
  return Number(digits.replaceAll(",", "")) * (UNITS[unit] ?? 1);
}

/** Each figure of the row that begins with these cells is within a fifth of the actual one, or within 10. */
export function expectRow(page: string, cells: readonly string[], actual: readonly number[]): void {
  const start = `| ${cells.join(" | ")} |`;
  const lines = readFileSync(`docs/scenarios/${page}.md`, "utf8").split("\n");
  const row = lines.find((line) => line.startsWith(start));
  expect(row, `${page}.md has no row ${start}`).toBeDefined();
  const written = row!.slice(start.length).split("|").slice(0, -1).map(figure);
  expect(written.length).toBe(actual.length);
  for (const [i, value] of written.entries()) {
    const most = Math.max(actual[i]! < 1 ? 0.02 : 10, actual[i]! / 5);
    expect(Math.abs(value - actual[i]!), `${start} column ${i + 1}: ${value}`).toBeLessThan(most);
  }
}
