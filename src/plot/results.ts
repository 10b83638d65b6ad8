/**
 * What a figure is drawn from: the tables and the papers of a results folder.
 *
 * Owns: reading them, and saying what is missing. Refuses to own: what is drawn of them (kinds/).
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { UserError, type Mistake } from "../scenario/mistakes.ts";

export type Row = Readonly<Record<string, string>>;

export interface PlottedResults {
  readonly scenario: string;
  readonly seed: string;
  readonly podstorm: string;
  readonly fingerprint: string;
  readonly durationNs: number;
  /** Instants at which faults began, in order. */
  readonly faultsNs: readonly number[];
  table(file: string): readonly Row[];
}

interface Manifest {
  readonly generator?: string;
  readonly scenario: string;
  readonly seed: string;
  readonly versions: { readonly podstorm: string };
  readonly parameters: { readonly durationNs: number };
  readonly fingerprints: { readonly results: string };
}

interface Summary {
  readonly faults?: readonly { readonly fault: string }[];
}

/** More marks than that would hide what they mark. */
const MOST_FAULTS = 40;

/** @throws UserError for a folder that holds no results of one run */
export function readResults(folder: string): PlottedResults {
  const manifest = json(folder, "manifest.json") as Manifest;
  if (manifest.generator !== "podstorm") throw problem(folder, "manifest.json is not podstorm's");
  if (!existsSync(join(folder, "requests.csv"))) {
    const isMany = existsSync(join(folder, "replications.csv"));
    throw problem(folder, isMany ? "several runs" : "there is no requests.csv", isMany);
  }
  const table = (file: string): readonly Row[] =>
    parse(readFileSync(join(folder, file), "utf8"), { columns: true });
  const { faults = [] } = json(folder, "summary.json") as Summary;
  return {
    scenario: manifest.scenario,
    seed: manifest.seed,
    podstorm: manifest.versions.podstorm,
    fingerprint: manifest.fingerprints.results,
    durationNs: manifest.parameters.durationNs,
    faultsNs: faultTimes(
      table("events.csv"),
      faults.map(({ fault }) => fault),
    ),
    table,
  };
}

/** @param faults as the summary names them: the event's kind, and perhaps how */
function faultTimes(events: readonly Row[], faults: readonly string[]): readonly number[] {
  const kinds = new Set(faults.map((fault) => fault.split(" ")[0]!));
  const times = events.flatMap(({ kind, time_ns: atNs }) =>
    kinds.has(kind!) ? [Number(atNs)] : [],
  );
  return [...new Set(times)].slice(0, MOST_FAULTS);
}

function json(folder: string, file: string): unknown {
  try {
    return JSON.parse(readFileSync(join(folder, file), "utf8"));
  } catch {
    throw problem(folder, `there is no ${file} to read`);
  }
}

function problem(folder: string, found: string, isMany = false): UserError {
  const allowed = isMany
    ? "one of its replications, as FOLDER/replication-0"
    : "a folder that a run has written";
  const mistake: Mistake = {
    file: folder,
    line: null,
    column: null,
    path: "",
    found,
    allowed,
    suggestion: null,
  };
  return new UserError([mistake]);
}
