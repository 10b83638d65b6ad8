/**
 * The command line: commands, options, help, and one exit code for each call.
 *
 * Owns: argv. Refuses to own: the process (process.ts) and the work (run.ts, list.ts), which is imported
 * only when it is asked for: help needs none of the rooms below.
 */
import { Command, CommanderError, InvalidArgumentError } from "commander";
import type { Dependencies } from "./dependencies.ts";
import { ExitCode, wantsColour, type ExitCodeValue, type Io } from "./io.ts";

interface RunOptions {
  readonly seed?: string;
  readonly duration?: string;
  readonly out?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly quiet?: true;
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
    .addHelpText("after", exitCodes);
  addRun(program, io, dependencies, ended);
  addList(program, io, dependencies, ended);
  return program;
}

const exitCodes = `
Exit codes:
  0    done
  1    internal fault, or a routing law was broken
  2    a mistake in the command, the scenario or its files; nothing is written
  130  interrupted; nothing is written
`;

const runExamples = `
Examples:
  sim run scenarios/reset-storm.ts
  sim run scenarios/reset-storm.ts --seed 7 --duration 30s --out results/short
  sim run my.ts -e REPLICAS=12 -e GRACE=5s
`;

function addRun(
  program: Command,
  io: Io,
  dependencies: Dependencies,
  ended: (code: ExitCodeValue) => void,
): void {
  program
    .command("run")
    .description("run a scenario and write its results")
    .argument("<file>", "scenario: a TypeScript file")
    .option("--seed <n>", "seed of every random draw, instead of the scenario's", nonEmpty)
    .option(
      "--duration <d>",
      'simulated time, as "90s" or "5m", instead of the scenario\'s',
      nonEmpty,
    )
    .option("--out <dir>", "folder of the results (default: results/<scenario>)", nonEmpty)
    .option("-e, --env <key=value>", "a value that the scenario reads; may be repeated", keyValue)
    .option("--quiet", "print no summary and no progress, only errors")
    .addHelpText("after", runExamples)
    .action(async (file: string, options: RunOptions) => {
      const { runCommand } = await import("./run.ts");
      const { quiet, env = {}, ...given } = options;
      ended(await runCommand({ file, env, quiet: quiet === true, ...given }, io, dependencies));
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

function nonEmpty(value: string): string {
  if (value === "") throw new InvalidArgumentError("It is empty.");
  return value;
}

function keyValue(
  value: string,
  earlier: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const equals = value.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError("Allowed: KEY=VALUE.");
  // Through entries, so that a key such as __proto__ is only ever a key.
  const entries = Object.entries(earlier);
  return Object.fromEntries([...entries, [value.slice(0, equals), value.slice(equals + 1)]]);
}
