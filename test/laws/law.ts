/**
 * Trying a law on generated scenarios.
 *
 * Owns: fast-check's seed and number of cases (docs/invariants.md names the variables that change them), playing a
 * scenario in pieces, and what a failure tells: the seed and path that find it again, and the smallest scenario
 * that breaks the law as files that `sim run` takes.
 */
import fc from "fast-check";
import type { RunEnd } from "../../src/observe/index.ts";
import type { Observer } from "../../src/observe/observations.ts";
import { replayCommand } from "../../src/output/index.ts";
import { compile, type Run } from "../../src/scenario/compile.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import type { WholeScenario } from "../../src/testing/arbitraries/scenarios.ts";
import { resolved, writeScenario } from "./written.ts";

/** fast-check's seed unless the environment says otherwise: the same cases on every machine. */
const SEED = 20_260_101;

export interface LawOptions {
  /** Cases, before PODSTORM_LAWS_TIMES multiplies them. */
  readonly cases: number;
  /** Overrides the environment: for the test of this file. */
  readonly seed?: number;
}

/** @throws Error with the smallest scenario found for which `holds` throws */
export function lawHolds(
  law: string,
  scenarios: fc.Arbitrary<WholeScenario>,
  holds: (scenario: ResolvedScenario, whole: WholeScenario) => void,
  options: LawOptions,
): void {
  const { env } = process;
  const seed = options.seed ?? Number(env["PODSTORM_LAWS_SEED"] ?? SEED);
  const path = options.seed === undefined ? env["PODSTORM_LAWS_PATH"] : undefined;
  fc.assert(
    fc.property(scenarios, (whole) => holds(resolved(whole), whole)),
    {
      seed,
      numRuns: options.cases * Number(env["PODSTORM_LAWS_TIMES"] ?? 1),
      ...(path === undefined ? {} : { path }),
      reporter: (details) => {
        if (details.failed)
          throw new Error(complaint(law, details), { cause: details.errorInstance });
      },
    },
  );
}

function complaint(law: string, details: fc.RunDetails<[WholeScenario]>): string {
  const { counterexample, counterexamplePath, errorInstance, seed, numRuns, numShrinks } = details;
  const scenario = counterexample![0];
  const file = writeScenario(scenario, `What breaks law ${law}?`);
  const said = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
  return [
    `law ${law} is broken (case ${numRuns}, shrunk ${numShrinks} times): ${said}`,
    `Find it again:  PODSTORM_LAWS_SEED=${seed} PODSTORM_LAWS_PATH=${counterexamplePath}`,
    `Run it:         ${replayCommand({ file, seed: String(scenario.input.seed ?? 1), env: {} })}`,
  ].join("\n");
}

export interface Play {
  readonly run: Run;
  readonly end: RunEnd;
}

/** Runs a scenario to its end, in `pieces` equal pieces with a look at it after each. */
export function play(
  scenario: ResolvedScenario,
  options: {
    readonly observers?: readonly Observer[];
    readonly pieces?: number;
    /** Before anything has happened. */
    readonly before?: (run: Run) => void;
    readonly look?: (run: Run) => void;
  } = {},
): Play {
  const { observers = [], pieces = 1, before, look } = options;
  const run = compile(scenario, observers);
  before?.(run);
  for (let piece = 1; piece <= pieces; piece++) {
    run.runUntil(Math.floor((scenario.durationNs * piece) / pieces));
    look?.(run);
  }
  return { run, end: run.finish() };
}
