/**
 * What a recorder is, and the tables it hands over at the end of a run.
 *
 * Owns: the contract between recorders and output. Refuses to own: file formats (output/) and the
 * meaning of columns (metrics.ts).
 */
import type { SimTimeNs } from "../engine/index.ts";
import type { Histogram } from "../stats/index.ts";
import type { Observer } from "./observations.ts";
import type { ConntrackReport, ContainerCpuReport, HopReport } from "./report.ts";
import type { RunTotals } from "./totals.ts";

/** null is an empty cell: no such value, which is not the same as zero. */
export type Cell = string | number | null;
export type Row = readonly Cell[];

/** A results file before it has a format. `rows` may be iterated again and gives the same rows. */
export interface Table {
  readonly file: string;
  readonly columns: readonly string[];
  readonly rows: Iterable<Row>;
}

/** What recorders may ask at the end. */
export interface RecordingContext {
  readonly endNs: SimTimeNs;
  readonly hops: readonly HopReport[];
  readonly conntracks: readonly ConntrackReport[];
  readonly containers?: readonly ContainerCpuReport[];
}

/** All durations of one measure that have the same tags (measures.ts). */
export interface Trend {
  readonly metric: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly histogram: Histogram;
}

/** An observer that keeps what one results file needs, and no more. */
export interface Recorder extends Observer {
  /** Its results file or files. */
  tables(context: RecordingContext): readonly Table[];
  /** Its part of the run's totals, which the summary is made of. */
  totals?(context: RecordingContext): Partial<RunTotals>;
  /** Whole distributions, for figures that the totals do not hold. */
  trends?(): Iterable<Trend>;
}
