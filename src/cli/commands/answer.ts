/** `sim answer`: its options. Refuses to own: the work (../answer.ts). */
import type { AnswerFormatName } from "../../answers/index.ts";
import { ExitCode } from "../io.ts";
import {
  aShare,
  gathered,
  nonEmpty,
  outputOption,
  positiveNumber,
  timeoutOption,
  wholeNumber,
} from "../options.ts";
import type { CommandLine } from "./contract.ts";

const answerExamples = `
Examples:
  sim answer
  sim answer prestop -f my.yaml --deploy web --rate 300
  kubectl get nodes,deploy,pods,svc -A -o json | sim answer maxsurge -f - --deploy shop/web -o markdown
`;

const answerOutputs = ["table", "json", "markdown"] as const satisfies readonly AnswerFormatName[];

interface AnswerCommandOptions {
  readonly output: AnswerFormatName;
  readonly filename?: readonly string[];
}

/** Adds `sim answer`. */
export function addAnswer({ program, io, dependencies, ended }: CommandLine): void {
  timeoutOption(program.command("answer"))
    .argument("[question]", "which question; without it they are listed")
    .description("answer a question about a cluster, by replications of runs")
    .option(
      "-f, --filename <path>",
      "manifests: a file, a folder or - for stdin; may be repeated (default: a small built-in cluster)",
      gathered,
    )
    .option(
      "--deploy <name>",
      "the Deployment that is asked about, as NAME or NAMESPACE/NAME",
      nonEmpty,
    )
    .option("--rate <n>", "requests per second to its Service", positiveNumber(1_000_000))
    .option("--nodes <n>", "nodes, where the manifests have none", wholeNumber(1, 15_000))
    .option("--zones <n>", "zones of these nodes", wholeNumber(1, 1000))
    .option("--services <n>", "Services besides those of the manifests", wholeNumber(0, 100_000))
    .option("--duration <d>", 'simulated time of each run, as "90s"', nonEmpty)
    .option("--seed <n>", "seed of every random draw", nonEmpty)
    .option(
      "--replications <n>",
      "runs of each setting, with other draws (default: 8)",
      wholeNumber(2, 10_000),
    )
    .option("--confidence <percent>", "of the intervals (default: 95%)", aShare)
    .option("--goal <percent>", "what is to be reached, as 99.9%; see the question", aShare)
    .option("--jobs <n>", "threads (default: one a core)", wholeNumber(1, 1024))
    .addOption(outputOption("how it is printed", answerOutputs))
    .addHelpText("after", answerExamples)
    .action(async (question: string | undefined, options: AnswerCommandOptions) => {
      const { answerCommand } = await import("../answer.ts");
      await answerCommand({ ...options, question }, io, dependencies);
      ended(ExitCode.done);
    });
}
