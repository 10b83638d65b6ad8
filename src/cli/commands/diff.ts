/** `sim diff`: its options, and those of the second run alone. Refuses to own: the work (../diff.ts). */
import { Command } from "commander";
import type { Io } from "../io.ts";
import {
  changesOf,
  manifestsOption,
  scenarioOptions,
  subjectOf,
  type ScenarioOptions,
} from "../options.ts";
import type { CommandLine } from "./contract.ts";

const diffExamples = `
Examples:
  sim diff scenarios/hello.ts --other '--seed 2'
  sim diff before.ts after.ts --duration 30s
  sim diff -f k8s/ --other '-f k8s-new/' --rate 200
  sim diff results/monday results/tuesday
`;

interface DiffOptions extends ScenarioOptions {
  readonly other?: string;
}

type DiffArguments = [a: string | undefined, b: string | undefined, DiffOptions, Command];

/** Adds `sim diff`. */
export function addDiff({ program, io, dependencies, ended }: CommandLine): void {
  scenarioOptions(manifestsOption(program.command("diff")))
    .argument("[a]", "scenario, or folder of results")
    .argument("[b]", "the other one (default: the first scenario, with --other)")
    .description("find where two runs, or two folders of results, part, and what each knew there")
    .option("--other <options>", "options of the second alone, as one word: '--seed 2 -e A=1'")
    .addHelpText("after", diffExamples)
    .action(async (...given: DiffArguments) => {
      const { diffCommand } = await import("../diff.ts");
      const [a, b, options, command] = given;
      const { other = "", ...both } = subjectOf(a, options, command);
      const second = optionsIn(other, io);
      const env = { ...both.env, ...second.env };
      const file = b ?? second.filename?.join(" ") ?? both.file;
      const args = { a: both, b: { ...both, ...second, env, file } };
      ended(await diffCommand(args, io, dependencies));
    });
}

/** Options that are one word of the command line. @throws CommanderError for what is none of a scenario */
function optionsIn(text: string, io: Io) {
  const command = scenarioOptions(manifestsOption(new Command("--other"))).exitOverride();
  command.configureOutput({ writeErr: (said) => io.stderr.write(`--other: ${said}`) });
  const words = text.split(/\s+/).filter((word) => word !== "");
  return changesOf(command.parse(words, { from: "user" }).opts<ScenarioOptions>());
}
