/**
 * A results folder as a report reads it: its documents, and its tables by name.
 *
 * Owns: refusing what is no folder of one run. Refuses to own: what is made of it (build.ts).
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Summary } from "../output/index.ts";
import { ResultsError } from "../output/index.ts";
import type { ResolvedClient } from "../scenario/resolved.ts";
import { eachRow, type Visit } from "./csv.ts";

/** manifest.json, as far as a report reads it. */
export interface ManifestOf {
  readonly generator: string;
  readonly formatVersion: number;
  readonly scenario: string;
  readonly description: string;
  readonly seed: string;
  readonly replay: string;
  readonly versions: { readonly podstorm: string; readonly kubernetes: string };
  readonly parameters: {
    readonly durationNs: number;
    readonly windowNs: number;
    readonly clients: readonly Pick<ResolvedClient, "name" | "retries" | "timeoutNs">[];
  };
  readonly fingerprints: { readonly events: string; readonly results: string };
  readonly ignored: readonly {
    readonly object: string;
    readonly place: string;
    readonly reason: string;
  }[];
  readonly notModelled: readonly string[];
  readonly files: readonly string[];
}

export interface ResultsFolder {
  readonly manifest: ManifestOf;
  readonly summary: Summary;
  /** The rows of a table; none where the run has written no such file. */
  rows(file: string, columns: readonly string[], visit: Visit): Promise<void>;
}

/** The format that this reads: output/manifest.ts. */
const FORMAT = 1;

/** @throws ResultsError for what is no results folder of one run */
export async function openResults(dir: string): Promise<ResultsFolder> {
  const manifest = await readJson<ManifestOf>(dir, "manifest.json");
  if (manifest.generator !== "podstorm") {
    throw new ResultsError(`${dir} holds no results of podstorm: give a folder that a run wrote`);
  }
  if (manifest.formatVersion !== FORMAT) {
    throw new ResultsError(
      `${dir} has format ${manifest.formatVersion}; this podstorm reads ${FORMAT}`,
    );
  }
  if (!manifest.files.includes("requests.csv")) {
    const one = manifest.files.find((name) => name.startsWith("replication-"));
    throw new ResultsError(
      `${dir} holds several replications; a report is of one run: give ${join(dir, one ?? "replication-0")}`,
    );
  }
  const summary = await readJson<Summary>(dir, "summary.json");
  return {
    manifest,
    summary,
    rows: (file, columns, visit) => eachRow(join(dir, file), columns, visit),
  };
}

async function readJson<T>(dir: string, name: string): Promise<T> {
  try {
    return JSON.parse(await readFile(join(dir, name), "utf8")) as T;
  } catch (error) {
    const why =
      error instanceof SyntaxError ? "it is no JSON" : (error as NodeJS.ErrnoException).code;
    throw new ResultsError(
      `cannot read ${join(dir, name)} (${why}): give a folder that a run wrote`,
    );
  }
}
