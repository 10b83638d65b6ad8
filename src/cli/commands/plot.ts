/** `sim plot`: its options. Refuses to own: the work (../plot.ts). */
import { Option } from "commander";
import type { FigureFormat, FigureKindName } from "../../plot/index.ts";
import { nonEmpty, oneOf } from "../options.ts";
import type { CommandLine } from "./contract.ts";

const plotExamples = `
Examples:
  sim plot results/reset-storm
  sim plot results/reset-storm --kind lag --kind timeline --format png -o figures
`;

const plotKinds = [
  "lag",
  "skew",
  "latency",
  "timeline",
] as const satisfies readonly FigureKindName[];
const plotFormats = ["svg", "png"] as const satisfies readonly FigureFormat[];

interface PlotOptions {
  readonly kind?: readonly FigureKindName[];
  readonly format: FigureFormat;
  readonly output: string;
}

/** Adds `sim plot`. */
export function addPlot({ program, io, dependencies, ended }: CommandLine): void {
  program
    .command("plot")
    .argument("<folder>", "folder of results")
    .description("draw figures of a run's results, for papers and READMEs")
    .addOption(
      new Option("--kind <kind>", "which; may be repeated (default: all)")
        .choices(plotKinds)
        .argParser(oneOf(plotKinds)),
    )
    .addOption(new Option("--format <format>", "of the files").choices(plotFormats).default("svg"))
    .option("-o, --output <dir>", "folder to write to", nonEmpty, ".")
    .addHelpText("after", plotExamples)
    .action(async (folder: string, { kind = plotKinds, format, output }: PlotOptions) => {
      const { plotCommand } = await import("../plot.ts");
      ended(await plotCommand({ folder, kinds: kind, format, output }, io, dependencies));
    });
}
