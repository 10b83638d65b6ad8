/**
 * Two results folders: the first file, row and columns in which they differ.
 *
 * Owns: the order of files, and which row is meant: one whose cells hold line breaks is compared as text. manifest.json holds
 * facts of the execution and is left out.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { cellsOf } from "../../output/index.ts";

const MANIFEST = "manifest.json";

export interface FolderDifference {
  readonly file: string;
  /** From 1, the header included; null: only one folder has the file. */
  readonly line: number | null;
  /** By column where it is a row; else whole lines. null: there is no such line. */
  readonly cells: readonly {
    readonly column: string;
    readonly a: string | null;
    readonly b: string | null;
  }[];
  /** The cells of that row that are the same, for finding it. */
  readonly row: readonly (readonly [column: string, value: string])[];
}

/** Whether it is a folder that a run has written. */
export async function isResultsFolder(path: string): Promise<boolean> {
  const names: readonly string[] = await readdir(path).catch(() => []);
  return names.includes(MANIFEST);
}

/** @returns null when every file is the same */
export async function differentResults(a: string, b: string): Promise<FolderDifference | null> {
  const [inA, inB] = await Promise.all([readdir(a), readdir(b)]);
  const names = [...new Set([...inA, ...inB])].filter((name) => name !== MANIFEST);
  // Tables before what is summed up from them.
  const rank = (name: string): number => (name.endsWith(".csv") ? 0 : 1);
  names.sort((x, y) => rank(x) - rank(y) || (x < y ? -1 : 1));
  for (const file of names) {
    if (!inA.includes(file) || !inB.includes(file)) {
      const has = (folder: readonly string[]) => (folder.includes(file) ? "there" : "not there");
      return { file, line: null, cells: [{ column: "", a: has(inA), b: has(inB) }], row: [] };
    }
    const read = (folder: string) => readFile(join(folder, file), "utf8").catch(() => "");
    const [left, right] = await Promise.all([read(a), read(b)]);
    if (left !== right) return inFile(file, left, right);
  }
  return null;
}

function inFile(file: string, left: string, right: string): FolderDifference {
  const [a, b] = [left.split("\n"), right.split("\n")] as const;
  const first = a.findIndex((text, i) => text !== b[i]);
  const at = first < 0 ? a.length : first;
  const header = file.endsWith(".csv") ? cellsOf(a[0]!.trimEnd()) : [];
  const [rowA, rowB] = [a[at], b[at]].map((text) =>
    text === undefined ? null : cellsOf(text.trimEnd()),
  );
  if (header.length === 0 || rowA?.length !== header.length || rowB?.length !== header.length) {
    const whole = [{ column: "", a: a[at]?.trimEnd() ?? null, b: b[at]?.trimEnd() ?? null }];
    return { file, line: at + 1, cells: whole, row: [] };
  }
  const columns = header.map((column, i) => ({ column, a: rowA[i]!, b: rowB[i]! }));
  return {
    file,
    line: at + 1,
    cells: columns.filter((each) => each.a !== each.b),
    row: columns.filter((each) => each.a === each.b).map((each) => [each.column, each.a] as const),
  };
}
