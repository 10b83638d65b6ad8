/** `sim report`: its options. Refuses to own: the work (../report.ts). */
import { ExitCode } from "../io.ts";
import { nonEmpty } from "../options.ts";
import type { CommandLine } from "./contract.ts";

const reportExamples = `
Examples:
  sim report results/reset-storm
  sim report results/reset-storm -o storm.html
`;

/** Adds `sim report`. */
export function addReport({ program, io, dependencies, ended }: CommandLine): void {
  program
    .command("report")
    .argument("<results>", "folder that a run wrote")
    .description("make one HTML file of a folder of results, to look at and to pass on")
    .option("-o, --output <file>", "file to write (default: <results>.html)", nonEmpty)
    .addHelpText("after", reportExamples)
    .action(async (results: string, options: { readonly output?: string }) => {
      await (await import("../report.ts")).reportCommand({ results, ...options }, io, dependencies);
      ended(ExitCode.done);
    });
}
