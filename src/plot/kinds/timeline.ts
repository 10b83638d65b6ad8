/** `timeline`: one run on one axis of time: traffic, failures by cause, stale connections, and changes with their lag. */
import {
  distinct,
  faultMarks,
  faultNote,
  nothing,
  seconds,
  timeAxis,
  WIDTH,
  type FigureKind,
} from "../figure.ts";
import type { PlottedResults, Row } from "../results.ts";

export const timeline: FigureKind = {
  about: "traffic, failures, stale connections and changes on one axis of time",
  draw(results) {
    return {
      title: {
        text: "What happened when",
        subtitle: `Rates are per second of simulated time.${faultNote(results)}`,
      },
      vconcat: [traffic(results), failures(results), stale(results), changes(results)],
      resolve: { scale: { color: "independent", shape: "independent" } },
    };
  },
};

function panel(results: PlottedResults, height: number, layers: readonly object[]) {
  return { width: WIDTH, height, layer: [...layers, ...faultMarks(results)] };
}

interface Bar {
  readonly t: number;
  readonly end: number;
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Per second, by window and name, one upon another. */
function stacked(rows: readonly Row[], nameOf: (row: Row) => string, column: string): Bar[] {
  const byWindow = new Map<number, { readonly end: number; readonly rates: Map<string, number> }>();
  for (const row of rows) {
    const [t, tookS] = [seconds(row["window_start_ns"]!), seconds(row["window_ns"]!)];
    let window = byWindow.get(t);
    if (window === undefined) byWindow.set(t, (window = { end: t + tookS, rates: new Map() }));
    const name = nameOf(row);
    window.rates.set(name, (window.rates.get(name) ?? 0) + Number(row[column]) / tookS);
  }
  const names = distinct(rows.map(nameOf));
  return [...byWindow].flatMap(([t, { end, rates }]) => {
    let to = 0;
    return names.flatMap((name) => {
      const from = to;
      to += rates.get(name) ?? 0;
      return to > from ? [{ t, end, name, from, to }] : [];
    });
  });
}

/** @param colours what they tell apart; null: one colour, no legend */
function bars(
  results: PlottedResults,
  values: readonly Bar[],
  height: number,
  title: string | readonly string[],
  colours: string | null,
) {
  if (values.length === 0) return nothing(results, height, title, "none");
  const domain = distinct(values.map(({ name }) => name));
  const color =
    colours === null
      ? { value: "#d55e00" }
      : { field: "name", type: "nominal", title: colours, scale: { domain } };
  const y = { field: "from", type: "quantitative", title, axis: { tickCount: 4 } };
  const encoding = {
    x: timeAxis(results, null),
    x2: { field: "end" },
    y,
    y2: { field: "to" },
    color,
  };
  return panel(results, height, [
    { data: { values }, mark: { type: "rect", strokeWidth: 0 }, encoding },
  ]);
}

function traffic(results: PlottedResults) {
  const values = stacked(results.table("requests.csv"), ({ client }) => client!, "count");
  return bars(results, values, 110, "requests/s", "client");
}

function failures(results: PlottedResults) {
  const failed = results.table("requests.csv").filter(({ outcome }) => outcome !== "served");
  const values = stacked(failed, ({ outcome }) => outcome!, "count");
  return bars(results, values, 90, "failed/s", "cause");
}

function stale(results: PlottedResults) {
  const rows = results
    .table("endpoint_load.csv")
    .filter((row) => Number(row["stale_connections"]) > 0);
  const values = stacked(rows, () => "stale", "stale_connections");
  return bars(results, values, 70, ["stale", "connections/s"], null);
}

/** Points of changes, which are many: the slowest node of each. */
function changes(results: PlottedResults) {
  const values = results
    .table("fleet_convergence.csv")
    .filter((row) => row["until_100_ns"] !== "")
    .map((row) => ({
      t: seconds(row["changed_at_ns"]!),
      change: row["change"]!,
      lag: Math.max(1000, Number(row["until_100_ns"])) / 1e9,
    }));
  if (values.length === 0) return nothing(results, 90, "changes", "no endpoint changed");
  const kinds = distinct(values.map(({ change }) => change));
  const encoding = {
    x: timeAxis(results),
    y: {
      field: "lag",
      type: "quantitative",
      title: ["lag of the", "last node (s)"],
      axis: { tickCount: 4 },
    },
    color: { field: "change", type: "nominal", title: "change", scale: { domain: kinds } },
    shape: { field: "change", type: "nominal", title: "change", scale: { domain: kinds } },
  };
  return panel(results, 90, [
    { data: { values }, mark: { type: "point", filled: true, size: 36, opacity: 0.8 }, encoding },
  ]);
}
