/**
 * A generated scenario on disk and in memory.
 *
 * Owns: writing it as the two files that `sim run` reads, and resolving it by the same rules without bundling
 * them, which would take longer than the run.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { validateScenario } from "../../src/scenario/validate.ts";
import { FileMistakes, UserError, type Mistake } from "../../src/scenario/mistakes.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import type { WholeScenario } from "./arbitrary/scenario.ts";

function manifestText({ manifest }: WholeScenario): string {
  return manifest.map((object) => stringify(object)).join("---\n");
}

/** The words of the language only make plain data, so plain data is a scenario as well. */
function scenarioText({ input }: WholeScenario, question: string): string {
  return `/** ${question} */
import { defineScenario } from "podstorm";

export default defineScenario(${JSON.stringify(input, null, 2)});
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
export function resolved(scenario: WholeScenario): ResolvedScenario {
  const folder = mkdtempSync(join(tmpdir(), "podstorm-case-"));
  try {
    writeFileSync(join(folder, "cluster.yaml"), manifestText(scenario));
    return validated(scenario, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function validated({ input }: WholeScenario, folder: string): ResolvedScenario {
  const found: Mistake[] = [];
  const result = validateScenario(
    input,
    {
      name: "scenario",
      description: "",
      file: null,
      env: {},
      folder,
      shownFolder: "",
      defaultProfile,
    },
    new FileMistakes("scenario.ts", () => null, found),
    found,
  );
  if (result === undefined || found.length > 0) throw new UserError(found);
  return result;
}
