/**
 * Colours, dashes and hatchings: what differs in colour differs in form as well.
 *
 * Owns: the order in which they are given out. Colours are Okabe and Ito's, which the colour-blind tell apart; those of
 * a theme stand in style.css as --c0 and so on.
 */

export interface Look {
  /** Name of the colour's variable. */
  readonly color: string;
  readonly dash: readonly number[];
  /** Number of a hatching; 0: filled. */
  readonly hatch: number;
}

const dashes: readonly (readonly number[])[] = [[], [8, 4], [2, 3], [10, 3, 2, 3], [4, 4], [1, 2]];
export const COLOURS = 7;

/** The i-th of several. */
export function look(i: number): Look {
  return { color: `--c${i % COLOURS}`, dash: dashes[i % dashes.length]!, hatch: i % HATCHES };
}

export function cssColor(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const HATCHES = 5;
const TILE = 8;

/** A filling for a canvas. */
export function filling(
  context: CanvasRenderingContext2D,
  { color, hatch }: Look,
): CanvasPattern | string {
  const base = cssColor(color);
  if (hatch === 0) return base;
  const tile = document.createElement("canvas");
  const scale = devicePixelRatio;
  tile.width = tile.height = TILE * scale;
  const pen = tile.getContext("2d")!;
  pen.scale(scale, scale);
  pen.fillStyle = base;
  pen.fillRect(0, 0, TILE, TILE);
  pen.strokeStyle = pen.fillStyle = cssColor("--paper");
  pen.lineWidth = 1.6;
  drawHatch(pen, hatch);
  return context.createPattern(tile, "repeat") ?? base;
}

function drawHatch(pen: CanvasRenderingContext2D, hatch: number): void {
  const line = (x: number, y: number, toX: number, toY: number): void => {
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(toX, toY);
    pen.stroke();
  };
  if (hatch === 1) for (const x of [-TILE, 0, TILE]) line(x, TILE, x + TILE, 0);
  else if (hatch === 2) for (const x of [-TILE, 0, TILE]) line(x, 0, x + TILE, TILE);
  else if (hatch === 3) line(0, TILE / 2, TILE, TILE / 2);
  else {
    pen.beginPath();
    pen.arc(TILE / 2, TILE / 2, 1.8, 0, 2 * Math.PI);
    pen.fill();
  }
}

/** From little to much, darker (in the dark: lighter) all the way, so that it reads in greys too. */
const ramps = {
  light: [
    [233, 241, 250],
    [158, 197, 232],
    [43, 123, 186],
    [8, 38, 90],
  ],
  dark: [
    [30, 42, 56],
    [31, 95, 139],
    [110, 190, 236],
    [250, 252, 230],
  ],
} as const;

/** @param share 0..1 */
export function rampColor(theme: "light" | "dark", share: number): string {
  const stops = ramps[theme];
  const at = Math.max(0, Math.min(1, share)) * (stops.length - 1);
  const i = Math.min(stops.length - 2, Math.floor(at));
  const mixed = stops[i]!.map((low, k) => Math.round(low + (stops[i + 1]![k]! - low) * (at - i)));
  return `rgb(${mixed.join(" ")})`;
}
