/**
 * The rooms below, as the commands use them. Each is imported only when a command needs it, so that
 * `sim --help` is quick.
 *
 * Owns: joining the command line to the rooms that load and compile scenarios.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { ResolvedScenario } from "../scenario/resolved.ts";
import type { Wanted } from "../inspect/index.ts";
import type { Dependencies, Explaining, ImportedScenario, Look } from "./dependencies.ts";

/** Both src/cli and dist/cli stand two levels below the package's folder. */
const packageUrl = new URL("../../", import.meta.url);

export function realDependencies(): Dependencies {
  return {
    version: packageVersion(),
    loadScenario: async (file, overrides) => {
      // The compiler works while the rest is still being imported; manifests need none.
      const typing =
        overrides.filename === undefined
          ? (await import("../scenario/typecheck.ts")).typeMistakes(file)
          : undefined;
      const { loadScenario } = await import("../scenario/load.ts");
      return loadScenario(file, { ...overrides, typing });
    },
    compile: async (scenario, observers, replication, instruments = []) => {
      const { compile } = await import("../scenario/compile.ts");
      const watching = instruments.flatMap((instrument) => instrument.observers);
      const run = compile(scenario, [...observers, ...watching], replication);
      for (const instrument of instruments) instrument.attach(run);
      return run;
    },
    instruments: async (options, scenario) =>
      (await import("../telemetry/index.ts")).instrumentsOf(options, scenario, packageVersion()),
    replicate: async (...asked) => (await import("./threads.ts")).replicate(...asked),
    answer: async (...asked) => (await import("./threads.ts")).answerOnThreads(...asked),
    look,
    explain,
    diffRuns: async (a, b) => (await import("../inspect/diff/index.ts")).diffRuns(a, b),
    diffFolders: async (a, b) => (await import("../inspect/diff/index.ts")).diffFolders(a, b),
    report: {
      check: async (file, dir) => (await import("../report/index.ts")).checkReportFile(file, dir),
      write: async (dir, file) => (await import("../report/index.ts")).writeReport(dir, file),
    },
    plot: async (...asked) => (await import("../plot/index.ts")).plotResults(...asked),
    runFresh,
    importCluster,
    template: async () => ({
      name: "first",
      scenario: await shipped("first.ts"),
      manifest: await shipped("first.yaml"),
    }),
    listScenarios: async () =>
      (await import("../scenario/list.ts")).listScenarios(
        fileURLToPath(new URL("scenarios/", packageUrl)),
      ),
  };
}

async function importCluster(
  paths: readonly string[],
  trafficFile?: string,
): Promise<ImportedScenario> {
  const {
    importCluster: read,
    readStdin,
    writtenScenario,
    yamlOf,
  } = await import("../scenario/import/index.ts");
  const { readTraffic } = await import("../scenario/traffic/index.ts");
  const traffic = trafficFile === undefined ? undefined : readTraffic(trafficFile, readStdin);
  const { draft, objects, report } = read(paths, readStdin, { traffic });
  return {
    scenarioText: (manifest) => writtenScenario(draft, manifest),
    manifestText: () => yamlOf(objects),
    report,
  };
}

function shipped(file: string): Promise<string> {
  return readFile(new URL(`scenarios/${file}`, packageUrl), "utf8");
}

function runFresh(words: readonly string[], signal: AbortSignal): Promise<number> {
  const main = fileURLToPath(new URL("main.js", import.meta.url));
  const child = spawn(process.execPath, [main, ...words], {
    stdio: ["ignore", "ignore", "inherit"],
    signal,
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}

async function look(scenario: ResolvedScenario): Promise<Look> {
  const { compile } = await import("../scenario/compile.ts");
  const { nodeRules, traceFirstPacket, traceFormats, PodLives, timelineFormats, timelineOf } =
    await import("../inspect/index.ts");
  const lives = new PodLives();
  const run = compile(scenario, [lives]);
  return Object.assign(run, {
    timeline: (...[pods, format]: Parameters<Look["timeline"]>) =>
      timelineFormats[format](timelineOf(lives, scenario, run.nowNs, pods)),
    rules: (node: string, family: 4 | 6) => nodeRules(run, scenario, node, family),
    trace: (...[request, format]: Parameters<Look["trace"]>) =>
      traceFormats[format](traceFirstPacket(run, scenario, request)),
  });
}

async function explain(scenario: ResolvedScenario, wanted: Wanted): Promise<Explaining> {
  const { Explainer, explanationFormats } = await import("../inspect/index.ts");
  const explainer = new Explainer(scenario, wanted);
  return {
    search: explainer.search,
    again: () => explainer.again(),
    explain: (format) => explanationFormats[format](explainer.explain()),
  };
}

function packageVersion(): string {
  const text = readFileSync(new URL("package.json", packageUrl), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}
