/** The conformance data: the copies beside this file, or other files of the same format named by variables. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export function readData<T>(variable: string, file: string): T {
  const path = process.env[variable] ?? join(import.meta.dirname, "data", file);
  return JSON.parse(readFileSync(path, "utf8")) as T;
}
