/** `sim completion`: its argument. Refuses to own: the work (../completion.ts). */
import { Argument } from "commander";
import { completionScript, shells, type Shell } from "../completion.ts";
import { ExitCode } from "../io.ts";
import type { CommandLine } from "./contract.ts";

const completionExamples = `
Examples:
  source <(sim completion bash)
  source <(sim completion zsh)
  sim completion fish > ~/.config/fish/completions/sim.fish
`;

/** Adds `sim completion`. */
export function addCompletion({ program, io, ended }: CommandLine): void {
  program
    .command("completion")
    .addArgument(new Argument("<shell>", "the shell").choices(shells))
    .description("print a script with which a shell completes commands and options")
    .addHelpText("after", completionExamples)
    .action((shell: Shell) => {
      io.stdout.write(completionScript(shell, program));
      ended(ExitCode.done);
    });
}
