/**
 * `sim import`: manifests, or what kubectl says of a cluster, as a scenario with a manifest beside it.
 *
 * Owns: the names of the files, and the order of what is printed. Refuses to own: what is read and assumed
 * (scenario/import).
 */
import { basename } from "node:path";
import { printable, shellCommand } from "../output/index.ts";
import type { Dependencies } from "./dependencies.ts";
import { ExitCode, type ExitCodeValue, type Io } from "./io.ts";
import { writeNewFiles } from "./newFiles.ts";

export interface ImportArguments {
  readonly paths: readonly string[];
  /** The scenario to write. */
  readonly file: string;
  readonly force: boolean;
  /** A file of measured traffic. */
  readonly traffic?: string;
}

/** @throws UserError for what cannot be read, ResultsError for files that cannot be written */
export async function importCommand(
  { paths, file, force, traffic }: ImportArguments,
  io: Io,
  dependencies: Pick<Dependencies, "importCluster">,
): Promise<ExitCodeValue> {
  const imported = await dependencies.importCluster(paths, traffic);
  io.signal.throwIfAborted();
  const scenario = /\.[cm]?ts$/.test(file) ? file : `${file}.ts`;
  const manifest = scenario.replace(/\.[cm]?ts$/, "-cluster.yaml");
  await writeNewFiles(
    [
      [manifest, imported.manifestText()],
      [scenario, imported.scenarioText(basename(manifest))],
    ],
    force,
  );
  const lines = [
    ...imported.report,
    "Written",
    `  ${scenario}, which reads ${manifest}`,
    `  Next: ${shellCommand(["sim", "run", scenario])}`,
  ];
  io.stdout.write(`${lines.map(printable).join("\n")}\n`);
  return ExitCode.done;
}
