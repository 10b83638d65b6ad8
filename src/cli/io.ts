/**
 * What the command line touches of the outside: streams, environment, clock, interruption.
 *
 * Owns: the contract, so that tests can stand in for a terminal. Refuses to own: the process itself
 * (main.ts).
 */

export interface OutputStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

/** What a run itself needs of the outside: in a thread of its own, too. */
export interface RunIo {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C or --timeout; the reason is an Interrupted or a TimedOut. */
  readonly signal: AbortSignal;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  /** The date, for manifest.json only. */
  readonly date: () => Date;
  /** Lets what waits outside the simulation happen: signals, the terminal. */
  readonly breathe: () => Promise<void>;
}

export interface Io extends RunIo {
  /** Aborts with a TimedOut when it is not done after so many milliseconds of wall time. */
  readonly endAfter: (limitMs: number) => void;
  /** Whose signal it was that has just broken off a scenario's own code, where no handler gets its turn. */
  readonly brokenOffBy: () => Interrupted | TimedOut;
}

export const ExitCode = {
  done: 0,
  /** Internal fault or broken law. */
  fault: 1,
  /** The user can put it right. */
  userMistake: 2,
  /** Done, but a threshold was not kept to. */
  thresholdCrossed: 99,
  /** `--timeout` is over: what timeout(1) of coreutils gives. */
  timedOut: 124,
  interrupted: 130,
} as const;
export type ExitCodeValue = (typeof ExitCode)[keyof typeof ExitCode];

/** The reason of an aborted run: Ctrl-C. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/** The reason of an aborted run: `--timeout`. */
export class TimedOut extends Error {
  override readonly name = "TimedOut";
}

/**
 * Colour for people only: not in pipes, and not where NO_COLOR or a dumb terminal forbids it. FORCE_COLOR, as Node has
 * it, comes before all of these: a CI's log shows colours and is no terminal.
 */
export function wantsColour(stream: OutputStream, env: Io["env"]): boolean {
  const forced = env["FORCE_COLOR"] ?? "";
  if (forced !== "") return forced !== "0" && forced !== "false";
  return stream.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
}
