/** What the commands that look at a run on its way have in common: `--at` and `--family`. */
import { Option, type Command } from "commander";
import { nonEmpty, scenarioCommand, type ScenarioOptions } from "../options.ts";

export interface LookOptions extends ScenarioOptions {
  readonly at?: string;
}

/** One that looks at a run on its way. */
export function lookCommand(program: Command, name: string): Command {
  return scenarioCommand(program, name).option(
    "--at <t>",
    'simulated time, as "12s" (default: the start of the run)',
    nonEmpty,
  );
}

export function familyOption(description: string): Option {
  return new Option("--family <n>", description).choices(["4", "6"]);
}

export function familyNumber(text: "4" | "6"): 4 | 6 {
  return text === "6" ? 6 : 4;
}
