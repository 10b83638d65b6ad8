/**
 * The figures of a summary by name: each leaf under its path in summary.json.
 *
 * Owns: the names. An entry of a list is named by what it is about where it says so, so that a figure
 * keeps its name when another entry comes before it.
 */
import type { Cell } from "../observe/index.ts";
import type { Summary } from "./summary.ts";

type Figure = readonly [name: string, value: Cell];

export function summaryFigures(summary: Summary): Iterable<Figure> {
  return figures("", summary);
}

function* figures(path: string, value: unknown): Generator<Figure> {
  if (typeof value !== "object" || value === null) {
    yield [path, typeof value === "boolean" ? String(value) : (value as Cell)];
  } else if (Array.isArray(value)) {
    for (const [index, entry] of value.entries()) {
      yield* figures(`${path}[${nameOf(entry) ?? index}]`, entry);
    }
  } else {
    for (const [key, entry] of Object.entries(value)) {
      yield* figures(path === "" ? key : `${path}.${key}`, entry);
    }
  }
}

/** What an entry is about, by the fields that say so: the first of these that it has all of. */
const naming = [
  ["client", "service"],
  ["client"],
  ["service"],
  ["outcome"],
  ["change"],
  ["cause"],
  ["threshold"],
  ["share"],
];

function nameOf(entry: unknown): string | null {
  if (typeof entry !== "object" || entry === null) return null;
  const fields = entry as Readonly<Record<string, unknown>>;
  const names = naming.find((all) => all.every((name) => name in fields));
  return names === undefined ? null : names.map((name) => String(fields[name])).join(" to ");
}
