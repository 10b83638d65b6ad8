/**
 * What all figures have in common: size, type, colours, and the marks of faults.
 *
 * Owns: the look. Colours are those of Okabe and Ito, which the colour-blind tell apart; where lines cross they are dashed
 * differently as well, so that they can be told apart in greyscale.
 */
import type { PlottedResults } from "./results.ts";

/** A figure as Vega-Lite has it. */
export type Figure = Readonly<Record<string, unknown>>;

export interface FigureKind {
  /** What it shows, for the help. */
  readonly about: string;
  draw(results: PlottedResults): Figure;
}

export const WIDTH = 640;

const FONT = "DejaVu Sans, Verdana, sans-serif";

export const config = {
  background: "#ffffff",
  font: FONT,
  padding: 12,
  view: { stroke: "#b8b8b8" },
  title: {
    anchor: "start",
    fontSize: 14,
    subtitleColor: "#555555",
    subtitleFontSize: 11,
    offset: 10,
  },
  axis: {
    labelFontSize: 10,
    titleFontSize: 11,
    titleFontWeight: "normal",
    grid: true,
    gridColor: "#e6e6e6",
    domainColor: "#888888",
    tickColor: "#888888",
  },
  legend: {
    labelFontSize: 10,
    titleFontSize: 11,
    titleFontWeight: "normal",
    symbolStrokeWidth: 2,
    labelLimit: 200,
  },
  header: { labelFontSize: 11, titleFontSize: 11 },
  line: { strokeWidth: 1.8 },
  range: {
    // Light beside dark: neighbours differ as greys too.
    category: [
      "#0072b2",
      "#e69f00",
      "#000000",
      "#cc79a7",
      "#00604a",
      "#56b4e9",
      "#7a2f00",
      "#8a8a8a",
      "#5e2470",
    ],
  },
} as const;

/** Dashes in the order of the colours. */
export const DASHES = [
  [1, 0],
  [6, 3],
  [2, 2],
  [8, 3, 2, 3],
  [4, 2],
  [1, 3],
  [10, 4],
  [3, 5],
  [12, 2],
];

export function seconds(ns: string | number): number {
  return Number(ns) / 1e9;
}

/** The axis of simulated time, all of the run. */
export function timeAxis(
  { durationNs }: PlottedResults,
  title: string | null = "simulated time (s)",
) {
  return {
    field: "t",
    type: "quantitative",
    title,
    scale: { domain: [0, seconds(durationNs)], nice: false },
  };
}

/** Vertical lines where faults began; none without faults. */
export function faultMarks({ faultsNs }: PlottedResults): object[] {
  if (faultsNs.length === 0) return [];
  return [
    {
      data: { values: faultsNs.map((ns) => ({ t: seconds(ns) })) },
      mark: { type: "rule", color: "#777777", strokeDash: [3, 3], strokeWidth: 1 },
      encoding: { x: { field: "t", type: "quantitative" } },
    },
  ];
}

export function faultNote({ faultsNs }: PlottedResults): string {
  return faultsNs.length === 0 ? "" : " Dashed lines: faults.";
}

/** A line for each name, by colour and dash. */
export function byName(field: string, title: string, names: readonly string[]) {
  const scale = { domain: names };
  return {
    color: { field, type: "nominal", title, scale },
    strokeDash: {
      field,
      type: "nominal",
      title,
      scale: { ...scale, range: DASHES.slice(0, Math.max(1, names.length)) },
    },
  };
}

/** In the place of what a run had none of. */
export function nothing(results: PlottedResults, height: number, title: unknown, what: string) {
  return {
    width: WIDTH,
    height,
    data: { values: [{ t: seconds(results.durationNs) / 2, y: 0, what }] },
    mark: { type: "text", color: "#777777", fontSize: 11 },
    encoding: {
      x: timeAxis(results, null),
      y: {
        field: "y",
        type: "quantitative",
        title,
        scale: { domain: [-1, 1] },
        axis: { labels: false, ticks: false, grid: false },
      },
      text: { field: "what" },
    },
  };
}

/** Points of lines that go on in steps, with the end of each line's last window. */
export function withEnds<P extends { readonly t: number }>(
  points: readonly P[],
  endOf: (point: P) => number,
  nameOf: (point: P) => string,
): P[] {
  const last = new Map(points.map((point) => [nameOf(point), point]));
  return [...points, ...[...last.values()].map((point) => ({ ...point, t: endOf(point) }))];
}

/** In order of first mention. */
export function distinct(values: readonly string[]): string[] {
  return [...new Set(values)];
}
