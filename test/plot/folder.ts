/** A results folder of a short storm, as `sim run` writes it. */
import { join } from "node:path";
import { realDependencies } from "../../src/cli/rooms.ts";
import { runInto } from "../../src/cli/run.ts";
import { fakeTerminal } from "../cli/fakes.ts";
import { storm } from "../telemetry/watched.ts";

export async function resultsIn(parent: string): Promise<string> {
  const folder = join(parent, "results", "storm");
  const args = { file: "storm.ts", env: {}, quiet: true, output: "table" } as const;
  await runInto(folder, await storm(), args, fakeTerminal(), realDependencies());
  return folder;
}
