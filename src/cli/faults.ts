/**
 * Which error is whose: the user's, the machine's, or podstorm's own.
 *
 * Owns: exit codes for errors, and the text that lets an internal fault be replayed.
 */
import { SimulationFault } from "../engine/index.ts";
import { printable } from "../output/index.ts";
import { ExitCode, Interrupted, TimedOut, type ExitCodeValue, type Io } from "./io.ts";

/** podstorm itself went wrong. The message holds what was handled, the simulated time and the replay. */
export class InternalFault extends Error {
  override readonly name = "InternalFault";

  private constructor(cause: unknown, nowNs: number, replay: string) {
    const what =
      cause instanceof SimulationFault
        ? `event "${cause.kindName}" at ${cause.atNs} ns simulated time`
        : `at ${nowNs} ns simulated time`;
    const inner = cause instanceof SimulationFault ? cause.cause : cause;
    const stack = inner instanceof Error ? (inner.stack ?? inner.message) : String(inner);
    super(
      `internal fault: ${what}\n${stack}\n\n` +
        `This is a fault in podstorm, not in your scenario; nothing was written. To replay it:\n` +
        `  ${replay}`,
      { cause },
    );
  }

  /** Passes on what is not a fault: an interruption, and mistakes that only compiling finds. */
  static wrap(error: unknown, nowNs: number, replay: string, signal: AbortSignal): unknown {
    if (signal.aborted || isUserError(error)) return error;
    return new InternalFault(error, nowNs, replay);
  }
}

/**
 * By name: the classes live in rooms that are loaded only when they are needed, the bundle of plot/ has its own of
 * them, and from a thread come only their names.
 */
export function isUserError(error: unknown): error is Error {
  return error instanceof Error && /^(UserError|ResultsError)$/.test(error.name);
}

/** A signal in the middle of a scenario's own code, where no handler of ours gets its turn. */
function isBrokenOff(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === BROKEN_OFF;
}
const BROKEN_OFF = "ERR_SCRIPT_EXECUTION_INTERRUPTED";

/** Says what went wrong on stderr. */
export function reportError(error: unknown, io: Io): ExitCodeValue {
  const ended = isBrokenOff(error) ? io.brokenOffBy() : error;
  if (ended instanceof Interrupted || ended instanceof TimedOut) {
    io.stderr.write(`${ended.message}; nothing was written\n`);
    return ended instanceof TimedOut ? ExitCode.timedOut : ExitCode.interrupted;
  }
  if (isUserError(error)) {
    io.stderr.write(`${lines(error.message)}\n`);
    return ExitCode.userMistake;
  }
  const text =
    error instanceof InternalFault
      ? error.message
      : `internal fault: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  io.stderr.write(`${lines(text)}\n`);
  return ExitCode.fault;
}

/** Messages quote names and text from outside: their line breaks are ours, nothing else is obeyed. */
function lines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}
