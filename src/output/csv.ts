/**
 * Tables as CSV text.
 *
 * Owns: the dialect, which docs/metrics.md describes: RFC 4180 with CRLF between records, UTF-8
 * without a byte order mark, a header line, quotes only where needed. Refuses to own: which columns
 * and rows there are.
 *
 * A text cell that starts with = + - @, a tab or a carriage return (or the full-width forms of the
 * signs) would be run as a formula by a spreadsheet, and names come from outside: such a cell gets an
 * apostrophe before it. Numbers are never touched.
 */
import { stringify } from "csv-stringify/sync";
import type { Row, Table } from "../observe/index.ts";

const rowsPerChunk = 4096;

const dialect = {
  record_delimiter: "\r\n",
  // Given a delimiter, the library quotes only that one; a lone CR or LF inside a cell must be too.
  quote_record_delimiter: true,
  escape_formulas: true,
};

/**
 * The file's text in pieces of a few thousand rows, header first.
 * @throws Error when a row does not have one cell for each column
 */
export function* csvChunks(table: Table): Generator<string> {
  let rows: Row[] = [table.columns];
  for (const row of table.rows) {
    if (row.length !== table.columns.length) {
      throw new Error(`${table.file}: ${row.length} cells for ${table.columns.length} columns`);
    }
    rows.push(row);
    if (rows.length < rowsPerChunk) continue;
    yield stringify(rows, dialect);
    rows = [];
  }
  if (rows.length > 0) yield stringify(rows, dialect);
}

/** A cell and the comma behind it; behind the last there is none. */
const CELL = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/g;

/** Cells of one record as csvChunks writes it, without its end; the apostrophe before a formula is still there. */
export function cellsOf(record: string): string[] {
  if (!record.includes('"')) return record.split(",");
  const cells: string[] = [];
  for (const [, quoted, plain = "", end] of record.matchAll(CELL)) {
    cells.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === "") break;
  }
  return cells;
}
