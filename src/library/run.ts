/**
 * `run(scenario)`: a simulation in this process, as a promise.
 *
 * Owns: the door. What is behind it is loaded when it is first asked: a scenario, which imports the same entry for its
 * words, loads nothing of it.
 */
import type { ScenarioDefinition } from "../scenario/language/scenario.ts";
import type { Manifests, ReplicationsOptions, RunOptions } from "./options.ts";
import type { ReplicationsResult, RunResult } from "./result.ts";

/**
 * Runs a scenario in this process. Nothing is printed and nothing is written.
 *
 * @example
 * ```ts
 * import { defineScenario, openLoop, run } from "podstorm";
 *
 * const scenario = defineScenario({
 *   duration: "2s",
 *   cluster: { nodes: 2, manifests: ["nginx.yaml"] },
 *   clients: [{ name: "web", to: "svc/nginx:8080", load: openLoop(50) }],
 * });
 * const result = await run(scenario, { seed: 7, folder: "scenarios" });
 * console.log(result.requests.failed, "of", result.requests.ended, "failed");
 * console.log(result.figure("requests_failed.rate"));
 * ```
 *
 * Output:
 *
 * ```text
 * 0 of 87 failed
 * 0
 * ```
 *
 * @param scenario what `defineScenario` gives, the path of a scenario's file, or `{ filename: [...] }` with manifests
 * @returns what came of it: figures, tables, thresholds, broken laws
 * @throws {@link UserError} with every mistake in the scenario, its manifests and the options
 */
export async function run(
  scenario: ScenarioDefinition | Manifests | string,
  options: RunOptions = {},
): Promise<RunResult> {
  const { runInProcess } = await import("./inProcess.ts");
  return runInProcess(scenario, options);
}

/**
 * Runs independent replications of a scenario, one after another, so that each figure has an interval.
 *
 * @example
 * ```ts
 * import { defineScenario, openLoop, resetPods, runReplications } from "podstorm";
 *
 * const scenario = defineScenario({
 *   duration: "4s",
 *   cluster: { nodes: 2, manifests: ["nginx.yaml"] },
 *   clients: [{ name: "web", to: "svc/nginx:8080", load: openLoop(50) }],
 *   faults: [resetPods({ selector: "app=nginx", count: 1, at: "1s" })],
 * });
 * const all = await runReplications(scenario, { replications: 4, folder: "scenarios" });
 * const { low, high } = all.figure("requests.count");
 * console.log(low! < 200 && 200 < high!);
 * ```
 *
 * Output:
 *
 * ```text
 * true
 * ```
 *
 * @throws {@link UserError} as {@link run}
 */
export async function runReplications(
  scenario: ScenarioDefinition | Manifests | string,
  options: ReplicationsOptions,
): Promise<ReplicationsResult> {
  const { replicateInProcess } = await import("./inProcess.ts");
  return replicateInProcess(scenario, options);
}
