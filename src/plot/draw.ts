/**
 * From a figure to SVG and PNG: Vega draws, resvg paints.
 *
 * Owns: the small print, and that the same results give the same bytes: widths of text are Vega's own estimate and the font of a
 * PNG is the one that comes with podstorm, whatever the machine has.
 */
import { readFileSync } from "node:fs";
import { initWasm, Resvg } from "@resvg/resvg-wasm";
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import { assetFile } from "./assets.ts";
import { config, type Figure } from "./figure.ts";
import type { PlottedResults } from "./results.ts";

/** Pixels of a PNG for each of the SVG's. */
const PNG_SCALE = 2;
const SMALL_PRINT_HEIGHT = 16;

export async function svgOf(figure: Figure, results: PlottedResults): Promise<string> {
  const { spec } = compile({ ...figure, config } as unknown as TopLevelSpec);
  const view = new View(parse(spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  return withSmallPrint(svg, results);
}

/** What the figure was drawn from, beneath it. */
function withSmallPrint(svg: string, results: PlottedResults): string {
  const { scenario, seed, podstorm, fingerprint } = results;
  const text = `${scenario}, seed ${seed}; results ${fingerprint}; podstorm ${podstorm}`;
  const size = /width="([\d.]+)" height="([\d.]+)" viewBox="0 0 [\d.]+ [\d.]+"/.exec(svg);
  if (size === null) throw new Error("Vega's SVG has another head than expected");
  const [head, width, height] = size;
  const taller = Number(height) + SMALL_PRINT_HEIGHT;
  const style = 'font-family="DejaVu Sans, Verdana, sans-serif" font-size="8" fill="#777777"';
  const paper = `<rect y="${height}" width="${width}" height="${SMALL_PRINT_HEIGHT}" fill="#ffffff"/>`;
  const print = `${paper}<text x="12" y="${Number(height) + 4}" ${style}>${escaped(text)}</text>`;
  return `${svg
    .replace(head!, `width="${width}" height="${taller}" viewBox="0 0 ${width} ${taller}"`)
    .replace(/<\/svg>\s*$/, `${print}</svg>`)}\n`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

let ready: Promise<unknown> | null = null;

export async function pngOf(svg: string): Promise<Uint8Array> {
  await (ready ??= initWasm(readFileSync(assetFile("resvg"))));
  const fontBuffers = [assetFile("font"), assetFile("boldFont")].map((file) => readFileSync(file));
  const painter = new Resvg(svg, {
    fitTo: { mode: "zoom", value: PNG_SCALE },
    font: { fontBuffers, defaultFontFamily: "DejaVu Sans", loadSystemFonts: false },
  });
  const picture = painter.render();
  const png = picture.asPng();
  picture.free();
  painter.free();
  return png;
}
