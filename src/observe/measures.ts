/**
 * What a threshold can be put on: the named measures of a run, and every number of its results files.
 *
 * Owns: names, units, tags and aggregations. Refuses to own: the text of a threshold
 * (scenario/thresholds.ts) and its figure (output/thresholds.ts).
 */
import { metricsFiles, type Unit } from "./metrics.ts";
import { outcomeNames } from "./observations.ts";

/** count: how many. share: how many of all. trend: durations. column: the values of a column. */
export type MeasureKind = "count" | "share" | "trend" | "column";

export interface Measure {
  readonly name: string;
  readonly kind: MeasureKind;
  /** Of what its aggregations give, but `count` and `rate`. */
  readonly unit: Unit;
  readonly meaning: string;
  /** By what it can be narrowed, and the values that are possible where they are known beforehand. */
  readonly tags: Readonly<Record<string, readonly string[] | null>>;
}

const causes = outcomeNames.filter((name) => name !== "served");

/** By client and Service where that is how they are kept. */
export const namedMeasures = {
  requests: {
    kind: "count",
    unit: "count",
    meaning: "Requests that began.",
    tags: { client: null, service: null },
  },
  requests_failed: {
    kind: "share",
    unit: "ratio",
    meaning: "Requests that failed, of those that ended.",
    tags: { client: null, service: null, cause: causes },
  },
  requests_stale_routed: {
    kind: "share",
    unit: "ratio",
    meaning: "Requests over a connection to an endpoint that was gone, of those that ended.",
    tags: { client: null, service: null },
  },
  request_retries: {
    kind: "count",
    unit: "count",
    meaning: "Tries beyond the first.",
    tags: { client: null, service: null },
  },
  request_duration: {
    kind: "trend",
    unit: "ns",
    meaning: "Latency of served requests, retries included.",
    tags: { client: null, service: null },
  },
  packets_dropped: {
    kind: "count",
    unit: "count",
    meaning: "Packets dropped at any hop, table or namespace.",
    tags: { cause: null },
  },
} as const satisfies Readonly<Record<string, Omit<Measure, "name">>>;

export type NamedMeasure = keyof typeof namedMeasures;

const aggregations: Readonly<Record<MeasureKind, readonly string[]>> = {
  count: ["count", "rate"],
  share: ["rate", "count"],
  trend: ["avg", "min", "med", "max", "p(N)", "count"],
  column: ["sum", "avg", "min", "med", "max", "p(N)", "count"],
};

/** What a kind can be summed up to. `rate`: of a count per simulated second, of a share the share. */
export function aggregationsOf(kind: MeasureKind): readonly string[] {
  return aggregations[kind];
}

/** Every column of numbers, named file.column, narrowed by the columns of names of its file. */
export function columnMeasures(): Measure[] {
  return metricsFiles.flatMap(({ file, columns }) => {
    const tags = Object.fromEntries(
      columns.filter(({ unit }) => unit === "name").map(({ name }) => [name, null]),
    );
    const measured = columns.filter(({ unit }) => unit !== "name" && unit !== "text");
    return measured.map(({ name, unit, meaning }) => ({
      name: `${file.replace(/\.csv$/, "")}.${name}`,
      kind: "column" as const,
      unit,
      meaning,
      tags,
    }));
  });
}

export function allMeasures(): Measure[] {
  const named = Object.entries(namedMeasures).map(([name, rest]) => ({ name, ...rest }));
  return [...named, ...columnMeasures()];
}
