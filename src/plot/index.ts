/**
 * The room's door: figures of a results folder, for papers and READMEs.
 *
 * Owns: which figures are drawn, and their files' names. Vega and resvg are bundled into this module when the package is built.
 */
import { pngOf, svgOf } from "./draw.ts";
import { figureKinds, type FigureKindName } from "./kinds/index.ts";
import { readResults } from "./results.ts";

export type { FigureKindName } from "./kinds/index.ts";
export const figureFormats = ["svg", "png"] as const;
export type FigureFormat = (typeof figureFormats)[number];

export interface DrawnFigure {
  /** Of a file: "reset-storm.lag.svg". */
  readonly name: string;
  readonly content: string | Uint8Array;
}

/** @throws ResultsError for a folder that holds no results of one run */
export async function plotResults(
  folder: string,
  kinds: readonly FigureKindName[],
  format: FigureFormat,
): Promise<readonly DrawnFigure[]> {
  const results = readResults(folder);
  const drawn: DrawnFigure[] = [];
  for (const kind of kinds) {
    const svg = await svgOf(figureKinds[kind].draw(results), results);
    const content = format === "svg" ? svg : await pngOf(svg);
    drawn.push({ name: `${results.scenario}.${kind}.${format}`, content });
  }
  return drawn;
}
