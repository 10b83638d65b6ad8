/** `sim init`: its argument. Refuses to own: the work (../init.ts). */
import type { CommandLine } from "./contract.ts";

/** Adds `sim init`. */
export function addInit({ program, io, dependencies, ended }: CommandLine): void {
  program
    .command("init")
    .argument("[file]", "scenario to write; its manifest is written beside it", "scenario.ts")
    .description("write a commented first scenario, with the manifest it reads")
    .action(async (file: string) => {
      ended(await (await import("../init.ts")).initCommand(file, io, dependencies));
    });
}
