/** `sim explain`: its options. Refuses to own: the work (../explain.ts). */
import type { Command } from "commander";
import type { ExplanationFormat } from "../../inspect/index.ts";
import { ExitCode } from "../io.ts";
import {
  nonEmpty,
  outputOption,
  scenarioCommand,
  subjectOf,
  type ScenarioOptions,
} from "../options.ts";
import type { CommandLine } from "./contract.ts";

interface ExplainOptions extends ScenarioOptions {
  readonly request?: string;
  readonly firstFailure?: string;
  readonly output: ExplanationFormat;
}

const explainExamples = `
Examples:
  sim explain scenarios/reset-storm.ts --first-failure refused
  sim explain scenarios/reset-storm.ts --request 19136 -o json
`;

const explainOutputs = ["text", "json"] as const satisfies readonly ExplanationFormat[];

/** Adds `sim explain`. */
export function addExplain({ program, io, dependencies, ended }: CommandLine): void {
  scenarioCommand(program, "explain")
    .description("say why a request failed, and which setting would have avoided it")
    .option("--request <n>", "its number, as failed_requests.csv has it", nonEmpty)
    .option("--first-failure <cause>", "or the first that failed so", nonEmpty)
    .addOption(outputOption("how it is printed", explainOutputs))
    .addHelpText("after", explainExamples)
    .action(async (file: string | undefined, options: ExplainOptions, command: Command) => {
      const { explainCommand } = await import("../explain.ts");
      await explainCommand(subjectOf(file, options, command), io, dependencies);
      ended(ExitCode.done);
    });
}
