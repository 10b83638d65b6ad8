/**
 * `sim init`: a first scenario to change, with the manifest it reads.
 *
 * Owns: their names, and that nothing is overwritten. The text is that of a scenario that ships.
 */
import { basename } from "node:path";
import { ResultsError, printable, shellCommand } from "../output/index.ts";
import type { Dependencies } from "./dependencies.ts";
import { writeNewFiles } from "./newFiles.ts";
import { ExitCode, type ExitCodeValue, type Io } from "./io.ts";

/** @throws ResultsError for a file that is there already or cannot be written */
export async function initCommand(
  file: string,
  io: Io,
  dependencies: Dependencies,
): Promise<ExitCodeValue> {
  const otherKind = /\.(?:[cm]?jsx?|tsx|ya?ml|json)$/.exec(file)?.[0];
  if (otherKind !== undefined) {
    const meant = file.slice(0, -otherKind.length) + ".ts";
    throw new ResultsError(
      `cannot write ${file}: a scenario is a TypeScript file, such as ${meant}`,
    );
  }
  const manifest = file.replace(/(\.[cm]?ts)?$/, ".yaml");
  const scenario = /\.[cm]?ts$/.test(file) ? file : `${file}.ts`;
  const template = await dependencies.template();
  const text = template.scenario.replaceAll(`./${template.name}.yaml`, `./${basename(manifest)}`);
  await writeNewFiles([
    [manifest, template.manifest],
    [scenario, text],
  ]);
  const run = shellCommand(["sim", "run", scenario]);
  io.stdout.write(
    `${printable(scenario)} and ${printable(manifest)} are written. Next:\n  ${printable(run)}\n`,
  );
  return ExitCode.done;
}
