/**
 * Pieces that every view is made of: a titled section, a word with its definition, legends, tables.
 *
 * Owns: that a figure says its definition on hover and focus, and leads to the dictionary at the end of the page.
 */
import type { ComponentChildren, JSX } from "preact";
import { createContext } from "preact";
import { useContext, useId, useState } from "preact/hooks";
import type { Report } from "../model.ts";
import type { Look } from "./palette.ts";

export const ReportContext = createContext<Report | null>(null);

export function useReport(): Report {
  return useContext(ReportContext)!;
}

/** Anchor of a definition in the dictionary. */
export function definitionId(key: string): string {
  return `def-${key.replaceAll(/[^\w]/g, "-")}`;
}

interface ViewProps {
  readonly id: string;
  readonly title: string;
  readonly intro?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function View({ id, title, intro, children }: ViewProps): JSX.Element {
  return (
    <section id={id} aria-labelledby={`${id}-title`} class="view">
      <h2 id={`${id}-title`}>{title}</h2>
      {intro !== undefined && <p class="intro">{intro}</p>}
      {children}
    </section>
  );
}

const TIP_WIDTH = 370;

/** A word of the metrics dictionary: `of` is "file.csv:column". */
export function Term({ of, children }: { of: string; children: ComponentChildren }): JSX.Element {
  const { definitions } = useReport();
  const id = useId();
  const [open, setOpen] = useState("");
  const meaning = definitions[of];
  if (meaning === undefined) return <span>{children}</span>;
  // Towards the side where there is room.
  const show = (event: Event): void => {
    const { left } = (event.currentTarget as Element).getBoundingClientRect();
    setOpen(left > innerWidth - TIP_WIDTH ? "open left" : "open");
  };
  const hide = (): void => setOpen("");
  return (
    <span
      class="term"
      onMouseEnter={show}
      onMouseLeave={hide}
      onKeyDown={(event) => event.key === "Escape" && hide()}
    >
      <a href={`#${definitionId(of)}`} aria-describedby={id} onFocus={show} onBlur={hide}>
        {children}
      </a>
      <span role="tooltip" id={id} class={`tip ${open}`}>
        {meaning} <code>{of.replace(":", " ")}</code>
      </span>
    </span>
  );
}

export interface LegendItem {
  readonly label: string;
  readonly look: Look;
  readonly shape: "line" | "fill";
  readonly of?: string | undefined;
  readonly value?: string | undefined;
}

export function Legend({ items }: { items: readonly LegendItem[] }): JSX.Element {
  return (
    <ul class="legend">
      {items.map(({ label, look, shape, of, value }) => (
        <li key={label}>
          <Swatch look={look} shape={shape} />
          {of === undefined ? <span>{label}</span> : <Term of={of}>{label}</Term>}
          <span class="value">{value ?? ""}</span>
        </li>
      ))}
    </ul>
  );
}

export function Swatch({ look, shape }: Pick<LegendItem, "look" | "shape">): JSX.Element {
  const id = useId().replaceAll(":", "");
  const color = `var(${look.color})`;
  return (
    <svg class="swatch" width="28" height="14" aria-hidden="true">
      {shape === "line" ? (
        <line
          x1="1"
          y1="7"
          x2="27"
          y2="7"
          stroke={color}
          stroke-width="3"
          stroke-dasharray={look.dash.join(" ")}
        />
      ) : (
        <>
          <defs>
            <Hatch id={id} look={look} />
          </defs>
          <rect x="1" y="1" width="26" height="12" fill={`url(#${id})`} stroke={color} />
        </>
      )}
    </svg>
  );
}

const hatchings = ["", "M-2,6 L6,-2 M2,10 L10,2", "M-2,2 L6,10 M2,-2 L10,6", "M0,4 L8,4"];

/** As palette.ts draws it on a canvas. */
export function Hatch({ id, look }: { id: string; look: Look }): JSX.Element {
  return (
    <pattern id={id} width="8" height="8" patternUnits="userSpaceOnUse">
      <rect width="8" height="8" fill={`var(${look.color})`} />
      {look.hatch === 4 ? (
        <circle cx="4" cy="4" r="1.8" fill="var(--paper)" />
      ) : (
        <path
          d={hatchings[look.hatch] ?? ""}
          stroke="var(--paper)"
          stroke-width="1.6"
          fill="none"
        />
      )}
    </pattern>
  );
}

interface TableProps {
  readonly caption: string;
  readonly head: readonly ComponentChildren[];
  readonly rows: readonly (readonly ComponentChildren[])[];
}

/** The first column names the row; a table that is too wide scrolls by itself. */
export function Table({ caption, head, rows }: TableProps): JSX.Element {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={caption}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {head.map((cell, i) => (
              <th key={i} scope="col">
                {cell}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i}>
              {row.map((cell, j) =>
                j === 0 ? (
                  <th key={j} scope="row">
                    {cell}
                  </th>
                ) : (
                  <td key={j}>{cell}</td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The figures behind a drawing, for whoever cannot see it; made when it is opened. */
export function Figures({
  make,
  ...rest
}: Omit<TableProps, "rows"> & { make: () => TableProps["rows"] }): JSX.Element {
  const [open, setOpen] = useState(false);
  return (
    <details class="figures" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>As a table: {rest.caption}</summary>
      {open && <Table {...rest} rows={make()} />}
    </details>
  );
}
