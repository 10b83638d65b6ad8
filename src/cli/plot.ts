/**
 * `sim plot`: figures of a results folder, written to files.
 *
 * Owns: where they are written and what is told. Refuses to own: what they show (plot/).
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { checkFiles, ResultsError, writeFile } from "../output/index.ts";
import type { FigureFormat, FigureKindName } from "../plot/index.ts";
import type { Dependencies } from "./dependencies.ts";
import { ExitCode, type ExitCodeValue, type Io } from "./io.ts";

export interface PlotArguments {
  readonly folder: string;
  readonly kinds: readonly FigureKindName[];
  readonly format: FigureFormat;
  readonly output: string;
}

/** @throws UserError, ResultsError */
export async function plotCommand(
  { folder, kinds, format, output }: PlotArguments,
  io: Io,
  dependencies: Pick<Dependencies, "plot">,
): Promise<ExitCodeValue> {
  const figures = await dependencies.plot(folder, kinds, format);
  try {
    mkdirSync(output, { recursive: true });
  } catch (error) {
    throw new ResultsError(`cannot write figures to ${output}: no folder can be made there`, {
      cause: error,
    });
  }
  const files = figures.map(({ name, content }) => ({ path: join(output, name), content }));
  checkFiles(files.map(({ path }) => path));
  for (const { path, content } of files) {
    await writeFile(path, [content], io.signal);
    io.stdout.write(`${path}\n`);
  }
  return ExitCode.done;
}
