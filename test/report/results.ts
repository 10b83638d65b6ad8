/**
 * Results folders for the tests of reports: a short run of the main job with and without its recorder, and one whose
 * names want to be markup.
 *
 * Owns: running in this process, and the folders, which the file that asked for them removes.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { parse } from "csv-parse/sync";
import { runCli } from "../../src/cli/program.ts";
import { realDependencies } from "../../src/cli/rooms.ts";
import { checkReportFile, writeReport, type Assets } from "../../src/report/index.ts";
import { fakeTerminal } from "../cli/fakes.ts";

export const assets: Assets = { script: "document.title;", style: "p{}" };

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "podstorm-report-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** @returns the exit code, and what was said on stderr */
export async function sim(...argv: string[]): Promise<{ code: number; err: string }> {
  const io = fakeTerminal();
  const report = {
    check: checkReportFile,
    write: (dir: string, file: string) => writeReport(dir, file, () => Promise.resolve(assets)),
  };
  const code = await runCli(argv, io, { ...realDependencies(), report });
  return { code, err: io.err() };
}

export const scenario = "scenarios/reset-storm.ts";
/** The first storm, and what comes of it. */
export const short = ["--duration", "24s", "--quiet"] as const;

export const hostile =
  "</script><script>globalThis.harmed = true</script><img src=x onerror=harmed=1>";

/** A copy of a results folder in which a pod, a Service, an event and what was ignored are called `hostile`. */
export function withHostileNames(dir: string, copy: string, pod: string): void {
  cpSync(dir, copy, { recursive: true });
  for (const name of readdirSync(copy)) {
    const file = join(copy, name);
    const text = readFileSync(file, "utf8");
    if (name.endsWith(".json")) writeFileSync(file, hostileJson(text, name, pod));
    else writeFileSync(file, text.replaceAll(pod, hostile).replaceAll(",kill\r", `,${hostile}\r`));
  }
}

/** As a label that a selector names and an annotation would be told of: what was ignored, and the description. */
function hostileJson(text: string, name: string, pod: string): string {
  const document = JSON.parse(text.replaceAll(pod, hostile)) as Record<string, unknown>;
  if (name === "manifest.json") {
    document["description"] = `annotation ${hostile}`;
    document["scenario"] = hostile;
    document["ignored"] = [{ object: `label ${hostile}`, place: hostile, reason: hostile }];
  }
  return JSON.stringify(document);
}

export function rowsOf(dir: string, file: string): Record<string, string>[] {
  return parse(readFileSync(join(dir, file), "utf8"), { columns: true });
}
