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
}

export interface Io {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C; the reason is an Interrupted. */
  readonly signal: AbortSignal;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  /** The date, for manifest.json only. */
  readonly date: () => Date;
  /** Lets what waits outside the simulation happen: signals, the terminal. */
  readonly breathe: () => Promise<void>;
}

export const ExitCode = {
  done: 0,
  /** Internal fault or broken law. */
  fault: 1,
  /** The user can put it right. */
  userMistake: 2,
  /** Done, but a threshold was not kept to. */
  thresholdCrossed: 99,
  interrupted: 130,
} as const;
export type ExitCodeValue = (typeof ExitCode)[keyof typeof ExitCode];

/** The reason of an aborted run. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/** Colour for people only: not in pipes, and not where NO_COLOR or a dumb terminal forbids it. */
export function wantsColour(stream: OutputStream, env: Io["env"]): boolean {
  return stream.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
}
