/**
 * The process around a command line: argv, streams, signals and the exit code.
 *
 * Owns: everything that only a real process has. Refuses to own: what the commands do (program.ts).
 */
import type { Dependencies } from "./dependencies.ts";
import { ExitCode, Interrupted, type Io, type TimedOut } from "./io.ts";
import { runCli } from "./program.ts";
import { Watchdog } from "./watchdog.ts";

/** Runs this process's command line and sets its exit code. */
export async function runProcess(dependencies: Dependencies): Promise<void> {
  const interruption = new AbortController();
  const watchdog = new Watchdog((reason) => interruption.abort(reason));
  const interrupt = interrupter(interruption, watchdog, () => process.exit(ExitCode.interrupted));
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  const endsEarly = () => {
    if (interruption.signal.aborted) return;
    process.stderr.write(
      "the scenario's code ended the process (process.exit, or an error in a callback); nothing was written\n",
    );
    process.exitCode = ExitCode.userMistake;
  };
  // Whatever a scenario calls, an exit code of 0 means that there are results.
  process.once("exit", endsEarly);
  watchStreams(() => {
    process.off("exit", endsEarly);
    process.exit(ExitCode.userMistake);
  });
  const io = realIo(interruption.signal, watchdog);
  process.exitCode = await runCli(process.argv.slice(2), io, dependencies);
  watchdog.stop();
  process.off("exit", endsEarly);
}

/**
 * What a signal does: the first Ctrl-C ends the run tidily, within a slice; a second one ends the process. The watchdog's
 * own signal is none of them: where this thread was busy for long, it is heard after the time-out.
 */
export function interrupter(
  interruption: AbortController,
  watchdog: Pick<Watchdog, "isOver" | "reason">,
  exit: () => void,
): () => void {
  let signals = 0;
  return () => {
    signals++;
    if (!interruption.signal.aborted) interruption.abort(signalledBy(watchdog));
    else if (signals > (watchdog.isOver() ? 2 : 1)) exit();
  };
}

function signalledBy(watchdog: Pick<Watchdog, "isOver" | "reason">): Interrupted | TimedOut {
  return watchdog.isOver() ? watchdog.reason() : new Interrupted("interrupted");
}

/**
 * A reader that went away (`sim run ... | head`) is no fault: what it did not read, it did not want. Any
 * other stream that takes nothing, such as a file on a full disk, is the user's to put right.
 */
function watchStreams(fail: () => void): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") return;
    process.stderr.write(`cannot write to stdout: ${error.code ?? error.message}\n`);
    fail();
  });
  process.stderr.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") fail();
  });
}

function realIo(signal: AbortSignal, watchdog: Watchdog): Io {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    signal,
    nowMs: () => performance.now(),
    date: () => new Date(),
    breathe: () => new Promise((resolve) => setImmediate(resolve)),
    endAfter: (limitMs) => watchdog.start(limitMs),
    brokenOffBy: () => signalledBy(watchdog),
  };
}
