/** `sim verify`: its options. Refuses to own: the work (../verify.ts). */
import type { Command } from "commander";
import { scenarioCommand, subjectOf, type ScenarioOptions } from "../options.ts";
import type { CommandLine } from "./contract.ts";

/** Adds `sim verify`. */
export function addVerify({ program, io, dependencies, ended }: CommandLine): void {
  scenarioCommand(program, "verify")
    .description("run a scenario three times, once in a fresh process, and compare every byte")
    .action(async (file: string | undefined, options: ScenarioOptions, command: Command) => {
      const { verifyCommand } = await import("../verify.ts");
      ended(await verifyCommand(subjectOf(file, options, command), io, dependencies));
    });
}
