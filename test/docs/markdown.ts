/** The project's documents, and the parts of them that tests check. */
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

export const root = join(import.meta.dirname, "..", "..");

export interface Document {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export function document(path: string): Document {
  return { path, text: readFileSync(join(root, path), "utf8") };
}

/** README, CONTRIBUTING, CHANGELOG and everything in docs/. */
export function documents(): Document[] {
  const inFolder = (folder: string): string[] =>
    readdirSync(join(root, folder)).map((name) => posix.join(folder, name));
  const folders = [".", "docs", "docs/scenarios"];
  const files = folders.flatMap(inFolder).filter((path) => path.endsWith(".md"));
  return files.toSorted().map(document);
}

export interface CodeBlock {
  readonly language: string;
  /** `file=` of the fence's info string: the file that the block is, or changes. */
  readonly file: string | null;
  readonly text: string;
}

export function codeBlocks({ text }: Document): CodeBlock[] {
  return [...text.matchAll(/^```(\w*)(?: file=(\S+))?\n([\s\S]*?)^```$/gm)].map(
    ([, language = "", file, body = ""]) => ({ language, file: file ?? null, text: body }),
  );
}

/** A document without its code: what links and headings are looked for in. */
export function prose({ text }: Document): string {
  return text.replace(/^```[\s\S]*?^```$/gm, "");
}

/**
 * Applies a block of a unified diff without line numbers: each run of lines must stand in the text once.
 * @throws Error when it does not
 */
export function applyDiff(text: string, diff: string): string {
  const lines = diff.replace(/\n$/, "").split("\n");
  const side = (mark: string): string =>
    lines
      .filter((line) => line === "" || line.startsWith(" ") || line.startsWith(mark))
      .map((line) => `${line.slice(1)}\n`)
      .join("");
  const [before, after] = [side("-"), side("+")];
  if (text.split(before).length !== 2) throw new Error(`stands there not once:\n${before}`);
  return text.replace(before, () => after);
}
