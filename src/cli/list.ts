/**
 * `sim list`: the scenarios that ship, each with what it asks.
 *
 * Owns: the listing's look.
 */
import { relative } from "node:path";
import { printable } from "../output/index.ts";
import type { Dependencies } from "./dependencies.ts";
import type { Io } from "./io.ts";

export async function listCommand(io: Io, dependencies: Dependencies): Promise<void> {
  const scenarios = await dependencies.listScenarios();
  for (const { name, file, description } of scenarios) {
    io.stdout.write(`${printable(name)}\n  ${printable(description)}\n`);
    io.stdout.write(`  sim run ${printable(relative(process.cwd(), file))}\n`);
  }
}
