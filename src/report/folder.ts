/**
 * A results folder as a report reads it: its documents, and its tables by name.
 *
 * Owns: which parts of its documents a report reads. Refuses to own: judging whether it is one (output/opened.ts), and what is
 * made of it (build.ts).
 */
import { join } from "node:path";
import { openResults, type Summary } from "../output/index.ts";
import type { ResolvedClient } from "../scenario/resolved.ts";
import { eachRow, type Visit } from "./csv.ts";

/** manifest.json, as far as a report reads it. */
export interface ManifestOf {
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

/** @throws ResultsError for what is no results folder of one run */
export function openFolder(dir: string): ResultsFolder {
  const { manifest, summary } = openResults<ManifestOf, Summary>(dir, "a report is");
  return {
    manifest,
    summary,
    rows: (file, columns, visit) => eachRow(join(dir, file), columns, visit),
  };
}
