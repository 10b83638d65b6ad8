/** `lag`: how long endpoint changes took to be in force on each node, as cumulative shares by kind of change. */
import { byName, distinct, nothing, WIDTH, type FigureKind } from "../figure.ts";

/** Points of each curve: more are not seen. */
const MOST_POINTS = 400;

export const lag: FigureKind = {
  about: "endpoint-update lag, cumulative, by kind of change",
  draw(results) {
    const rows = results
      .table("endpoint_update_lag.csv")
      .filter(({ lag_ns: lagNs }) => lagNs !== "");
    const text = "Endpoint-update lag";
    if (rows.length === 0) {
      const none = nothing(results, 120, "", "no endpoint changed in this run");
      return { title: { text }, ...none };
    }
    const kinds = distinct(rows.map(({ change }) => change!));
    const values = kinds.flatMap((change) => {
      const lags = rows
        .filter((row) => row["change"] === change)
        .map((row) => Number(row["lag_ns"]));
      return curve(Float64Array.from(lags).sort()).map((point) => ({ change, ...point }));
    });
    return {
      title: {
        text,
        subtitle: `From a change of an endpoint until a node's rules held it; ${rows.length} (change, node) pairs.`,
      },
      width: WIDTH,
      height: 300,
      data: { values },
      mark: { type: "line", interpolate: "step-after" },
      encoding: {
        x: {
          field: "lag",
          type: "quantitative",
          title: "lag (s)",
          scale: { type: "log", nice: false },
        },
        y: {
          field: "share",
          type: "quantitative",
          title: "share of pairs that far",
          scale: { domain: [0, 1] },
          axis: { format: "%" },
        },
        ...byName("change", "change", kinds),
      },
    };
  },
};

/** The cumulative share at each value, or at so many quantiles. A lag of nothing is shown as a microsecond, for the axis is logarithmic. */
function curve(sorted: Float64Array): { lag: number; share: number }[] {
  const count = Math.min(MOST_POINTS, sorted.length);
  return Array.from({ length: count }, (_, i) => {
    const rank = Math.ceil(((i + 1) * sorted.length) / count);
    return { lag: Math.max(1000, sorted[rank - 1]!) / 1e9, share: rank / sorted.length };
  });
}
