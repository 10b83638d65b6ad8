/**
 * `sim init`: a first scenario to change, with the manifest it reads.
 *
 * Owns: their names, and that nothing is overwritten. The text is that of a scenario that ships.
 */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { printable, ResultsError, shellCommand } from "../output/index.ts";
import type { Dependencies } from "./dependencies.ts";
import { ExitCode, type ExitCodeValue, type Io } from "./io.ts";

/** @throws ResultsError for a file that is there already or cannot be written */
export async function initCommand(
  file: string,
  io: Io,
  dependencies: Dependencies,
): Promise<ExitCodeValue> {
  const manifest = file.replace(/(\.[cm]?ts)?$/, ".yaml");
  const scenario = /\.[cm]?ts$/.test(file) ? file : `${file}.ts`;
  // Both or none.
  for (const each of [scenario, manifest]) if (existsSync(each)) throw isThere(each);
  const template = await dependencies.template();
  await writeNew(manifest, template.manifest);
  const text = template.scenario.replaceAll(`./${template.name}.yaml`, `./${basename(manifest)}`);
  await writeNew(scenario, text);
  const run = shellCommand(["sim", "run", scenario]);
  io.stdout.write(
    `${printable(scenario)} and ${printable(manifest)} are written. Next:\n  ${printable(run)}\n`,
  );
  return ExitCode.done;
}

async function writeNew(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: "wx" });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") throw isThere(file);
    throw new ResultsError(`cannot write ${file}: ${code ?? String(error)}`);
  }
}

function isThere(file: string): ResultsError {
  return new ResultsError(`cannot write ${file}: it is there already; give another name`);
}
