/**
 * A generated scenario on disk and in memory.
 *
 * Owns: writing it as the two files that `sim run` reads, and resolving it by the same rules without bundling
 * them, which would take longer than the run.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { loadDefinition } from "../../src/scenario/load.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import type { WholeScenario } from "../../src/testing/arbitraries/scenarios.ts";

function manifestText({ objects }: WholeScenario): string {
  return objects.map((object) => stringify(object)).join("---\n");
}

/** The words of the language only make plain data, so plain data is a scenario as well. */
function scenarioText({ input }: WholeScenario, question: string): string {
  const cluster = { ...input.cluster, manifests: ["./cluster.yaml"] };
  return `/** ${question} */
import { defineScenario } from "podstorm";

export default defineScenario(${JSON.stringify({ ...input, cluster }, null, 2)});
`;
}

/**
 * @param folder default: a new one
 * @returns the path of the scenario's file, in a folder that stays for whoever looks for the fault
 */
export function writeScenario(
  scenario: WholeScenario,
  question: string,
  folder = mkdtempSync(join(tmpdir(), "podstorm-law-")),
): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "cluster.yaml"), manifestText(scenario));
  writeFileSync(join(folder, "scenario.ts"), scenarioText(scenario, question));
  return join(folder, "scenario.ts");
}

/** @throws UserError if what was generated is no valid scenario */
export function resolved({ input, objects }: WholeScenario): ResolvedScenario {
  return loadDefinition(input, { objects });
}
