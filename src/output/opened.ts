/**
 * A results folder as others read it: its documents, and whether it is one run's at all.
 *
 * Owns: refusing what is no results folder, of another format, or of several runs. Refuses to own: what is made of its tables.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ResultsError } from "./errors.ts";
import { generator } from "./folder.ts";
import { formatVersion } from "./manifest.ts";

/** What every reader of a manifest may ask; `M` adds what one of them wants to know. */
interface AnyManifest {
  readonly generator?: string;
  readonly formatVersion?: number;
  readonly files?: readonly string[];
}

/**
 * The documents of one run's folder.
 * @param whatOne says whose one run it has to be: "a report is"
 * @throws ResultsError for what is no results folder of one run
 */
export function openResults<M, S>(dir: string, whatOne: string): { manifest: M; summary: S } {
  const manifest = documentOf<AnyManifest>(dir, "manifest.json");
  if (manifest.generator !== generator) {
    throw new ResultsError(`${dir} holds no results of podstorm: give a folder that a run wrote`);
  }
  if (manifest.formatVersion !== formatVersion) {
    throw new ResultsError(
      `${dir} has format ${manifest.formatVersion}; this podstorm reads ${formatVersion}`,
    );
  }
  const { files = [] } = manifest;
  if (!files.includes("requests.csv")) {
    const one = files.find((name) => name.startsWith("replication-")) ?? "replication-0";
    throw new ResultsError(
      `${dir} holds several replications; ${whatOne} of one run: give ${join(dir, one)}`,
    );
  }
  return { manifest: manifest as M, summary: documentOf<S>(dir, "summary.json") };
}

function documentOf<T>(dir: string, name: string): T {
  try {
    return JSON.parse(readFileSync(join(dir, name), "utf8")) as T;
  } catch (error) {
    const why =
      error instanceof SyntaxError ? "it is no JSON" : (error as NodeJS.ErrnoException).code;
    throw new ResultsError(
      `cannot read ${join(dir, name)} (${why}): give a folder that a run wrote`,
    );
  }
}
