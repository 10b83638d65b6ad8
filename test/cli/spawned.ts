/**
 * Scripts as processes of their own, as a shell sees them.
 *
 * Owns: starting node on a script, collecting what it prints, and building the real command once.
 */
import {
  spawn,
  spawnSync,
  type ChildProcess,
  type ChildProcessWithoutNullStreams,
} from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { beforeAll, inject } from "vitest";

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Nothing that a test starts outlives it for long. */
const bounded = { timeout: 30_000, killSignal: "SIGKILL" } as const;

/** Starts a script in a folder; `act` may do something to the process each time that it prints on stderr. */
export function runScript(
  script: string,
  argv: readonly string[],
  cwd: string,
  act: (child: ChildProcess, stderr: string) => void = () => {},
): Promise<Ended> {
  return ended(spawn(process.execPath, [script, ...argv], { cwd, ...bounded }), act);
}

/** Runs the text of a module in a folder, from which its imports are resolved. */
export function runText(text: string, cwd: string): Promise<Ended> {
  const child = spawn(process.execPath, ["--input-type=module"], { cwd, ...bounded });
  child.stdin.end(text);
  return ended(child);
}

/** What a process printed, when it has ended. */
export function ended(
  child: ChildProcessWithoutNullStreams,
  act: (child: ChildProcess, stderr: string) => void = () => {},
): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text: Buffer) => {
    stdout += text.toString();
  });
  child.stderr.on("data", (text: Buffer) => {
    stderr += text.toString();
    act(child, stderr);
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** Building waits for a busy machine, and for another file's tests that build at the same time. */
const BUILD_TIMEOUT_MS = 300_000;

/**
 * Builds the package before a file's tests, as `npm run build` does. The first file to ask builds, for all.
 * @returns the file that `sim` starts, for use in tests
 */
export function builtCommand(): () => string {
  const folder = inject("buildFolder");
  beforeAll(() => buildOnce(folder), BUILD_TIMEOUT_MS);
  return () => join(folder, "dist", "cli", "main.js");
}

async function buildOnce(folder: string): Promise<void> {
  const marker = join(folder, "ended");
  if (isFirst(folder)) {
    writeFileSync(`${marker}.part`, build(folder) ? "built" : "failed");
    renameSync(`${marker}.part`, marker);
  }
  while (!existsSync(marker)) await setTimeout(50);
  if (readFileSync(marker, "utf8") === "failed") throw new Error("npm run build failed");
}

/** Only one process can make a folder. */
function isFirst(folder: string): boolean {
  try {
    mkdirSync(join(folder, "started"));
    return true;
  } catch {
    return false;
  }
}

function build(folder: string): boolean {
  const root = join(import.meta.dirname, "..", "..");
  for (const name of ["node_modules", "scenarios", "docs"]) {
    symlinkSync(join(root, name), join(folder, name));
  }
  copyFileSync(join(root, "package.json"), join(folder, "package.json"));
  const argv = [join(root, "build.mjs"), join(folder, "dist")];
  return spawnSync(process.execPath, argv, { stdio: "inherit" }).status === 0;
}
