/**
 * What a figure is drawn from: the tables and the papers of a results folder.
 *
 * Owns: reading them. Refuses to own: judging whether it is one run's (output/opened.ts), and what is drawn of them (kinds/).
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { openResults } from "../output/index.ts";

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

/** @throws ResultsError for a folder that holds no results of one run */
export function readResults(folder: string): PlottedResults {
  const { manifest, summary } = openResults<Manifest, Summary>(folder, "a figure is");
  const table = (file: string): readonly Row[] =>
    parse(readFileSync(join(folder, file), "utf8"), { columns: true });
  const { faults = [] } = summary;
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
