/** The conformance data: the copies beside this file, or other files of the same format named by variables. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export function readData<T>(variable: string, file: string): T {
  const path = process.env[variable];
  return path === undefined ? ownData(file) : (JSON.parse(readFileSync(path, "utf8")) as T);
}

/** The copy beside this file, whatever the variables say: for tests that need a case they know. */
export function ownData<T>(file: string): T {
  return JSON.parse(readFileSync(join(import.meta.dirname, "data", file), "utf8")) as T;
}
