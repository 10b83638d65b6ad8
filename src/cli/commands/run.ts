/** `sim run`: its options. Refuses to own: the work (../run.ts). */
import { Option, type Command } from "commander";
import type { SummaryFormatName } from "../../output/index.ts";
import type { InstrumentOptions } from "../../telemetry/index.ts";
import {
  gathered,
  instrumentOptions,
  nonEmpty,
  outputOption,
  scenarioCommand,
  subjectOf,
  wholeNumber,
  type ScenarioOptions,
} from "../options.ts";
import type { CommandLine } from "./contract.ts";

interface RunOptions extends ScenarioOptions, InstrumentOptions {
  readonly output: SummaryFormatName;
  readonly threshold?: readonly string[];
  readonly replications?: number;
  readonly replication?: number;
  readonly jobs?: number;
  readonly out?: string;
  readonly report?: string;
  readonly quiet?: true;
  readonly live?: true;
}

const summaryOutputs = [
  "table",
  "json",
  "csv",
  "markdown",
  "junit",
] as const satisfies readonly SummaryFormatName[];

const runExamples = `
Examples:
  sim run scenarios/reset-storm.ts
  sim run scenarios/reset-storm.ts --seed 7 --duration 30s --out results/short
  sim run my.ts -e REPLICAS=12 -e GRACE=5s
  sim run -f shop.yaml --reset deploy/frontend --rate 500 --duration 2m
  sim run scenarios/reset-storm.ts --report storm.html
  sim run my.ts --threshold 'requests_failed.rate<0.1%' --threshold 'request_duration.p(99)<250ms'
`;

/** Adds `sim run`. */
export function addRun({ program, io, dependencies, ended }: CommandLine): void {
  const command = scenarioCommand(program, "run")
    .description("run a scenario and write its results")
    .option("--out <dir>", "folder of the results (default: results/<scenario>)", nonEmpty)
    .option(
      "--threshold <t>",
      "what the run has to keep to, as METRIC.AGGREGATION<LIMIT; may be repeated",
      gathered,
    )
    .addOption(outputOption("how the summary is printed", summaryOutputs))
    .option(
      "--replications <n>",
      "run it so often, each time with other draws, and give intervals",
      wholeNumber(2, 100_000),
    )
    .option("--jobs <n>", "threads for replications (default: one a core)", wholeNumber(1, 1024))
    .option(
      "--replication <i>",
      "only this one of the replications, from 0",
      wholeNumber(0, 99_999),
    )
    .addOption(
      new Option("--report <file>", "write a report to look at: one HTML file").argParser(nonEmpty),
    )
    .option("--quiet", "print no summary and no progress, only errors")
    .option("--live", "draw a dashboard on the terminal while it runs");
  instrumentOptions(command)
    .addHelpText("after", runExamples)
    .action(async (file: string | undefined, options: RunOptions, command: Command) => {
      const { runCommand } = await import("../run.ts");
      const { quiet, threshold: thresholds = [], ...given } = subjectOf(file, options, command);
      const { replications, jobs, ...single } = given;
      const args = { thresholds, quiet: quiet === true, ...single };
      if (replications !== undefined) {
        const { replicationsCommand } = await import("../replications.ts");
        const all = { ...args, replications, ...(jobs !== undefined && { jobs }) };
        ended(await replicationsCommand(all, io, dependencies));
        return;
      }
      ended(await runCommand(args, io, dependencies));
    });
}
