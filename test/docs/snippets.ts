/**
 * The TypeScript in the documents: found, and run.
 *
 * A fenced block marked `ts` that imports from "podstorm" or one of its entries is run; other blocks are
 * fragments, which nobody runs. What it prints must be exactly what a fenced block marked `text` holds that
 * follows it, with nothing in between but blank lines or one line that ends in a colon. A block that exports
 * a scenario is loaded as `sim run` would, with the shipped manifests beside it. A program that waits for something runs
 * as a module of its own, with the package as it is built; a test file (`vitest`) is run by test/library/pack.test.ts.
 */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { format } from "node:util";
import { compileFunction } from "node:vm";
import { build, transform } from "esbuild";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { runText } from "../cli/spawned.ts";
import { loadFiles } from "../scenario/files.ts";

const root = join(import.meta.dirname, "..", "..");

export interface Snippet {
  /** From the repository's root. */
  readonly document: string;
  /** Of its first line of code. */
  readonly line: number;
  readonly code: string;
  /** What it must print; null where the document does not say. */
  readonly expected: string | null;
}

/** The blocks of this document that are run. */
export function snippetsIn(document: string, markdown: string): Snippet[] {
  const fence = /^```(\w*)[^\n]*\n([\s\S]*?)^```[ \t]*$/gm;
  const blocks = [...markdown.matchAll(fence)];
  return blocks.flatMap((block, i) => {
    const [whole, language, code = ""] = block;
    if (language !== "ts" || !/^\} from "podstorm|^import .*"podstorm/m.test(code)) return [];
    // Those with `from "vitest"` are tests; a named file is of a whole project, which a test of its own runs.
    if (/from "vitest"/.test(code) || / file=/.test(whole.slice(0, whole.indexOf("\n")))) return [];
    const next = blocks[i + 1];
    const between = markdown.slice(block.index + whole.length, next?.index);
    const follows = next?.[1] === "text" && /^\s*(?:[^\n]*:\s*)?$/.test(between);
    const line = markdown.slice(0, block.index).split("\n").length + 1;
    return [{ document, line, code, expected: follows ? next[2]! : null }];
  });
}

/** The examples in the comments of a file of source, as a document. */
export function examplesIn(source: string): string {
  const comments = [...source.matchAll(/^ *\/\*\*\n([\s\S]*?)^ *\*\/$/gm)].map(([, text]) => text!);
  const withExamples = comments.filter((text) => text.includes("@example"));
  return withExamples.map((text) => text.replace(/^ *\* ?/gm, "")).join("\n");
}

/** Runs a snippet. @param command of the built package, in whose folder programs that wait run. @returns what it printed */
export async function run(
  { document, line, code, expected }: Snippet,
  command: string,
): Promise<string> {
  if (/^(?!export default).*\bawait\b/m.test(code)) return runModule(code, command);
  if (!/^export default\b/m.test(code)) return runProgram(`${document}:${line}`, code);
  if (expected !== null) throw new Error("a scenario prints nothing by itself");
  await loadFiles({ ...shippedManifests(), "scenario.ts": code }, { profile: defaultProfile });
  return "";
}

function shippedManifests(): Record<string, Buffer> {
  const folder = join(root, "scenarios");
  const names = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name))]));
}

async function runModule(code: string, command: string): Promise<string> {
  const { code: text } = await transform(code, { loader: "ts", format: "esm" });
  const folder = dirname(dirname(dirname(command)));
  const { code: exit, stdout, stderr } = await runText(text, folder);
  if (exit !== 0) throw new Error(stderr);
  return stdout;
}

async function runProgram(place: string, code: string): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    stdin: { contents: code, loader: "ts", resolveDir: root, sourcefile: place },
    bundle: true,
    write: false,
    format: "cjs",
    platform: "node",
    target: "node20",
    logLevel: "silent",
    alias: {
      podstorm: join(root, "src", "index.ts"),
      "podstorm/arbitraries": join(root, "src", "testing", "arbitraries", "index.ts"),
      "podstorm/engine": join(root, "src", "engine", "index.ts"),
      "podstorm/stats": join(root, "src", "stats", "index.ts"),
    },
  });
  const lines: string[] = [];
  const log = (...values: unknown[]): void => void lines.push(`${format(...values)}\n`);
  const program = compileFunction(outputFiles[0]!.text, ["require", "console"], {
    filename: relative(root, place),
  });
  program(createRequire(join(root, "package.json")), { log });
  return lines.join("");
}
