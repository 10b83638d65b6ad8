/**
 * The catalogue: which scenarios a folder holds and what each asks.
 *
 * Owns: finding scenario files and the comment at their head. No scenario is run for it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface ListedScenario {
  /** File name without extension. */
  readonly name: string;
  readonly file: string;
  /** The comment at the head of the file, on one line. */
  readonly question: string;
}

/** Scenarios of a folder by name; none when it does not exist. */
export function listScenarios(folder: string): ListedScenario[] {
  let files: string[];
  try {
    files = readdirSync(folder);
  } catch {
    return [];
  }
  return files
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
    .sort()
    .map((name) => ({ name, text: readFileSync(join(folder, name), "utf8") }))
    .filter(({ text }) => /^export default/m.test(text))
    .map(({ name, text }) => ({
      name: name.slice(0, -3),
      file: join(folder, name),
      question: leadingComment(text),
    }));
}

/** The first comment of a file, without its marks and line breaks; empty if the file begins otherwise. */
export function leadingComment(text: string): string {
  const block = /^\s*\/\*\*?([\s\S]*?)\*\//.exec(text)?.[1];
  const lines = block ?? /^\s*((?:\/\/[^\n]*\n?)+)/.exec(text)?.[1] ?? "";
  return lines
    .split("\n")
    .map((line) => line.replace(/^\s*(\*|\/\/)?\s?/, "").trim())
    .join(" ")
    .trim();
}
