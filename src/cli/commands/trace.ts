/** `sim trace`: its options. Refuses to own: the work (../look.ts). */
import type { Command } from "commander";
import type { TraceFormat } from "../../inspect/index.ts";
import { ExitCode } from "../io.ts";
import { nonEmpty, outputOption, subjectOf } from "../options.ts";
import type { CommandLine } from "./contract.ts";
import { familyNumber, familyOption, lookCommand, type LookOptions } from "./look.ts";

interface TraceOptions extends LookOptions {
  readonly from: string;
  readonly to: string;
  readonly family?: "4" | "6";
  readonly output: TraceFormat;
}

const traceExamples = `
Examples:
  sim trace scenarios/reset-storm.ts --from pod/client-web-0 --to svc/nginx:8080 --at 12s
  sim trace scenarios/reset-storm.ts --from outside --to node/node-1:31000 -o mermaid
`;

const traceOutputs = ["text", "json", "mermaid", "dot"] as const satisfies readonly TraceFormat[];

/** Adds `sim trace`. */
export function addTrace({ program, io, dependencies, ended }: CommandLine): void {
  lookCommand(program, "trace")
    .description("show the path of a first packet, sent at an instant of the run")
    .requiredOption(
      "--from <place>",
      "pod/NAME, node/NAME, container/NAME, host/NAME, outside or outside/NAME",
      nonEmpty,
    )
    .requiredOption(
      "--to <target>",
      "svc/NAME:PORT, pod/NAME:PORT, node/NAME:PORT, container/NAME:PORT, host/NAME:PORT or IP:PORT",
      nonEmpty,
    )
    .addOption(outputOption("how it is printed", traceOutputs))
    .addOption(familyOption("IP family, where both ends have two; default: the target's primary"))
    .addHelpText("after", traceExamples)
    .action(async (file: string | undefined, options: TraceOptions, command: Command) => {
      const { family, ...given } = subjectOf(file, options, command);
      const chosen = family === undefined ? {} : { family: familyNumber(family) };
      const args = { ...given, ...chosen };
      await (await import("../look.ts")).traceCommand(args, io, dependencies);
      ended(ExitCode.done);
    });
}
