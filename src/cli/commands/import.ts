/** `sim import`: its options. Refuses to own: the work (../import.ts). */
import { gathered, nonEmpty, TRAFFIC } from "../options.ts";
import type { CommandLine } from "./contract.ts";

const importExamples = `
Examples:
  sim import -f k8s/ -o shop.ts
  helm template my-chart | sim import -f - -o shop.ts
  kubectl get nodes,deploy,sts,ds,pods,svc,endpointslices,hpa,pdb -A -o json | sim import -f -
`;

interface ImportOptions {
  readonly filename: readonly string[];
  readonly output: string;
  readonly force?: true;
  readonly traffic?: string;
}

/** Adds `sim import`. */
export function addImport({ program, io, dependencies, ended }: CommandLine): void {
  program
    .command("import")
    .description("make a scenario of manifests, or of what kubectl says of a cluster")
    .requiredOption(
      "-f, --filename <path>",
      "manifests: a file, a folder, or - for stdin; may be repeated",
      gathered,
    )
    .option(
      "-o, --output <file>",
      "scenario to write; its manifest is written beside it",
      nonEmpty,
      "scenario.ts",
    )
    .option("--force", "write over an earlier import")
    .option("--traffic <file>", TRAFFIC, nonEmpty)
    .addHelpText("after", importExamples)
    .action(async ({ filename, output, force, traffic }: ImportOptions) => {
      const { importCommand } = await import("../import.ts");
      const measured = traffic === undefined ? {} : { traffic };
      const args = { paths: filename, file: output, force: force === true, ...measured };
      ended(await importCommand(args, io, dependencies));
    });
}
