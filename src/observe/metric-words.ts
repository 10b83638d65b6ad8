/**
 * What a column of the metrics dictionary is, and the columns that several files have.
 *
 * Owns: the shapes and those columns. Refuses to own: which files there are (metrics.ts, requested-metrics.ts).
 */

export type Unit = "name" | "ns" | "count" | "bytes" | "ratio" | "text";

export interface Metric {
  readonly name: string;
  readonly unit: Unit;
  readonly meaning: string;
  /** When the cell is empty; undefined where it never is. */
  readonly emptyWhen?: string;
}

export interface MetricsFile {
  readonly file: string;
  readonly rowPer: string;
  readonly columns: readonly Metric[];
}

export const windowStart: Metric = {
  name: "window_start_ns",
  unit: "ns",
  meaning: "Simulated time at which the window began.",
};
export const windowLength: Metric = {
  name: "window_ns",
  unit: "ns",
  meaning: "Length of the window; the last one of a run may be shorter than the others.",
};
export const service: Metric = {
  name: "service",
  unit: "name",
  meaning: "Service, as namespace/name.",
};
/** What a client calls; a Service where it calls one. */
export const target: Metric = {
  name: "service",
  unit: "name",
  meaning:
    "Service, as namespace/name; or what else the client dials: container/NAME:PORT, HOST:PORT or localhost:PORT.",
};
export const client: Metric = {
  name: "client",
  unit: "name",
  meaning: "Client, as the scenario names it; of a server's calls, the two names: web -> cart.",
};
