/** `latency`: quantiles of served requests, window by window, a panel for each client. */
import {
  byName,
  distinct,
  faultMarks,
  faultNote,
  seconds,
  timeAxis,
  WIDTH,
  withEnds,
  type FigureKind,
} from "../figure.ts";

/** Of more clients than that, those with most requests. */
const MOST_CLIENTS = 8;

const quantiles = { "50 %": "latency_p50_ns", "90 %": "latency_p90_ns", "99 %": "latency_p99_ns" };

export const latency: FigureKind = {
  about: "latency quantiles of served requests, by time and client",
  draw(results) {
    const served = results.table("requests.csv").filter(({ outcome }) => outcome === "served");
    const counts = new Map<string, number>();
    for (const { client, count } of served) {
      counts.set(client!, (counts.get(client!) ?? 0) + Number(count));
    }
    const all = distinct(served.map(({ client }) => client!));
    const most = new Set(
      all.toSorted((a, b) => counts.get(b)! - counts.get(a)!).slice(0, MOST_CLIENTS),
    );
    const shown = all.filter((client) => most.has(client));
    const panels = shown.map((client, i) => {
      const points = served
        .filter((row) => row["client"] === client)
        .flatMap((row) =>
          Object.entries(quantiles).map(([quantile, column]) => ({
            t: seconds(row["window_start_ns"]!),
            end: seconds(row["window_start_ns"]!) + seconds(row["window_ns"]!),
            quantile,
            ms: Math.max(1, Number(row[column])) / 1e6,
          })),
        );
      const values = withEnds(
        points,
        ({ end }) => end,
        ({ quantile }) => quantile,
      );
      return {
        title: { text: client, frame: "group", fontSize: 11, fontWeight: "normal", offset: 4 },
        width: WIDTH,
        height: 120,
        layer: [
          {
            data: { values },
            mark: { type: "line", interpolate: "step-after" },
            encoding: {
              x: timeAxis(results, i === shown.length - 1 ? undefined : null),
              y: {
                field: "ms",
                type: "quantitative",
                title: "latency (ms)",
                scale: { type: "log" },
                axis: { tickCount: 4 },
              },
              ...byName("quantile", "quantile", Object.keys(quantiles)),
            },
          },
          ...faultMarks(results),
        ],
      };
    });
    const left = all.length > shown.length ? ` ${shown.length} of ${all.length} clients.` : "";
    return {
      title: {
        text: "Latency of served requests",
        subtitle: `Quantiles of each metrics window, retries included.${left}${faultNote(results)}`,
      },
      vconcat: panels,
    };
  },
};
