/**
 * Runs in this process: load, compile, run in slices, conclude.
 *
 * Owns: the order of these, for a program that wants a result and no files. Refuses to own: each of them, printing,
 * and exit codes (cli/).
 */
import { Recording } from "../observe/index.ts";
import { combine, conclude, digestOf, replayCommand } from "../output/index.ts";
import { compile } from "../scenario/compile.ts";
import {
  loadDefinition,
  loadScenario,
  optionMistake,
  UserError,
  type ResolvedScenario,
} from "../scenario/index.ts";
import type { ScenarioDefinition } from "../scenario/language/scenario.ts";
import type { ReplicationsOptions, RunOptions } from "./options.ts";
import { ReplicationsResult, RunResult } from "./result.ts";
import { runInSlices } from "./slices.ts";

export async function runInProcess(
  scenario: ScenarioDefinition | string,
  options: RunOptions,
): Promise<RunResult> {
  const { replication = 0 } = options;
  if (!Number.isSafeInteger(replication) || replication < 0) {
    throw mistake("replication", String(replication), "a whole number from 0");
  }
  return simulate(await load(scenario, options), options, replication);
}

export async function replicateInProcess(
  scenario: ScenarioDefinition | string,
  options: ReplicationsOptions,
): Promise<ReplicationsResult> {
  const { replications } = options;
  if (!Number.isSafeInteger(replications) || replications < 2) {
    throw mistake("replications", String(replications), "a whole number from 2");
  }
  const resolved = await load(scenario, options);
  const runs: RunResult[] = [];
  while (runs.length < replications) runs.push(await simulate(resolved, options, runs.length));
  return new ReplicationsResult(runs, combine(runs.map(({ summary }) => summary)));
}

/** @throws UserError with every mistake in it */
export function load(
  scenario: ScenarioDefinition | string,
  { seed, objects, folder, name, ...options }: RunOptions,
): Promise<ResolvedScenario> | ResolvedScenario {
  const all = { ...options, ...(seed !== undefined && { seed: String(seed) }) };
  if (typeof scenario !== "string")
    return loadDefinition(scenario, { ...all, objects, folder, name });
  const given = Object.entries({ objects, folder, name }).find(([, value]) => value !== undefined);
  if (given !== undefined) {
    throw mistake(given[0], "given beside a scenario's file", "only with a definition");
  }
  return loadScenario(scenario, all);
}

/** Runs what is loaded. @throws the signal's reason when it was aborted */
export async function simulate(
  scenario: ResolvedScenario,
  options: RunOptions,
  replication: number,
): Promise<RunResult> {
  const recording = new Recording();
  const run = compile(scenario, recording.observers, replication);
  const outside = {
    signal: options.signal ?? new AbortController().signal,
    nowMs: () => performance.now(),
    breathe: () => new Promise<void>((resolve) => setImmediate(resolve)),
  };
  await runInSlices(run, run.durationNs, outside, options.onProgress ?? (() => {}));
  const conclusion = conclude(scenario, recording, run.finish(), run.durationNs);
  const { fingerprint } = digestOf(conclusion.tables);
  return new RunResult(
    conclusion.summary(fingerprint),
    conclusion,
    replayOf(scenario, options, replication),
  );
}

function replayOf(
  { file, seed, env }: ResolvedScenario,
  { duration, thresholds }: RunOptions,
  replication: number,
): string | null {
  if (file === null) return null;
  return replayCommand({ file, seed, env, duration, thresholds, replication });
}

function mistake(option: string, found: string, allowed: string): UserError {
  return new UserError([optionMistake(option, found, allowed)]);
}
