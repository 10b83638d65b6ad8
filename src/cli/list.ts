/**
 * `sim list`: the scenarios that ship, each with what it asks.
 *
 * Owns: the listing's look.
 */
import { relative } from "node:path";
import { indentedText, printable } from "../output/index.ts";
import type { Dependencies } from "./dependencies.ts";
import type { Io } from "./io.ts";

export async function listCommand(io: Io, dependencies: Dependencies): Promise<void> {
  const width = Math.max(40, io.stdout.columns ?? 80);
  for (const { name, file, question } of await dependencies.listScenarios()) {
    const command = `sim run ${shown(file)}`;
    const text = question === "" ? [] : indentedText(printable(question), width);
    io.stdout.write(`${[printable(name), ...text, `  ${printable(command)}`].join("\n")}\n`);
  }
}

/** The shorter of the path from here and the whole path. */
function shown(file: string): string {
  const fromHere = relative(process.cwd(), file);
  return fromHere.length < file.length ? fromHere : file;
}
