/** What each command is added to: the contract of this folder, one file a command, one line each in index.ts. */
import type { Command } from "commander";
import type { Dependencies } from "../dependencies.ts";
import type { ExitCodeValue, Io } from "../io.ts";

export interface CommandLine {
  readonly program: Command;
  readonly io: Io;
  readonly dependencies: Dependencies;
  /** Takes the exit code of the command that was asked for. */
  readonly ended: (code: ExitCodeValue) => void;
}
