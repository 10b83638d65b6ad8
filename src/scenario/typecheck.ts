/**
 * TypeScript errors of a scenario file and of the files it imports.
 *
 * Owns: running the TypeScript compiler that is installed with this package, beside everything else
 * that loading does, and reading what it prints. Says nothing where there is no compiler. Refuses to
 * own: which of its errors another check has already reported (load.ts).
 */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules, createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Mistake } from "./mistakes.ts";
import { asGiven, entryNames, entryTypes, isInstalled, isOwnFile } from "./paths.ts";

export interface TypeMistake extends Mistake {
  /** The compiler's own numbers for errors of syntax and grammar are those from 1000 to 1999. */
  readonly isSyntax: boolean;
  /** The fields that its text is about. */
  readonly fields: readonly string[];
}

/** A compiler that takes longer has lost its way; the run must not wait for it. */
const TIMEOUT_MS = 30_000;
const OUTPUT_BYTES_MAX = 1 << 24;
/** A type written out longer than this hides the sentence that it stands in. */
const TYPE_LENGTH_MAX = 48;

/**
 * Every type error in the user's own files, in the compiler's order. Never rejects. The compiler has
 * been started when this returns, so that what the caller does next does not hold it up.
 */
export function typeMistakes(file: string): Promise<TypeMistake[]> {
  const path = resolve(file);
  const compiler = /\.[cm]?ts$/.test(path) && existsSync(path) ? compilerFile() : null;
  if (compiler === null) return Promise.resolve([]);
  let folder: string;
  try {
    folder = mkdtempSync(join(tmpdir(), "podstorm-types-"));
  } catch {
    // No room for temporary files: as if there were no compiler.
    return Promise.resolve([]);
  }
  return compilerOutput(compiler, folder, path)
    .then((output) => readErrors(output, file))
    .finally(() => rmSync(folder, { recursive: true, force: true }));
}

/** The native compiler itself: starting it through its JavaScript door costs more than the check. */
function compilerFile(): string | null {
  const name = `@typescript/typescript-${process.platform}-${process.arch}/package.json`;
  const typescript = resolved(import.meta.url, "typescript/package.json");
  const platform = typescript === null ? null : resolved(typescript, name);
  if (platform === null) return null;
  const exe = join(dirname(platform), "lib", process.platform === "win32" ? "tsc.exe" : "tsc");
  return existsSync(exe) ? exe : null;
}

function resolved(from: string, name: string): string | null {
  try {
    return createRequire(from).resolve(name);
  } catch {
    return null;
  }
}

/** A project of the scenario alone: no tsconfig.json that happens to lie around has a say. */
function writeProject(folder: string, path: string): void {
  const nodeTypes = resolved(path, "@types/node/package.json");
  const standIn = join(folder, "node.d.ts");
  if (nodeTypes === null) writeFileSync(standIn, anyOfNode());
  const compilerOptions = {
    target: "ES2022",
    module: "ESNext",
    moduleResolution: "bundler",
    lib: ["ES2023"],
    types: [],
    strict: true,
    // Whatever comes from a Node module without types cannot give a callback its parameters' types.
    noImplicitAny: nodeTypes !== null,
    noEmit: true,
    skipLibCheck: true,
    allowJs: true,
    allowImportingTsExtensions: true,
    paths: Object.fromEntries(entryNames.map((name) => [name, [entryTypes(name)]])),
  };
  const nodeFile = nodeTypes === null ? standIn : join(dirname(nodeTypes), "index.d.ts");
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: [path, nodeFile] }),
  );
}

/** What Node offers, without its types, where @types/node is not installed: nothing of it is an error. */
function anyOfNode(): string {
  const globals =
    "console process Buffer URL URLSearchParams TextEncoder TextDecoder performance structuredClone " +
    "setTimeout clearTimeout setInterval clearInterval setImmediate queueMicrotask " +
    "global require module exports __dirname __filename";
  return [
    ...builtinModules
      .flatMap((name) => [name, `node:${name}`])
      .map((m) => `declare module "${m}";`),
    ...globals.split(" ").map((name) => `declare var ${name}: any;`),
    "interface ImportMeta { url: string }",
  ].join("\n");
}

/** What the compiler prints. Where it was stopped, the errors that it got to; nothing if it cannot run. */
function compilerOutput(compiler: string, folder: string, path: string): Promise<string> {
  const options = { timeout: TIMEOUT_MS, maxBuffer: OUTPUT_BYTES_MAX, windowsHide: true };
  return new Promise((done) => {
    try {
      writeProject(folder, path);
      execFile(compiler, ["-p", folder, "--pretty", "false"], options, (_, stdout) => done(stdout));
    } catch {
      done("");
    }
  });
}

/** `file(line,column): error TS2322: text`; further lines of one error are indented. */
const ERROR_LINE = /^(.+?)\((\d+),(\d+)\): error TS(\d+): (.*)$/;

/**
 * A package without types, or an alias of the user's own tsconfig.json: whether it is there at all is
 * what the bundler says.
 */
const UNKNOWN_PACKAGE = /^(Cannot find module|Could not find a declaration file for module) '[^./]/;

function readErrors(output: string, file: string): TypeMistake[] {
  return output.split(/\r?\n(?=\S)/).flatMap((error) => {
    const [first = "", ...details] = error.trimEnd().split(/\r?\n\s*/);
    const header = ERROR_LINE.exec(first);
    // An error of no file is one of the project that was made for it.
    if (header === null) return [];
    const [, shown = "", line, column, code, text = ""] = header;
    const path = resolve(shown);
    if (isInstalled(path) || isOwnFile(path) || UNKNOWN_PACKAGE.test(text)) return [];
    return typeMistake(asGiven(file, path), [line, column, code].map(Number), [text, ...details]);
  });
}

function typeMistake(file: string, numbers: readonly number[], texts: string[]): TypeMistake {
  const [line = 1, column = 1, code = 0] = numbers;
  const whole = texts.join("\n");
  const [, suggestion = null] =
    /Did you mean (?:to write )?'"?([^'"]+)"?'\?$/.exec(texts[0]!) ?? [];
  const fields = [...whole.matchAll(/\b(?:[Pp]ropert(?:y|ies)(?: of)?|types of|but) '([\w$.]+)'/g)];
  const text = sentences(texts).replace(/\.? Did you mean (?:to write )?'[^']+'\?/, "");
  return {
    file,
    line,
    column,
    path: "",
    found: `${text} (TS${code})`,
    allowed: null,
    suggestion,
    isSyntax: code >= 1000 && code < 2000,
    fields: fields.map(([, name]) => name!.replace(/^.*\./, "")),
  };
}

/** What is wrong, and the innermost reason: the compiler's lines between them repeat whole types. */
function sentences([head = "", ...details]: readonly string[]): string {
  const place = details.findLast((line) => /^(Types of property|The types of)/.test(line));
  const reason = details.at(-1);
  const parts = [head, place === reason ? undefined : place, reason];
  return parts
    .filter((part) => part !== undefined)
    .map((part) => part.replace(/'[^']*'/g, shortType).replace(/\.$/, ""))
    .join(": ");
}

function shortType(quoted: string): string {
  return quoted.length <= TYPE_LENGTH_MAX ? quoted : `${quoted.slice(0, TYPE_LENGTH_MAX - 4)}...'`;
}
