/** `sim list`: its name. Refuses to own: the work (../list.ts). */
import { ExitCode } from "../io.ts";
import type { CommandLine } from "./contract.ts";

/** Adds `sim list`. */
export function addList({ program, io, dependencies, ended }: CommandLine): void {
  program
    .command("list")
    .description("list the scenarios that ship with podstorm")
    .action(async () => {
      await (await import("../list.ts")).listCommand(io, dependencies);
      ended(ExitCode.done);
    });
}
