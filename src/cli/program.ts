/**
 * The command line: help, and one exit code for each call.
 *
 * Owns: argv. Refuses to own: the process (process.ts), the commands (commands/), and their work (run.ts, list.ts),
 * which is imported only when it is asked for: help needs none of the rooms below.
 */
import { Command, CommanderError } from "commander";
import { commands } from "./commands/index.ts";
import type { Dependencies } from "./dependencies.ts";
import { ExitCode, wantsColour, type ExitCodeValue, type Io } from "./io.ts";
import type { ScenarioOptions } from "./options.ts";

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
    // Of a terminal of 60 columns half is left for what an option does.
    .configureHelp({ minWidthToWrap: 20 })
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
  for (const add of commands) add({ program, io, dependencies, ended });
  return program;
}

const exitCodes = `
Exit codes:
  0    done
  1    internal fault, or a broken routing law; of diff: there is a difference
  2    a mistake in the command, the scenario or its files; nothing is written
  99   the run is done, and a threshold was not kept to
  124  --timeout is over; nothing is written
  130  interrupted; nothing is written
`;
