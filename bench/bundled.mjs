/**
 * Bundles a TypeScript program and runs it on plain node, which on version 20 does not read TypeScript.
 * Options before `--` go to node (such as --cpu-prof), the rest to the program.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

/** @param {URL} entry the program @param {readonly string[]} given */
export function runBundled(entry, given) {
  const divider = given.indexOf("--");
  const nodeOptions = divider < 0 ? [] : given.slice(0, divider);
  const words = divider < 0 ? given : given.slice(divider + 1);
  // Inside the project, where the packages that stay outside the bundle are found.
  const cache = fileURLToPath(new URL("../node_modules/.cache/", import.meta.url));
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "podstorm-bundle-"));
  const bundle = join(folder, "program.mjs");
  try {
    buildSync({
      entryPoints: [fileURLToPath(entry)],
      outfile: bundle,
      bundle: true,
      platform: "node",
      format: "esm",
      packages: "external",
      target: "node20",
      sourcemap: "inline",
      logLevel: "warning",
    });
    const { status } = spawnSync(process.execPath, [...nodeOptions, bundle, ...words], {
      stdio: "inherit",
    });
    process.exitCode = status ?? 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
