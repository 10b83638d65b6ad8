/**
 * Connections on their way: a line for each pair of nodes, and dots that run along it.
 *
 * Owns: what of it is worked out once (the curve and places on it), so that a frame is nothing but dots. Stale ones are
 * dashed, heavier, and their dots larger.
 */
import type { Flow } from "./flows.ts";
import { wayOf, type Layout, type Point } from "./layout.ts";
import type { Paints } from "./paints.ts";

/** Places on a way. */
const PLACES = 48;
/** Ways in a second. */
const SPEED = 0.6;
const DOTS_MAX = 4;

interface Dot {
  readonly places: Float32Array;
  readonly from: number;
  readonly isStale: boolean;
  readonly size: number;
}

export class Ways {
  readonly #layout: Layout;
  readonly #paints: Paints;
  /** By way: x and y of each place. */
  readonly #places = new Map<string, Float32Array>();
  /** Of the bin that is shown: a dot's way, where on it it begins, and whether it is stale. */
  #dots: readonly Dot[] = [];

  constructor(layout: Layout, paints: Paints) {
    this.#layout = layout;
    this.#paints = paints;
  }

  /** The lines; and from now on dots() draws those of `flows`. */
  lines(pen: CanvasRenderingContext2D, flows: readonly Flow[]): void {
    this.#dots = flows.flatMap((flow, i) => this.#dotsOf(flow, i));
    for (const isStale of [false, true]) this.#strokes(pen, flows, isStale);
    pen.setLineDash([]);
    pen.globalAlpha = 1;
  }

  /** Those of one thickness are one stroke. */
  #strokes(pen: CanvasRenderingContext2D, flows: readonly Flow[], isStale: boolean): void {
    const { hasProxies, isSmall } = this.#layout;
    pen.strokeStyle = isStale ? this.#paints.alarm : this.#paints.flow;
    pen.globalAlpha = (isStale ? 0.9 : 0.45) * (hasProxies ? 1 : 0.5);
    pen.setLineDash(isStale ? [7, 5] : []);
    const own = flows.filter(({ stale }) => stale > 0 === isStale);
    const thickest = isSmall ? 3 : 6;
    for (let thick = 1; thick <= thickest; thick++) {
      const alike = own.filter((flow) => Math.min(thickest, this.#thickness(flow)) === thick);
      if (alike.length === 0) continue;
      pen.lineWidth = thick;
      pen.beginPath();
      for (const { from, to } of alike) {
        const [[x, y], [x1, y1], [x2, y2], [x3, y3]] = wayOf(this.#layout, from, to);
        pen.moveTo(x, y);
        pen.bezierCurveTo(x1, y1, x2, y2, x3, y3);
      }
      pen.stroke();
    }
  }

  #thickness({ connections }: Flow): number {
    const factor = this.#layout.isSmall ? 0.25 : 0.5;
    return Math.max(1, Math.round(0.8 + Math.log2(1 + connections) * factor));
  }

  /** @param place of the flow among the others: no two set out at once */
  #dotsOf(flow: Flow, place: number): Dot[] {
    const { from, to, connections, stale } = flow;
    const key = `${from} ${to}`;
    let places = this.#places.get(key);
    if (places === undefined) {
      this.#places.set(key, (places = placesOn(wayOf(this.#layout, from, to))));
    }
    const count = Math.max(1, Math.min(DOTS_MAX, Math.round(Math.log2(1 + connections) / 2)));
    const isStale = stale > 0;
    const size = (isStale ? 3 : 1.5) + this.#thickness(flow) * (this.#layout.isSmall ? 0.7 : 0.9);
    return Array.from({ length: count }, (_, i) => ({
      places: places!,
      from: (i / count + place * 0.381966) % 1,
      isStale,
      size,
    }));
  }

  /** @param clock seconds for which it has been playing */
  dots(pen: CanvasRenderingContext2D, clock: number): void {
    for (const isStale of [false, true]) {
      pen.fillStyle = isStale ? this.#paints.alarm : this.#paints.flow;
      for (const dot of this.#dots) {
        if (dot.isStale !== isStale) continue;
        const at = 2 * Math.floor(((clock * SPEED + dot.from) % 1) * PLACES);
        const half = dot.size / 2;
        pen.fillRect(dot.places[at]! - half, dot.places[at + 1]! - half, dot.size, dot.size);
      }
    }
  }
}

function placesOn(curve: readonly [Point, Point, Point, Point]): Float32Array {
  const places = new Float32Array(2 * PLACES);
  const [a, b, c, d] = curve;
  for (let i = 0; i < PLACES; i++) {
    const t = i / (PLACES - 1);
    const s = 1 - t;
    for (const axis of [0, 1] as const) {
      places[2 * i + axis] =
        s * s * s * a[axis] +
        3 * s * s * t * b[axis] +
        3 * s * t * t * c[axis] +
        t * t * t * d[axis];
    }
  }
  return places;
}
