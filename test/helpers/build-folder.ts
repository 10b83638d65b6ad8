/** A folder for the command that tests start: one for a whole run of vitest (test/cli/spawned.ts fills it). */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    buildFolder: string;
  }
}

export function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), "podstorm-built-"));
  project.provide("buildFolder", folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
