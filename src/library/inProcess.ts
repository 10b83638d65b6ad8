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
import type { Manifests, ReplicationsOptions, RunOptions } from "./options.ts";
import { ReplicationsResult, RunResult } from "./result.ts";
import { runInSlices } from "./slices.ts";

export async function runInProcess(
  scenario: ScenarioDefinition | Manifests | string,
  options: RunOptions,
): Promise<RunResult> {
  const { replication = 0 } = options;
  if (!Number.isSafeInteger(replication) || replication < 0) {
    throw mistake("replication", String(replication), "a whole number from 0");
  }
  const asked = { ...options, ...manifestsOf(scenario) };
  return simulate(await load(scenario, options), asked, replication);
}

export async function replicateInProcess(
  scenario: ScenarioDefinition | Manifests | string,
  options: ReplicationsOptions,
): Promise<ReplicationsResult> {
  const { replications } = options;
  if (!Number.isSafeInteger(replications) || replications < 2) {
    throw mistake("replications", String(replications), "a whole number from 2");
  }
  const resolved = await load(scenario, options);
  const asked = { ...options, ...manifestsOf(scenario) };
  const runs: RunResult[] = [];
  while (runs.length < replications) runs.push(await simulate(resolved, asked, runs.length));
  return new ReplicationsResult(runs, combine(runs.map(({ summary }) => summary)));
}

/** @throws UserError with every mistake in it */
export function load(
  scenario: ScenarioDefinition | Manifests | string,
  { seed, objects, folder, name, ...options }: RunOptions,
): Promise<ResolvedScenario> | ResolvedScenario {
  const all = { ...options, ...(seed !== undefined && { seed: String(seed) }) };
  const manifests = manifestsOf(scenario);
  if (typeof scenario !== "string" && manifests === null)
    return loadDefinition(scenario, { ...all, objects, folder, name });
  const given = Object.entries({ objects, folder, name }).find(([, value]) => value !== undefined);
  if (given !== undefined) {
    throw mistake(given[0], "given beside a file", "only with a definition");
  }
  return loadScenario(typeof scenario === "string" ? scenario : "", { ...all, ...manifests });
}

function manifestsOf(scenario: ScenarioDefinition | Manifests | string): Manifests | null {
  return typeof scenario === "object" && "filename" in scenario ? scenario : null;
}

/** Runs what is loaded. @throws the signal's reason when it was aborted */
export async function simulate(
  scenario: ResolvedScenario,
  options: RunOptions & Partial<Manifests>,
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
  options: RunOptions & Partial<Manifests>,
  replication: number,
): string | null {
  const { duration, thresholds, filename, rates, resets, nodes, zones } = options;
  if (file === null && filename === undefined) return null;
  const changes = { duration, thresholds, filename, rates, resets, nodes, zones };
  return replayCommand({ file, seed, env, ...changes, replication });
}

function mistake(option: string, found: string, allowed: string): UserError {
  return new UserError([optionMistake(option, found, allowed)]);
}
