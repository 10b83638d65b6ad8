/**
 * The room's door: one file from a results folder, for a person to look at.
 *
 * Owns: where the built browser part lies, and not writing over what is no report. The rooms' other reports are
 * something else: observe/report.ts is what a finished run tells, output/replay.ts the command that repeats it.
 */
import { open, readFile, stat } from "node:fs/promises";
import { dirname, relative, resolve, sep } from "node:path";
import { ResultsError, writeFile } from "../output/index.ts";
import { buildReport } from "./build.ts";
import { reportHtml, reportStart, type Assets } from "./html.ts";

export { buildReport } from "./build.ts";
export { reportHtml, type Assets } from "./html.ts";
export type { Report } from "./model.ts";

/** build.mjs writes it beside this file. @throws Error in a source tree, where nothing is built */
export async function builtAssets(): Promise<Assets> {
  const read = (name: string): Promise<string> =>
    readFile(new URL(`browser/${name}`, import.meta.url), "utf8");
  return { script: await read("report.js"), style: await read("report.css") };
}

/**
 * Writes the report of a results folder, whole or not at all.
 * @returns its size in bytes
 * @throws ResultsError for what is no results folder, and for a file that cannot be written
 */
export async function writeReport(
  dir: string,
  file: string,
  assets: () => Promise<Assets> = builtAssets,
): Promise<number> {
  await checkReportFile(file, dir);
  const html = reportHtml(await buildReport(dir), await assets());
  await writeFile(file, [html]);
  return Buffer.byteLength(html);
}

/**
 * Finds out before a long run whether its report could be written.
 * @param dir the results folder, which holds only what a run wrote
 * @throws ResultsError
 */
export async function checkReportFile(file: string, dir: string): Promise<void> {
  const inside = relative(resolve(dir), resolve(file));
  if (inside !== ".." && !inside.startsWith(`..${sep}`)) {
    throw new ResultsError(
      `cannot write ${file}: it would lie in the results folder ${dir}, which the next run replaces; give a file elsewhere`,
    );
  }
  const parent = await stat(dirname(resolve(file))).catch(() => null);
  if (parent?.isDirectory() !== true) {
    throw new ResultsError(
      `cannot write ${file}: there is no folder ${dirname(file)}; make it first`,
    );
  }
  const own = await stat(file).catch(() => null);
  if (own !== null && !(own.isFile() && (await isReport(file)))) {
    throw new ResultsError(
      `cannot write ${file}: it is there already and is no report of podstorm; give another name`,
    );
  }
}

async function isReport(file: string): Promise<boolean> {
  const handle = await open(file, "r");
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(reportStart.length), 0);
    return buffer.toString("utf8", 0, bytesRead) === reportStart;
  } finally {
    await handle.close();
  }
}
