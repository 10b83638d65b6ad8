/**
 * The command line: commands, options, help, and one exit code for each call.
 *
 * Owns: argv. Refuses to own: the process (process.ts) and the work (run.ts, list.ts), which is imported
 * only when it is asked for: help needs none of the rooms below.
 */
import { Argument, Command, CommanderError, Option } from "commander";
import type { ExplanationFormat, TimelineFormat, TraceFormat } from "../inspect/index.ts";
import type { SummaryFormatName } from "../output/index.ts";
import type { FigureFormat, FigureKindName } from "../plot/index.ts";
import type { InstrumentOptions } from "../telemetry/index.ts";
import type { Dependencies } from "./dependencies.ts";
import {
  changesOf,
  gathered,
  manifestsOption,
  instrumentOptions,
  nonEmpty,
  oneOf,
  outputOption,
  scenarioCommand,
  scenarioOptions,
  subjectOf,
  TRAFFIC,
  wholeNumber,
  type ScenarioOptions,
} from "./options.ts";
import { addAnswer } from "./answerOptions.ts";
import { completionScript, shells, type Shell } from "./completion.ts";
import { ExitCode, wantsColour, type ExitCodeValue, type Io } from "./io.ts";

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

interface LookOptions extends ScenarioOptions {
  readonly at?: string;
}

interface RulesOptions extends LookOptions {
  readonly node: string;
  readonly family: "4" | "6";
}

interface TraceOptions extends LookOptions {
  readonly from: string;
  readonly to: string;
  readonly family?: "4" | "6";
  readonly output: TraceFormat;
}

interface TimelineOptions extends LookOptions {
  readonly pod: string;
  readonly output: TimelineFormat;
}

interface ExplainOptions extends ScenarioOptions {
  readonly request?: string;
  readonly firstFailure?: string;
  readonly output: ExplanationFormat;
}

/**
 * Runs one command line.
 * @param argv without the interpreter and the script
 * @returns the exit code; never throws and never exits
 */
export async function runCli(
  argv: readonly string[],
  io: Io,
  dependencies: Dependencies,
): Promise<ExitCodeValue> {
  let code: ExitCodeValue = ExitCode.done;
  const program = buildProgram(io, dependencies, (value) => {
    code = value;
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    // commander has already said what is wrong; help and version end this way too, with 0.
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? ExitCode.done : ExitCode.userMistake;
    }
    return (await import("./faults.ts")).reportError(error, io);
  }
}

function buildProgram(
  io: Io,
  dependencies: Dependencies,
  ended: (code: ExitCodeValue) => void,
): Command {
  const program = new Command("sim");
  program
    .description(
      "Simulates Kubernetes networking: what a storm of pod resets does to your requests.",
    )
    .version(dependencies.version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns ?? 80,
      getErrHelpWidth: () => io.stderr.columns ?? 80,
      getOutHasColors: () => wantsColour(io.stdout, io.env),
      getErrHasColors: () => wantsColour(io.stderr, io.env),
    })
    .exitOverride()
    .addHelpText("after", exitCodes)
    .hook("preAction", (_program, command) => {
      const { timeout } = command.opts<ScenarioOptions>();
      if (timeout !== undefined) io.endAfter(timeout);
    });
  addRun(program, io, dependencies, ended);
  addTrace(program, io, dependencies, ended);
  addRules(program, io, dependencies, ended);
  addTimeline(program, io, dependencies, ended);
  addExplain(program, io, dependencies, ended);
  addAnswer(program, io, dependencies, ended);
  addReport(program, io, dependencies, ended);
  addImport(program, io, dependencies, ended);
  addInit(program, io, dependencies, ended);
  addVerify(program, io, dependencies, ended);
  addDiff(program, io, dependencies, ended);
  addPlot(program, io, dependencies, ended);
  addList(program, io, dependencies, ended);
  addCompletion(program, io, ended);
  return program;
}

const exitCodes = `
Exit codes:
  0    done
  1    internal fault, or a routing law was broken; of diff: there is a difference
  2    a mistake in the command, the scenario or its files; nothing is written
  99   the run is done, and a threshold was not kept to
  124  --timeout is over; nothing is written
  130  interrupted; nothing is written
`;

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

function addRun(
  program: Command,
  io: Io,
  dependencies: Dependencies,
  ended: (code: ExitCodeValue) => void,
): void {
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
      new Option("--report <file>", "write a report to look at: one HTML file")
        .argParser(nonEmpty)
        .conflicts("replications"),
    )
    .option("--quiet", "print no summary and no progress, only errors")
    .option("--live", "draw a dashboard on the terminal while it runs");
  instrumentOptions(command)
    .addHelpText("after", runExamples)
    .action(async (file: string | undefined, options: RunOptions, command: Command) => {
      const { runCommand } = await import("./run.ts");
      const { quiet, threshold: thresholds = [], ...given } = subjectOf(file, options, command);
      const { replications, jobs, ...single } = given;
      const args = { thresholds, quiet: quiet === true, ...single };
      if (replications !== undefined) {
        const { replicationsCommand } = await import("./replications.ts");
        const all = { ...args, replications, ...(jobs !== undefined && { jobs }) };
        ended(await replicationsCommand(all, io, dependencies));
        return;
      }
      ended(await runCommand(args, io, dependencies));
    });
}

const traceExamples = `
Examples:
  sim trace scenarios/reset-storm.ts --from pod/client-web-0 --to svc/nginx:8080 --at 12s
  sim trace scenarios/reset-storm.ts --from outside --to node/node-1:31000 -o mermaid
`;

const traceOutputs = ["text", "json", "mermaid", "dot"] as const satisfies readonly TraceFormat[];

function addTrace(
  program: Command,
  io: Io,
  dependencies: Dependencies,
  ended: (code: ExitCodeValue) => void,
): void {
  lookCommand(program, "trace")
    .description("show the path of a first packet, sent at an instant of the run")
    .requiredOption("--from <place>", "pod/NAME, node/NAME, outside or outside/NAME", nonEmpty)
    .requiredOption(
      "--to <target>",
      "svc/NAME:PORT, pod/NAME:PORT, node/NAME:PORT or IP:PORT",
      nonEmpty,
    )
    .addOption(outputOption("how it is printed", traceOutputs))
    .addOption(familyOption("IP family, where both ends have two; default: the target's primary"))
    .addHelpText("after", traceExamples)
    .action(async (file: string | undefined, options: TraceOptions, command: Command) => {
      const { family, ...given } = subjectOf(file, options, command);
      const chosen = family === undefined ? {} : { family: familyNumber(family) };
      const args = { ...given, ...chosen };
      await (await import("./look.ts")).traceCommand(args, io, dependencies);
      ended(ExitCode.done);
    });
}

const rulesExamples = `
Examples:
  sim rules scenarios/reset-storm.ts --node node-1
  sim rules scenarios/reset-storm.ts --node node-1 --at 21s | grep KUBE-SEP
`;

function addRules(
  program: Command,
  io: Io,
  dependencies: Dependencies,
  ended: (code: ExitCodeValue) => void,
): void {
  lookCommand(program, "rules")
    .description("show what a node's kube-proxy has programmed, as the node's own tools would")
    .requiredOption("--node <name>", "the node", nonEmpty)
    .addOption(familyOption("IP family").default("4"))
    .addHelpText("after", rulesExamples)
    .action(async (file: string | undefined, options: RulesOptions, command: Command) => {
      const { family, ...given } = subjectOf(file, options, command);
      const args = { ...given, family: familyNumber(family) };
      await (await import("./look.ts")).rulesCommand(args, io, dependencies);
      ended(ExitCode.done);
    });
}

function familyOption(description: string): Option {
  return new Option("--family <n>", description).choices(["4", "6"]);
}

function familyNumber(text: "4" | "6"): 4 | 6 {
  return text === "6" ? 6 : 4;
}

const timelineExamples = `
Examples:
  sim timeline scenarios/reset-storm.ts --pod 'nginx-*' --at 25s
  sim timeline scenarios/reset-storm.ts --pod nginx-k7pnvt6bkz-jjszx -o json
`;

const timelineOutputs = ["text", "json"] as const satisfies readonly TimelineFormat[];

function addTimeline(
  program: Command,
  io: Io,
  dependencies: Dependencies,
  ended: (code: ExitCodeValue) => void,
): void {
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
      const { timelineCommand } = await import("./look.ts");
      await timelineCommand(subjectOf(file, options, command), io, dependencies);
      ended(ExitCode.done);
    });
}

const explainExamples = `
Examples:
  sim explain scenarios/reset-storm.ts --first-failure refused
  sim explain scenarios/reset-storm.ts --request 19136 -o json
`;

const explainOutputs = ["text", "json"] as const satisfies readonly ExplanationFormat[];

function addExplain(
  program: Command,
  io: Io,
  dependencies: Dependencies,
  ended: (code: ExitCodeValue) => void,
): void {
  scenarioCommand(program, "explain")
    .description("say why a request failed, and which setting would have avoided it")
    .option("--request <n>", "its number, as failed_requests.csv has it", nonEmpty)
    .option("--first-failure <cause>", "or the first that failed so", nonEmpty)
    .addOption(outputOption("how it is printed", explainOutputs))
    .addHelpText("after", explainExamples)
    .action(async (file: string | undefined, options: ExplainOptions, command: Command) => {
      const { explainCommand } = await import("./explain.ts");
      await explainCommand(subjectOf(file, options, command), io, dependencies);
      ended(ExitCode.done);
    });
}

const reportExamples = `
Examples:
  sim report results/reset-storm
  sim report results/reset-storm -o storm.html
`;

function addReport(
  program: Command,
  io: Io,
  dependencies: Dependencies,
  ended: (code: ExitCodeValue) => void,
): void {
  program
    .command("report")
    .argument("<results>", "folder that a run wrote")
    .description("make one HTML file of a folder of results, to look at and to pass on")
    .option("-o, --output <file>", "file to write (default: <results>.html)", nonEmpty)
    .addHelpText("after", reportExamples)
    .action(async (results: string, options: { readonly output?: string }) => {
      await (await import("./report.ts")).reportCommand({ results, ...options }, io, dependencies);
      ended(ExitCode.done);
    });
}

const importExamples = `
Examples:
  sim import -f k8s/ -o shop.ts
  helm template my-chart | sim import -f - -o shop.ts
  kubectl get nodes,deploy,sts,ds,pods,svc,endpointslices,hpa,pdb -A -o json | sim import -f -
`;

interface ImportOptions {
  readonly filename: readonly string[];
  readonly output: string;
  readonly force?: true;
  readonly traffic?: string;
}

function addImport(
  program: Command,
  io: Io,
  dependencies: Dependencies,
  ended: (code: ExitCodeValue) => void,
): void {
  program
    .command("import")
    .description("make a scenario of manifests, or of what kubectl says of a cluster")
    .requiredOption(
      "-f, --filename <path>",
      "manifests: a file, a folder, or - for stdin; may be repeated",
      gathered,
    )
    .option(
      "-o, --output <file>",
      "scenario to write; its manifest is written beside it",
      nonEmpty,
      "scenario.ts",
    )
    .option("--force", "write over an earlier import")
    .option("--traffic <file>", TRAFFIC, nonEmpty)
    .addHelpText("after", importExamples)
    .action(async ({ filename, output, force, traffic }: ImportOptions) => {
      const { importCommand } = await import("./import.ts");
      const measured = traffic === undefined ? {} : { traffic };
      const args = { paths: filename, file: output, force: force === true, ...measured };
      ended(await importCommand(args, io, dependencies));
    });
}

function addInit(
  program: Command,
  io: Io,
  dependencies: Dependencies,
  ended: (code: ExitCodeValue) => void,
): void {
  program
    .command("init")
    .argument("[file]", "scenario to write; its manifest is written beside it", "scenario.ts")
    .description("write a commented first scenario, with the manifest it reads")
    .action(async (file: string) => {
      ended(await (await import("./init.ts")).initCommand(file, io, dependencies));
    });
}

function addVerify(
  program: Command,
  io: Io,
  dependencies: Dependencies,
  ended: (code: ExitCodeValue) => void,
): void {
  scenarioCommand(program, "verify")
    .description("run a scenario three times, once in a fresh process, and compare every byte")
    .action(async (file: string | undefined, options: ScenarioOptions, command: Command) => {
      const { verifyCommand } = await import("./verify.ts");
      ended(await verifyCommand(subjectOf(file, options, command), io, dependencies));
    });
}

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

function addDiff(
  program: Command,
  io: Io,
  dependencies: Dependencies,
  ended: (code: ExitCodeValue) => void,
): void {
  scenarioOptions(manifestsOption(program.command("diff")))
    .argument("[a]", "scenario, or folder of results")
    .argument("[b]", "the other one (default: the first scenario, with --other)")
    .description("find where two runs, or two folders of results, part, and what each knew there")
    .option("--other <options>", "options of the second alone, as one word: '--seed 2 -e A=1'")
    .addHelpText("after", diffExamples)
    .action(async (...given: DiffArguments) => {
      const { diffCommand } = await import("./diff.ts");
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

/** One that looks at a run on its way. */
function lookCommand(program: Command, name: string): Command {
  return scenarioCommand(program, name).option(
    "--at <t>",
    'simulated time, as "12s" (default: the start of the run)',
    nonEmpty,
  );
}

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

function addPlot(
  program: Command,
  io: Io,
  dependencies: Dependencies,
  ended: (code: ExitCodeValue) => void,
): void {
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
      const { plotCommand } = await import("./plot.ts");
      ended(await plotCommand({ folder, kinds: kind, format, output }, io, dependencies));
    });
}

function addList(
  program: Command,
  io: Io,
  dependencies: Dependencies,
  ended: (code: ExitCodeValue) => void,
): void {
  program
    .command("list")
    .description("list the scenarios that ship with podstorm")
    .action(async () => {
      await (await import("./list.ts")).listCommand(io, dependencies);
      ended(ExitCode.done);
    });
}

const completionExamples = `
Examples:
  source <(sim completion bash)
  source <(sim completion zsh)
  sim completion fish > ~/.config/fish/completions/sim.fish
`;

function addCompletion(program: Command, io: Io, ended: (code: ExitCodeValue) => void): void {
  program
    .command("completion")
    .addArgument(new Argument("<shell>", "the shell").choices(shells))
    .description("print a script with which a shell completes commands and options")
    .addHelpText("after", completionExamples)
    .action((shell: Shell) => {
      io.stdout.write(completionScript(shell, program));
      ended(ExitCode.done);
    });
}
