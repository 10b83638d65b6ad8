/** `sim rules`: its options. Refuses to own: the work (../look.ts). */
import type { Command } from "commander";
import { ExitCode } from "../io.ts";
import { nonEmpty, subjectOf } from "../options.ts";
import type { CommandLine } from "./contract.ts";
import { familyNumber, familyOption, lookCommand, type LookOptions } from "./look.ts";

interface RulesOptions extends LookOptions {
  readonly node: string;
  readonly family: "4" | "6";
}

const rulesExamples = `
Examples:
  sim rules scenarios/reset-storm.ts --node node-1
  sim rules scenarios/reset-storm.ts --node node-1 --at 21s | grep KUBE-SEP
`;

/** Adds `sim rules`. */
export function addRules({ program, io, dependencies, ended }: CommandLine): void {
  lookCommand(program, "rules")
    .description("show what a node's kube-proxy has programmed, as the node's own tools would")
    .requiredOption("--node <name>", "the node", nonEmpty)
    .addOption(familyOption("IP family").default("4"))
    .addHelpText("after", rulesExamples)
    .action(async (file: string | undefined, options: RulesOptions, command: Command) => {
      const { family, ...given } = subjectOf(file, options, command);
      const args = { ...given, family: familyNumber(family) };
      await (await import("../look.ts")).rulesCommand(args, io, dependencies);
      ended(ExitCode.done);
    });
}
