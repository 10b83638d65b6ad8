/**
 * Scripts as processes of their own, as a shell sees them.
 *
 * Owns: starting node on a script, collecting what it prints, and building the real command once.
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

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
  const child = spawn(process.execPath, [script, ...argv], { cwd, ...bounded });
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

/** Builds the package as `npm run build` does, into `folder`; the file that `sim` starts. */
export function buildCommand(folder: string): string {
  const root = join(import.meta.dirname, "..", "..");
  mkdirSync(folder, { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  copyFileSync(join(root, "package.json"), join(folder, "package.json"));
  execFileSync(
    process.execPath,
    [
      join(root, "node_modules", "typescript", "bin", "tsc"),
      "--project",
      join(root, "tsconfig.build.json"),
      "--outDir",
      join(folder, "dist"),
    ],
    { stdio: "inherit" },
  );
  return join(folder, "dist", "cli", "main.js");
}
