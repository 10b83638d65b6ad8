/**
 * A chart over simulated time: uPlot, with the shared axis, marks for faults, a legend that reads the cursor, and keys.
 *
 * Owns: joining uPlot to the page. Refuses to own: what is drawn (the views).
 */
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { duration } from "../../output/format.ts";
import type { Mark } from "../model.ts";
import { useAway } from "./away.ts";
import { cssColor, filling, type Look } from "./palette.ts";
import { Figures, Legend, useReport, type LegendItem } from "./parts.tsx";
import { theme, useShared, type Range, type TimeAxis } from "./state.ts";

export interface Series {
  readonly label: string;
  readonly values: readonly (number | null)[];
  readonly look: Look;
  readonly kind: "line" | "step" | "bars";
  readonly width?: number;
  /** Key of its definition. */
  readonly of?: string;
  /** Drawn, but not in the legend. */
  readonly isSilent?: boolean;
}

export interface ChartProps {
  readonly title: string;
  readonly axis: TimeAxis;
  /** Seconds. */
  readonly x: readonly number[];
  readonly series: readonly Series[];
  /** Of an axis tick and of a value. */
  readonly format: (value: number) => string;
  readonly height?: number;
  /** Bars stand on one another, in the order of the series. */
  readonly isStacked?: boolean;
  readonly isLog?: boolean;
  /** Values are whole numbers, and so are the ticks. */
  readonly isWhole?: boolean;
}

const FONT = "12px system-ui, sans-serif";

export function TimeChart(props: ChartProps): JSX.Element {
  const { title, axis, x, series, format } = props;
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [place, setPlace] = useState<number | null>(null);
  const { marks } = useReport();
  const mode = useShared(theme);
  useAway(holder);
  useEffect(() => {
    const made = makePlot(holder.current!, props, marks, setPlace);
    plot.current = made;
    const fit = (): void => made.setSize({ width: widthOf(holder.current!), height: made.height });
    const observer = new ResizeObserver(fit);
    observer.observe(holder.current!);
    const forget = axis.range.listen(() => showRange(made, axis.range.value));
    return () => {
      observer.disconnect();
      forget();
      made.destroy();
    };
  }, [x, series, mode]);
  const items = useMemo(() => series.filter(({ isSilent }) => isSilent !== true), [series]);
  return (
    <figure class="chart">
      <figcaption>
        {title}
        <span class="readout" aria-live="polite">
          {place === null ? "" : duration(Math.round(x[place]! * 1e9))}
        </span>
      </figcaption>
      <div
        ref={holder}
        class="plot"
        tabIndex={0}
        role="group"
        aria-label={`Chart of ${title}. Arrow keys move the cursor, with shift the stretch of time; plus and minus zoom, 0 shows all.`}
        onKeyDown={(event) => onKey(event, axis, plot.current, place)}
      />
      <Legend items={items.map((each) => legendItem(each, place, format))} />
      <Figures
        caption={title}
        head={["Time"].concat(items.map(({ label }) => label))}
        make={() => rowsOf(x, items, format)}
      />
    </figure>
  );
}

function legendItem(
  series: Series,
  place: number | null,
  format: ChartProps["format"],
): LegendItem {
  const value = place === null ? null : series.values[place];
  return {
    label: series.label,
    look: series.look,
    shape: series.kind === "bars" ? "fill" : "line",
    of: series.of,
    value: value === null || value === undefined ? undefined : format(value),
  };
}

const ROWS_MAX = 60;

/** At most so many rows, evenly spaced. */
function rowsOf(
  x: readonly number[],
  series: readonly Series[],
  format: ChartProps["format"],
): string[][] {
  const every = Math.ceil(x.length / ROWS_MAX);
  return x.flatMap((seconds, i) =>
    i % every === 0
      ? [
          [duration(Math.round(seconds * 1e9))].concat(
            series.map(({ values }) => {
              const value = values[i];
              return value === null || value === undefined ? "-" : format(value);
            }),
          ),
        ]
      : [],
  );
}

function onKey(
  event: KeyboardEvent,
  axis: TimeAxis,
  plot: uPlot | null,
  place: number | null,
): void {
  const { key, shiftKey } = event;
  const way = key === "ArrowLeft" ? -1 : key === "ArrowRight" ? 1 : 0;
  if (way !== 0 && shiftKey) axis.pan(way * 0.2);
  else if (way !== 0 && plot !== null) moveCursor(plot, place, way);
  else if (key === "+" || key === "=") axis.zoom(0.5, cursorTime(plot, place));
  else if (key === "-") axis.zoom(2, cursorTime(plot, place));
  else if (key === "0" || key === "Home") axis.all();
  else return;
  event.preventDefault();
}

function cursorTime(plot: uPlot | null, place: number | null): number | undefined {
  return place === null ? undefined : plot?.data[0]![place];
}

function moveCursor(plot: uPlot, place: number | null, way: number): void {
  const times = plot.data[0]!;
  const { min = 0, max = 0 } = plot.scales["x"]!;
  const first = times.findIndex((time) => time >= min!);
  let next = place === null ? first : place + way;
  next = Math.max(0, Math.min(times.length - 1, next));
  if (times[next]! < min! || times[next]! > max!) return;
  plot.setCursor({
    left: plot.valToPos(times[next]!, "x"),
    top: plot.bbox.height / 4 / devicePixelRatio,
  });
}

function widthOf(element: HTMLElement): number {
  return Math.max(200, Math.floor(element.clientWidth));
}

function showRange(plot: uPlot, { from, to }: Range): void {
  plot.setScale("x", { min: from, max: to });
}

function makePlot(
  holder: HTMLElement,
  props: ChartProps,
  marks: readonly Mark[],
  read: (place: number | null) => void,
): uPlot {
  const { axis, x, series, height = 180, isStacked = false, isLog = false } = props;
  const order = isStacked ? [...series.keys()].toReversed() : [...series.keys()];
  const drawn = isStacked ? stacked(series) : series.map(({ values }) => values);
  const { from, to } = axis.range.value;
  const options: uPlot.Options = {
    width: widthOf(holder),
    height,
    legend: { show: false },
    scales: {
      x: { time: false, min: from, max: to },
      y: isLog ? { distr: 3 } : { range: (_, __, most) => [0, most > 0 ? most * 1.08 : 1] },
    },
    axes: axesOf(props),
    series: [{}, ...order.map((i) => seriesOptions(series[i]!))],
    cursor: {
      drag: { x: true, y: false, setScale: false },
      sync: { key: "time", scales: ["x", null] },
      points: { size: 6 },
    },
    hooks: {
      drawClear: [(plot) => drawMarks(plot, marks)],
      draw: [(plot) => drawLetters(plot, marks)],
      setCursor: [(plot) => read(plot.cursor.idx ?? null)],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width < 4) return;
          axis.show(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
      ready: [(plot) => plot.over.addEventListener("dblclick", () => axis.all())],
    },
  };
  const data = [x, ...order.map((i) => drawn[i]!)] as unknown as uPlot.AlignedData;
  return new uPlot(options, data, holder);
}

function axesOf({ format, isLog = false, isWhole = false }: ChartProps): uPlot.Axis[] {
  const ink = cssColor("--ink-soft");
  const grid = { stroke: cssColor("--grid"), width: 1 };
  return [
    {
      stroke: ink,
      grid,
      ticks: grid,
      font: FONT,
      values: (_, ticks) => ticks.map((tick) => `${tick} s`),
    },
    {
      stroke: ink,
      grid: isLog ? { ...grid, filter: decades } : grid,
      ticks: isLog ? { ...grid, filter: decades } : grid,
      font: FONT,
      size: 64,
      values: (_, ticks) =>
        ticks.map((tick) =>
          tick === null || (isWhole && !Number.isInteger(tick)) ? "" : format(tick),
        ),
    },
  ];
}

/** Each on top of those before it; what is nothing is not drawn. */
function stacked(series: readonly Series[]): (number | null)[][] {
  const below = series[0]?.values.map(() => 0) ?? [];
  return series.map(({ values }) =>
    values.map((value, i) => {
      below[i]! += value ?? 0;
      return value === null || value === 0 ? null : below[i]!;
    }),
  );
}

function seriesOptions({ look, kind, width = 2 }: Series): uPlot.Series {
  const stroke = cssColor(look.color);
  if (kind === "bars") {
    return {
      stroke,
      width: 1,
      fill: (plot) => filling(plot.ctx, look) as unknown as CanvasRenderingContext2D["fillStyle"],
      paths: uPlot.paths.bars!({ size: [0.92, 300], align: 1 }),
      points: { show: false },
    };
  }
  return {
    stroke,
    width,
    dash: [...look.dash],
    points: { show: true, size: width * 3, fill: stroke, filter: alone },
    ...(kind === "step" && { paths: uPlot.paths.stepped!({ align: 1 }) }),
  };
}

/** Of the ticks of a logarithmic axis those that have a line. */
function decades(_: uPlot, ticks: number[]): (number | null)[] {
  return ticks.map((tick) => (Number.isInteger(Math.log10(tick)) ? tick : null));
}

/** What has no neighbour to draw a line to. */
function alone(plot: uPlot, series: number): number[] {
  const values = plot.data[series]!;
  const has = (i: number): boolean => values[i] !== null && values[i] !== undefined;
  return [...values.keys()].filter((i) => has(i) && !has(i - 1) && !has(i + 1));
}

/** Faults: a line at an instant, a tinted stretch for what lasts, and a letter that the list below explains. */
function drawMarks(plot: uPlot, marks: readonly Mark[]): void {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { fromNs, toNs } of marks) {
    const left = plot.valToPos(fromNs / 1e9, "x", true);
    const right = plot.valToPos(toNs / 1e9, "x", true);
    ctx.fillStyle = cssColor("--mark-tint");
    if (right > left) ctx.fillRect(left, bbox.top, right - left, bbox.height);
    ctx.strokeStyle = cssColor("--mark");
    ctx.lineWidth = scale;
    ctx.setLineDash([3 * scale, 3 * scale]);
    ctx.beginPath();
    ctx.moveTo(left, bbox.top);
    ctx.lineTo(left, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/** In front of what is drawn, each on a ground of its own. */
function drawLetters(plot: uPlot, marks: readonly Mark[]): void {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.font = `bold ${11 * scale}px system-ui, sans-serif`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  for (const [i, { fromNs }] of marks.entries()) {
    const left = plot.valToPos(fromNs / 1e9, "x", true);
    if (left < bbox.left || left > bbox.left + bbox.width) continue;
    const letter = markLetter(i);
    ctx.fillStyle = cssColor("--paper");
    ctx.fillRect(left + scale, bbox.top, ctx.measureText(letter).width + 5 * scale, 14 * scale);
    ctx.fillStyle = cssColor("--mark");
    ctx.fillText(letter, left + 3 * scale, bbox.top + 7 * scale);
  }
  ctx.restore();
}

/** A, B, ... Z, A2, B2, ... */
export function markLetter(i: number): string {
  const round = Math.floor(i / 26);
  return String.fromCharCode(65 + (i % 26)) + (round === 0 ? "" : String(round + 1));
}
