/**
 * The summary as CSV: one row per figure, named by its path in summary.json.
 *
 * Owns: the names. An entry of a list is named by what it is about where it says so, so that a figure
 * keeps its name when another entry comes before it.
 */
import type { Cell, Row } from "../../observe/index.ts";
import { csvChunks } from "../csv.ts";
import type { SummaryFormat } from "./contract.ts";

export const csv: SummaryFormat = (summary) => {
  const rows = [...figures("", summary)];
  return [...csvChunks({ file: "summary", columns: ["figure", "value"], rows })].join("");
};

function* figures(path: string, value: unknown): Generator<Row> {
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
