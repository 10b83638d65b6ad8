/**
 * `sim report`: one file to look at, from a folder of results.
 *
 * Owns: where the file goes when nobody says, and what is said of it. Refuses to own: what is in it (report/).
 */
import { basename, dirname, join, resolve } from "node:path";
import { printable } from "../output/index.ts";
import type { Dependencies } from "./dependencies.ts";
import type { Io } from "./io.ts";

export interface ReportArguments {
  readonly results: string;
  /** Default: beside the folder, under its name. */
  readonly output?: string;
}

/** @throws ResultsError */
export async function reportCommand(
  { results, output }: ReportArguments,
  io: Io,
  dependencies: Pick<Dependencies, "report">,
): Promise<void> {
  const beside = join(dirname(results), `${basename(resolve(results))}.html`);
  await tellReport(results, output ?? beside, io, dependencies);
}

/** Writes it, and says on stderr where it is, unless nobody is to be told. @throws ResultsError */
export async function tellReport(
  results: string,
  file: string,
  io: Io | null,
  { report }: Pick<Dependencies, "report">,
): Promise<void> {
  const bytes = await report.write(results, file);
  io?.stderr.write(`Report ${printable(file)} (${Math.ceil(bytes / 1024)} KiB)\n`);
}
