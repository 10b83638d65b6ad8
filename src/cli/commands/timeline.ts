/** `sim timeline`: its options. Refuses to own: the work (../look.ts). */
import type { Command } from "commander";
import type { TimelineFormat } from "../../inspect/index.ts";
import { ExitCode } from "../io.ts";
import { nonEmpty, outputOption, scenarioCommand, subjectOf } from "../options.ts";
import type { CommandLine } from "./contract.ts";
import type { LookOptions } from "./look.ts";

interface TimelineOptions extends LookOptions {
  readonly pod: string;
  readonly output: TimelineFormat;
}

const timelineExamples = `
Examples:
  sim timeline scenarios/reset-storm.ts --pod 'nginx-*' --at 25s
  sim timeline scenarios/reset-storm.ts --pod nginx-k7pnvt6bkz-jjszx -o json
`;

const timelineOutputs = ["text", "json"] as const satisfies readonly TimelineFormat[];

/** Adds `sim timeline`. */
export function addTimeline({ program, io, dependencies, ended }: CommandLine): void {
  scenarioCommand(program, "timeline")
    .description("show a pod's life, stage by stage, until the last node has stopped sending to it")
    .requiredOption(
      "--pod <pattern>",
      "NAME or NAMESPACE/NAME, with * for any characters",
      nonEmpty,
    )
    .option("--at <t>", 'follow it until then, as "12s" (default: the end of the run)', nonEmpty)
    .addOption(outputOption("how it is printed", timelineOutputs))
    .addHelpText("after", timelineExamples)
    .action(async (file: string | undefined, options: TimelineOptions, command: Command) => {
      const { timelineCommand } = await import("../look.ts");
      await timelineCommand(subjectOf(file, options, command), io, dependencies);
      ended(ExitCode.done);
    });
}
