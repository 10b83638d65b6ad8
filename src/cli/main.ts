#!/usr/bin/env node
/**
 * The `sim` command.
 *
 * Owns: joining the command line to the rooms that load and compile scenarios. They are imported only
 * when a command needs them, so that `sim --help` is quick.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runProcess } from "./process.ts";

/** Both src/cli and dist/cli stand two levels below the package's folder. */
const packageUrl = new URL("../../", import.meta.url);

function packageVersion(): string {
  const text = readFileSync(new URL("package.json", packageUrl), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}

await runProcess({
  version: packageVersion(),
  loadScenario: async (file, overrides) =>
    (await import("../scenario/index.ts")).loadScenario(file, overrides),
  compile: async (scenario, observers) =>
    (await import("../scenario/compile.ts")).compile(scenario, observers),
  listScenarios: async () =>
    (await import("../scenario/index.ts")).listScenarios(
      fileURLToPath(new URL("scenarios/", packageUrl)),
    ),
});
