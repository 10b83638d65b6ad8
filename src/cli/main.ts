#!/usr/bin/env node
/**
 * The process: argv, streams, signals and the exit code.
 *
 * Owns: everything that a test cannot stand in for, and nothing else. The scenario room is loaded only
 * when a command needs it, so that `sim --help` is quick.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Dependencies } from "./dependencies.ts";
import { ExitCode, Interrupted, type Io } from "./io.ts";
import { runCli } from "./program.ts";

/** Both src/cli and dist/cli stand two levels below the package's folder. */
const packageUrl = new URL("../../", import.meta.url);

function packageVersion(): string {
  const text = readFileSync(new URL("package.json", packageUrl), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}

const dependencies: Dependencies = {
  version: packageVersion(),
  loadScenario: async (file, overrides) =>
    (await import("../scenario/index.ts")).loadScenario(file, overrides),
  compile: async (scenario, observers) =>
    (await import("../scenario/compile.ts")).compile(scenario, observers),
  listScenarios: async () =>
    (await import("../scenario/index.ts")).listScenarios(
      fileURLToPath(new URL("scenarios/", packageUrl)),
    ),
};

const interruption = new AbortController();

/** The first Ctrl-C ends the run tidily, within a slice; a second one ends the process. */
function interrupt(): void {
  if (interruption.signal.aborted) process.exit(ExitCode.interrupted);
  interruption.abort(new Interrupted("interrupted"));
}

process.on("SIGINT", interrupt);
process.on("SIGTERM", interrupt);

/** A reader that went away (`sim run ... | head`) is no fault: what it did not read, it did not want. */
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

const io: Io = {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: interruption.signal,
  nowMs: () => performance.now(),
  date: () => new Date(),
  breathe: () => new Promise((resolve) => setImmediate(resolve)),
};

process.exitCode = await runCli(process.argv.slice(2), io, dependencies);
