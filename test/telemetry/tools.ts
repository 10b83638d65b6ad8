/**
 * Tools of others that read what podstorm writes.
 *
 * Owns: finding them, and saying why a test that needs one is skipped.
 */
import { spawnSync } from "node:child_process";

/** A program that answers to these arguments, under one of its names; null where there is none. */
export function tool(names: readonly string[], check: readonly string[], what: string) {
  const found = names.find((name) => spawnSync(name, check, { stdio: "ignore" }).status === 0);
  if (found === undefined) console.warn(`skipped, for there is no ${what}`);
  return found ?? null;
}

/** Python with a module. */
export function pythonWith(module: string): string | null {
  const what = `python3 with ${module}`;
  return tool(["python3", "/usr/bin/python3"], ["-c", `import ${module}`], what);
}

/** What a program prints. @throws Error with what it complained of */
export function output(program: string, words: readonly string[], input = ""): string {
  const { status, stdout, stderr, error } = spawnSync(program, words, {
    input,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
  return stdout;
}
