/**
 * `sim diff`: where two runs part, and what each knew there.
 *
 * Owns: the door of what the command needs.
 */
import type { ResolvedScenario } from "../../scenario/resolved.ts";
import { differentFields } from "./fields.ts";
import { differentResults, isResultsFolder } from "./folders.ts";
import { findParting, type Progress } from "./lockstep.ts";
import { folderLines, partingLines } from "./text.ts";

/** Lines about the first difference of two results folders; null: there is none; undefined: they are no results. */
export async function diffFolders(
  a: string,
  b: string,
): Promise<readonly string[] | null | undefined> {
  if (!(await isResultsFolder(a)) || !(await isResultsFolder(b))) return undefined;
  const difference = await differentResults(a, b);
  return difference === null ? null : folderLines(difference);
}

/** The same for two runs: a step of the search for each look at it. */
export function* diffRuns(
  a: ResolvedScenario,
  b: ResolvedScenario,
): Generator<Progress, readonly string[] | null> {
  const parting = yield* findParting(a, b);
  return parting === null ? null : partingLines(parting, differentFields(a, b));
}
