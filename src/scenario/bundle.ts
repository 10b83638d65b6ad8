/**
 * From a scenario file to the value it exports.
 *
 * Owns: bundling with esbuild, so that a scenario anywhere may import "podstorm" and files beside it;
 * evaluation; and the place in the user's own file of whatever goes wrong. Refuses to own: what the
 * value means.
 */
import { readFileSync, statSync } from "node:fs";
import { createRequire, SourceMap, type SourceMapPayload } from "node:module";
import { dirname, extname, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { compileFunction, Script } from "node:vm";
import { isMainThread } from "node:worker_threads";
import { build, type BuildFailure, type Message, type Plugin } from "esbuild";
import { UserError, type Mistake } from "./mistakes.ts";
import { asGiven, entryModule, isOwnFile } from "./paths.ts";

interface Bundle {
  readonly code: string;
  readonly map: SourceMapPayload;
}

/** In an object: a promise that a scenario exports is its value, and nobody waits for it. */
export interface Evaluated {
  readonly exported: unknown;
}

/**
 * Runs a scenario file and returns its default export.
 * @throws UserError when it is missing, does not compile, or throws
 */
export async function evaluateScenarioFile(file: string): Promise<Evaluated> {
  const path = resolve(file);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw failure(file, null, null, "no such file");
  const kind = stats.isFile() ? extname(path) || "a file without an extension" : "not a file";
  if (!stats.isFile() || !/^\.[cm]?[jt]s$/.test(kind)) {
    throw failure(file, null, null, kind, "a scenario's .ts file");
  }
  const bundle = await bundleFile(file, path);
  return { exported: runBundle(file, path, bundle) };
}

/**
 * Calls a function of the scenario; what it throws becomes a mistake of the scenario's. Ctrl-C ends it
 * even when it never returns, with Node's own error.
 */
export function callScenario<T>(file: string, call: () => T): T {
  try {
    return interruptible(call);
  } catch (error) {
    if ((error as NodeJS.ErrnoException | null)?.code === "ERR_SCRIPT_EXECUTION_INTERRUPTED") {
      throw error;
    }
    throw thrown(file, error, maps.get(resolve(file)));
  }
}

/** Only a script can be broken off by a signal: this one takes what it is to call from a global. */
const callSlot = Symbol.for("podstorm.call");
const caller = new Script(`globalThis[Symbol.for(${JSON.stringify(callSlot.description)})]()`);

function interruptible<T>(call: () => T): T {
  const slots = globalThis as { [callSlot]?: () => T };
  slots[callSlot] = call;
  try {
    // In a thread it would take the signal from the process, for good; there the thread is ended instead.
    return caller.runInThisContext({ breakOnSigint: isMainThread }) as T;
  } finally {
    delete slots[callSlot];
  }
}

/** Source maps of evaluated scenarios by path, for errors thrown later from their functions. */
const maps = new Map<string, SourceMap>();

async function bundleFile(file: string, path: string): Promise<Bundle> {
  try {
    const { outputFiles } = await build({
      // Messages name files from here; by default, from where esbuild was first used.
      absWorkingDir: process.cwd(),
      entryPoints: [path],
      bundle: true,
      write: false,
      outdir: dirname(path),
      format: "cjs",
      platform: "node",
      target: "node20",
      sourcemap: "external",
      sourcesContent: false,
      logLevel: "silent",
      define: { "import.meta.url": JSON.stringify(pathToFileURL(path).href) },
      plugins: [ownPackage],
    });
    const text = (ending: string) => outputFiles.find((f) => f.path.endsWith(ending))?.text ?? "";
    return { code: text(".js"), map: JSON.parse(text(".js.map")) as SourceMapPayload };
  } catch (error) {
    const messages = (error as Partial<BuildFailure>).errors;
    if (messages === undefined || messages.length === 0) throw error;
    throw new UserError(messages.map((message) => compileMistake(file, message)));
  }
}

/** Finds this package's own entries, and keeps out what only `run` loads. */
export const ownPackage: Plugin = {
  name: "podstorm",
  setup({ onResolve }) {
    // `run` loads the whole model when it is called: none of it is part of a scenario.
    onResolve({ filter: /^\.\.?\// }, ({ path, kind, importer }) =>
      kind === "dynamic-import" && isOwnFile(importer)
        ? { path: pathToFileURL(resolve(dirname(importer), path)).href, external: true }
        : null,
    );
    onResolve({ filter: /^podstorm($|\/)/ }, ({ path }) => {
      const entry = entryModule(path);
      return entry === undefined
        ? { errors: [{ text: `${path} is no entry of this package` }] }
        : { path: entry, sideEffects: false };
    });
  },
};

function compileMistake(file: string, { text, location }: Message): Mistake {
  const ownIndex = JSON.stringify(relative(process.cwd(), entryModule("podstorm")!));
  const isWaiting = text.startsWith("Top-level await");
  return {
    file: location === null ? file : asGiven(file, resolve(location.file)),
    line: location?.line ?? null,
    column: location === null ? null : location.column + 1,
    path: "",
    found: isWaiting ? "await" : text.replace(ownIndex, '"podstorm"'),
    allowed: isWaiting ? "a scenario that waits for nothing" : null,
    suggestion: location?.suggestion ? location.suggestion : null,
  };
}

function runBundle(file: string, path: string, { code, map }: Bundle): unknown {
  maps.set(path, new SourceMap(map));
  const module = { exports: {} as Record<string, unknown> };
  return callScenario(file, () => {
    const run = compileFunction(code, ["module", "exports", "require"], { filename: path });
    run.call(module.exports, module, module.exports, createRequire(path));
    if (!("default" in module.exports)) {
      throw failure(
        file,
        null,
        null,
        "no default export",
        "export default defineScenario({ ... })",
      );
    }
    return module.exports["default"];
  });
}

/** A mistake for what a scenario threw, at the innermost line of the user's own files. */
function thrown(file: string, error: unknown, map: SourceMap | undefined): UserError {
  if (error instanceof UserError) return error;
  const path = resolve(file);
  const name = error instanceof Error ? error.name : "thrown";
  const text = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? String(error.stack) : "";
  for (const [, line, column] of stack.matchAll(frameIn(path))) {
    const entry = map?.findEntry(Number(line) - 1, Number(column) - 1);
    if (entry !== undefined && "originalSource" in entry) {
      const source = resolve(dirname(path), entry.originalSource);
      if (!isOwnFile(source)) {
        return failure(
          asGiven(file, source),
          entry.originalLine + 1,
          entry.originalColumn + 1,
          `${name}: ${text}`,
        );
      }
    }
  }
  return failure(file, null, null, `${name}: ${text}`);
}

function frameIn(path: string): RegExp {
  return new RegExp(`${path.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}:(\\d+):(\\d+)`, "g");
}

function failure(
  file: string,
  line: number | null,
  column: number | null,
  found: string,
  allowed: string | null = null,
): UserError {
  return new UserError([{ file, line, column, path: "", found, allowed, suggestion: null }]);
}

/** The text of a scenario file, for finding places and its leading comment. */
export function readScenarioText(file: string): string {
  return readFileSync(file, "utf8");
}
