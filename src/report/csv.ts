/**
 * Rows of a results file, read as output/csv.ts writes them, a piece at a time.
 *
 * Owns: quotes, line breaks within them, and taking away the apostrophe that keeps spreadsheets from running a name.
 * Refuses to own: which columns there are to ask for (their reader).
 */
import { createReadStream, existsSync } from "node:fs";
import { cellsOf } from "../output/index.ts";

/** Cells of the wanted columns, in the order asked for; "" where the file has no such column. */
export type Visit = (cells: readonly string[]) => void;

/**
 * Calls `visit` for each row of a file; a file that is not there has none.
 * @param wanted names of columns
 */
export async function eachRow(
  path: string,
  wanted: readonly string[],
  visit: Visit,
): Promise<void> {
  if (!existsSync(path)) return;
  let places: readonly number[] | null = null;
  const cells = wanted.map(() => "");
  for await (const record of records(path)) {
    const all = plainCells(record);
    if (places === null) {
      places = wanted.map((name) => all.indexOf(name));
      continue;
    }
    for (let i = 0; i < places.length; i++) cells[i] = all[places[i]!] ?? "";
    visit(cells);
  }
}

/** Text of one record after the other, without its end. */
async function* records(path: string): AsyncGenerator<string> {
  let rest = "";
  let open: string | null = null;
  for await (const chunk of createReadStream(path, { encoding: "utf8", highWaterMark: 1 << 18 })) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const text: string = open === null ? line : `${open}\n${line}`;
      // A record ends outside of quotes: their number is even there.
      open = hasEvenQuotes(text) ? null : text;
      if (open === null) yield text.endsWith("\r") ? text.slice(0, -1) : text;
    }
  }
  if (rest !== "") yield rest;
}

function hasEvenQuotes(text: string): boolean {
  let even = true;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at + 1)) even = !even;
  return even;
}

function plainCells(record: string): string[] {
  const cells = cellsOf(record);
  if (!record.includes("'")) return cells;
  return cells.map((cell) => cell.replace(/^'(?=[=+\-@\t\r\uFF1D\uFF0B\uFF0D\uFF20])/, ""));
}

/** null for an empty cell, which is not zero. */
export function numberOf(cell: string | undefined): number | null {
  return cell === undefined || cell === "" ? null : Number(cell);
}
