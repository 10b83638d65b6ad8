/** `skew`: how unevenly each Service's requests fell on its endpoints, window by window. */
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

export const skew: FigureKind = {
  about: "unevenness of load over a Service's endpoints, by time",
  draw(results) {
    const rows = results.table("load_skew.csv").filter((row) => row["max_over_mean"] !== "");
    const services = distinct(rows.map(({ service }) => service!));
    const points = rows.map((row) => ({
      t: seconds(row["window_start_ns"]!),
      end: seconds(row["window_start_ns"]!) + seconds(row["window_ns"]!),
      service: row["service"]!,
      max: Number(row["max_over_mean"]),
      jain: Number(row["jain"]),
    }));
    const values = withEnds(
      points,
      ({ end }) => end,
      ({ service }) => service,
    );
    const panel = (
      field: string,
      title: string,
      domain: readonly [number | null, number | null],
      last: boolean,
    ) => ({
      width: WIDTH,
      height: 160,
      layer: [
        {
          data: { values },
          mark: { type: "line", interpolate: "step-after" },
          encoding: {
            x: timeAxis(results, last ? undefined : null),
            y: {
              field,
              type: "quantitative",
              title,
              scale: {
                ...(domain[0] !== null && { domainMin: domain[0] }),
                ...(domain[1] !== null && { domainMax: domain[1] }),
                zero: false,
              },
            },
            ...byName("service", "Service", services),
          },
        },
        ...faultMarks(results),
      ],
    });
    return {
      title: {
        text: "Load skew",
        subtitle: `Requests of each metrics window over the endpoints of a Service; 1 is even in both.${faultNote(results)}`,
      },
      vconcat: [
        panel("max", "busiest over mean", [1, null], false),
        panel("jain", "Jain's index", [null, 1], true),
      ],
    };
  },
};
