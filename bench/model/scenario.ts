/**
 * Scenarios for benchmarks: read as a user's are, run with every recorder on.
 *
 * Owns: loading a file beside this one, and running it for a given simulated time.
 */
import { join } from "node:path";
import { Fingerprint } from "../../src/engine/index.ts";
import { Recording } from "../../src/observe/recorders/index.ts";
import { compile } from "../../src/scenario/compile.ts";
import { validateScenario } from "../../src/scenario/validate.ts";
import type { ScenarioInput } from "../../src/scenario/language/scenario.ts";
import { FileMistakes, UserError, type Mistake } from "../../src/scenario/mistakes.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";

/** Manifests are looked for in bench/model of the repository, where `npm run bench` runs. */
export function resolve(name: string, scenario: ScenarioInput): ResolvedScenario {
  const found: Mistake[] = [];
  const folder = join(process.cwd(), "bench", "model");
  const resolved = validateScenario(
    scenario,
    {
      name,
      description: "",
      file: null,
      env: {},
      folder,
      shownFolder: folder,
      defaultProfile,
    },
    new FileMistakes(name, () => null, found),
    found,
  );
  if (resolved === undefined || found.length > 0) throw new UserError(found);
  return resolved;
}

export interface BenchRun {
  readonly requests: number;
  readonly hash: string;
}

/** Builds and runs the scenario for `durationNs`; the hash is over every event and every row. */
export function runFor(scenario: ResolvedScenario, durationNs: number): BenchRun {
  return prepared(scenario, durationNs)();
}

/** Builds the scenario; what is returned runs it once. */
export function prepared(scenario: ResolvedScenario, durationNs: number): () => BenchRun {
  const recording = new Recording();
  const run = compile({ ...scenario, durationNs }, recording.observers);
  return () => runBuilt(run, recording, durationNs);
}

function runBuilt(
  run: ReturnType<typeof compile>,
  recording: Recording,
  durationNs: number,
): BenchRun {
  run.runUntil(durationNs);
  const end = run.finish();
  if (end.brokenLaws.length > 0) throw new Error(JSON.stringify(end.brokenLaws));
  const print = new Fingerprint();
  print.addText(end.eventFingerprint);
  let requests = 0;
  for (const table of recording.tables({ ...end, endNs: durationNs })) {
    for (const row of table.rows) for (const cell of row) print.addText(String(cell));
    if (table.file !== "requests.csv") continue;
    const count = table.columns.indexOf("count");
    for (const row of table.rows) requests += Number(row[count]);
  }
  return { requests, hash: print.hex() };
}
