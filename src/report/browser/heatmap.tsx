/**
 * A table of cells as colours: rows by columns, with a cursor that reads one.
 *
 * Owns: drawing it and moving in it, by pointer and by keys. What has no value is hatched, what is not there is blank.
 */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { duration } from "../../output/format.ts";
import type { Bins } from "../model.ts";
import { useAway } from "./away.ts";
import { cssColor, filling, rampColor } from "./palette.ts";
import { Figures } from "./parts.tsx";
import { theme, useShared, type Theme, type TimeAxis } from "./state.ts";

export interface HeatMapProps {
  readonly title: string;
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** By row and then column; -1: none, -2: blank. */
  readonly cells: readonly number[];
  readonly format: (value: number) => string;
  /** What -1 is. */
  readonly none: string;
  readonly rowTitle: string;
  readonly columnTitle: string;
}

const LEFT = 8;
const ROWS_SHOWN = 40;
const ROWS_LISTED = 60;
const COLUMNS_LISTED = 24;

export function HeatMap(props: HeatMapProps): JSX.Element {
  const { title, rows, columns, cells, format, none } = props;
  const holder = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [at, setAt] = useState<readonly [number, number] | null>(null);
  const [width, setWidth] = useState(0);
  const mode = useShared(theme);
  useAway(holder);
  const most = cells.reduce((a, b) => Math.max(a, b), 0);
  const rowHeight =
    rows.length <= 12 ? 22 : rows.length <= 40 ? 14 : Math.max(3, Math.floor(520 / rows.length));
  const labelWidth = rows.length <= 40 && width > 560 ? 190 : LEFT;
  const height = rows.length * rowHeight + 4;
  useEffect(() => {
    const observer = new ResizeObserver(() => setWidth(holder.current?.clientWidth ?? 0));
    observer.observe(holder.current!);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (width > 0)
      draw(canvas.current!, { ...props, width, height, rowHeight, labelWidth, most, at, mode });
  });
  const cellWidth = (width - labelWidth) / columns.length;
  const find = (event: PointerEvent | MouseEvent): void => {
    const box = canvas.current!.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - labelWidth) / cellWidth);
    const row = Math.floor((event.clientY - box.top) / rowHeight);
    const isInside = column >= 0 && column < columns.length && row >= 0 && row < rows.length;
    setAt(isInside ? [row, column] : null);
  };
  const value = at === null ? -2 : cells[at[0] * columns.length + at[1]]!;
  const said = value === -2 ? "no value" : value < 0 ? none : format(value);
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <div
        ref={holder}
        class="heat"
        tabIndex={0}
        role="group"
        aria-label={`${title}: ${rows.length} rows by ${columns.length} columns. Arrow keys move the cursor.`}
        onPointerMove={find}
        onClick={find}
        onPointerLeave={() => setAt(null)}
        onKeyDown={(event) => {
          const next = moved(event.key, at ?? [0, -1], rows.length, columns.length);
          if (next === null) return;
          event.preventDefault();
          setAt(next);
        }}
      >
        <canvas ref={canvas} aria-hidden="true" />
      </div>
      <p class="readout block" aria-live="polite">
        {at === null
          ? `${rows.length} ${props.rowTitle} by ${columns.length} ${props.columnTitle}; the strongest colour is ${format(most)}.`
          : `${rows[at[0]]}, ${columns[at[1]]}: ${said}`}
      </p>
      <Ramp mode={mode} most={format(most)} none={none} />
      <CellFigures {...props} />
    </figure>
  );
}

/** One over time, which shows the stretch that all charts show. */
export function TimeHeatMap({
  axis,
  bins,
  ...rest
}: Omit<HeatMapProps, "columns" | "columnTitle"> & {
  readonly axis: TimeAxis;
  readonly bins: Bins;
}): JSX.Element {
  const range = useShared(axis.range);
  const all = bins.startNs.length;
  const first = Math.max(
    0,
    bins.startNs.findLastIndex((ns) => ns / 1e9 <= range.from),
  );
  const end = bins.startNs.findIndex((ns) => ns / 1e9 >= range.to);
  const last = Math.max(first + 1, end < 0 ? all : end);
  const cells = rest.rows.flatMap((_, row) =>
    rest.cells.slice(row * all + first, row * all + last),
  );
  if (rest.cells.every((value) => value === -2)) return <p>{rest.title}: none at any time.</p>;
  const columns = bins.startNs.slice(first, last).map((ns) => `from ${duration(ns)}`);
  return <HeatMap {...rest} {...{ columns, cells }} columnTitle="windows" />;
}

/** The first of them: a table of all would be as hard to read as the picture. */
function CellFigures({
  title,
  rowTitle,
  rows,
  columns,
  cells,
  format,
  none,
}: HeatMapProps): JSX.Element {
  return (
    <Figures
      caption={title}
      head={[rowTitle].concat(columns.slice(0, COLUMNS_LISTED))}
      make={() =>
        rows.slice(0, ROWS_LISTED).map((row, i) =>
          [row].concat(
            columns.slice(0, COLUMNS_LISTED).map((_, j) => {
              const each = cells[i * columns.length + j]!;
              return each === -2 ? "" : each < 0 ? none : format(each);
            }),
          ),
        )
      }
    />
  );
}

function Ramp({ mode, most, none }: { mode: Theme; most: string; none: string }): JSX.Element {
  const steps = Array.from({ length: 12 }, (_, i) => i / 11);
  return (
    <p class="ramp">
      <span>0</span>
      <svg width="120" height="12" aria-hidden="true">
        {steps.map((share, i) => (
          <rect key={i} x={i * 10} width="10.5" height="12" fill={rampColor(mode, share)} />
        ))}
      </svg>
      <span>{most}</span>
      {none !== "" && (
        <>
          <svg width="24" height="12" aria-hidden="true">
            <rect x="0.5" y="0.5" width="23" height="11" fill="none" stroke="var(--c6)" />
            <path d="M0,12 L12,0 M12,12 L24,0" stroke="var(--c6)" />
          </svg>
          <span>{none}</span>
        </>
      )}
    </p>
  );
}

function moved(
  key: string,
  [row, column]: readonly [number, number],
  rows: number,
  columns: number,
): readonly [number, number] | null {
  const steps: Readonly<Record<string, readonly [number, number]>> = {
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
  };
  const step = steps[key];
  if (step === undefined) return null;
  const within = (value: number, most: number): number => Math.max(0, Math.min(most - 1, value));
  return [within(row + step[0], rows), within(column + step[1], columns)];
}

interface Drawing extends HeatMapProps {
  readonly width: number;
  readonly height: number;
  readonly rowHeight: number;
  readonly labelWidth: number;
  readonly most: number;
  readonly at: readonly [number, number] | null;
  readonly mode: Theme;
}

function draw(canvas: HTMLCanvasElement, drawing: Drawing): void {
  const { rows, columns, cells, width, height, rowHeight, labelWidth, most, at, mode } = drawing;
  const scale = devicePixelRatio;
  canvas.width = width * scale;
  canvas.height = height * scale;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d")!;
  pen.scale(scale, scale);
  const hatched = filling(pen, { color: "--c6", dash: [], hatch: 1 });
  const cellWidth = (width - labelWidth) / columns.length;
  const gap = cellWidth > 6 && rowHeight > 8 ? 1 : 0;
  for (let row = 0; row < rows.length; row++) {
    for (let column = 0; column < columns.length; column++) {
      const value = cells[row * columns.length + column]!;
      if (value === -2) continue;
      pen.fillStyle = value < 0 ? hatched : rampColor(mode, most === 0 ? 0 : value / most);
      pen.fillRect(
        labelWidth + column * cellWidth,
        row * rowHeight,
        Math.max(1, cellWidth - gap),
        Math.max(1, rowHeight - gap),
      );
    }
  }
  pen.fillStyle = cssColor("--ink");
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  if (labelWidth > LEFT && rows.length <= ROWS_SHOWN) {
    for (const [row, name] of rows.entries()) {
      pen.fillText(shortened(pen, name, labelWidth - 10), 0, (row + 0.5) * rowHeight);
    }
  }
  if (at !== null) {
    pen.strokeStyle = cssColor("--ink");
    pen.lineWidth = 2;
    pen.strokeRect(
      labelWidth + at[1] * cellWidth,
      at[0] * rowHeight,
      Math.max(3, cellWidth),
      rowHeight,
    );
  }
}

/** In its middle: start and end of a name tell most. */
export function shortened(pen: CanvasRenderingContext2D, text: string, width: number): string {
  if (pen.measureText(text).width <= width) return text;
  const letters = [...text];
  let keep = letters.length - 1;
  for (;;) {
    const head = letters.slice(0, Math.ceil(keep / 2)).join("");
    const tail = letters.slice(letters.length - Math.floor(keep / 2)).join("");
    if (keep <= 2 || pen.measureText(`${head}…${tail}`).width <= width) return `${head}…${tail}`;
    keep--;
  }
}
