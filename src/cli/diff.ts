/**
 * `sim diff`: where two runs part, or two folders of results.
 *
 * Owns: telling scenarios from folders, and the exit code, which is that of diff(1). Refuses to own: the search and its
 * words (inspect/diff), arguments (commands/).
 */
import { statSync } from "node:fs";
import { printable, replayOptions, shellCommand, subjectWords } from "../output/index.ts";
import { optionMistake, UserError } from "../scenario/mistakes.ts";
import type { Dependencies, ScenarioOverrides } from "./dependencies.ts";
import { InternalFault } from "./faults.ts";
import { ExitCode, type ExitCodeValue, type Io } from "./io.ts";
import { Progress } from "./progress.ts";
import { overridesOf, refuseStdin } from "./run.ts";

export interface DiffSide extends ScenarioOverrides {
  readonly file: string;
}

export interface DiffArguments {
  readonly a: DiffSide;
  readonly b: DiffSide;
}

/** @throws UserError, Interrupted, InternalFault */
export async function diffCommand(
  { a, b }: DiffArguments,
  io: Io,
  dependencies: Dependencies,
): Promise<ExitCodeValue> {
  // Both sides would have to read it.
  for (const side of [a, b]) refuseStdin(side, "files and folders");
  const isPath = ({ file, filename }: DiffSide) => filename === undefined && isFolder(file);
  const areFolders = isPath(a) && isPath(b);
  const lines = areFolders
    ? await ofFolders(a.file, b.file, dependencies)
    : await ofRuns(a, b, io, dependencies);
  const names = [a, b].map(({ file }) => file);
  io.stdout.write(`A is ${printable(names[0]!)}, B is ${printable(names[1]!)}.\n`);
  for (const line of lines ?? ["They are the same."]) io.stdout.write(`${printable(line)}\n`);
  return lines === null ? ExitCode.done : ExitCode.fault;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

async function ofFolders(
  a: string,
  b: string,
  { diffFolders }: Dependencies,
): Promise<readonly string[] | null> {
  const lines = await diffFolders(a, b);
  if (lines !== undefined) return lines;
  const found = "a folder that no run has written";
  throw new UserError([optionMistake("diff", found, "two folders of results, or two scenarios")]);
}

async function ofRuns(
  a: DiffSide,
  b: DiffSide,
  io: Io,
  dependencies: Dependencies,
): Promise<readonly string[] | null> {
  const left = await dependencies.loadScenario(a.file, overridesOf(a));
  const right = await dependencies.loadScenario(b.file, overridesOf(b));
  const progress = new Progress(io, false);
  let nowNs = 0;
  try {
    const search = await dependencies.diffRuns(left, right);
    for (;;) {
      const step = search.next();
      if (step.done === true) return step.value;
      ({ nowNs } = step.value);
      progress.update(step.value);
      await io.breathe();
      io.signal.throwIfAborted();
    }
  } catch (error) {
    const words = ["sim", "diff", ...subjectWords(a), ...replayOptions(overridesOf(a))];
    throw InternalFault.wrap(error, nowNs, shellCommand(words), io.signal);
  } finally {
    progress.end();
  }
}
