/**
 * The summary of a run as text: what `sim run` prints.
 *
 * Owns: the look of it on a terminal. Refuses to own: what it says (headline.ts, summary-sections.ts),
 * and where it is printed (cli/).
 */
import { printable } from "./format.ts";
import type { Section } from "./summary-sections.ts";
import { alignColumns, indentedText, wrapped, type TextRow } from "./text-table.ts";
import type { SummaryView } from "./view.ts";

export interface TextOptions {
  /** Columns of the terminal; at least 60 are used. */
  readonly width: number;
  readonly colour: boolean;
  /** Folder of the results, as the user would type it. */
  readonly resultsDir: string;
  /** The command that repeats the run. */
  readonly replay: string;
}

export interface Style {
  readonly bold: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly faint: (text: string) => string;
}

/** The whole summary, ending in a line break. */
export function renderView(view: SummaryView, options: TextOptions): string {
  const style = styleOf(options.colour);
  const width = Math.max(60, options.width);
  const prints = view.fingerprints.map(([name, value]) => `${name} ${value}`);
  const lines = [
    ...heading(view, width, style),
    "",
    style.faint(printable(view.title)),
    ...view.sections.flatMap((section) => renderSection(section, width, style)),
    "",
    ...alignColumns([[`Fingerprints  ${prints.join("  ")}`]], width),
    `Results       ${printable(options.resultsDir)}`,
    `Again         ${printable(options.replay)}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** Lines, an empty one first. */
export function renderSection(section: Section, width: number, style: Style): string[] {
  const table = [[section.title, ...section.head], ...section.rows.map(indented)];
  const [head = "", ...body] = alignColumns(table, width);
  const titled = section.alarm === true ? style.bad : style.bold;
  const styledHead = titled(section.title) + style.faint(head.slice(section.title.length));
  const notes = (section.notes ?? []).flatMap((note) => indentedText(note, width));
  return ["", styledHead, ...body, ...notes];
}

function indented([first = "", ...rest]: TextRow): TextRow {
  return [`  ${first}`, ...rest];
}

function heading({ verdict, sentences }: SummaryView, width: number, style: Style): string[] {
  const [first = "", ...rest] = sentences;
  const colour = verdict === "good" ? style.good : verdict === "bad" ? style.bad : style.bold;
  return [...wrapped(first, width).map(colour), ...rest.flatMap((each) => wrapped(each, width))];
}

/** What colours text, or leaves it. */
export function styleOf(colour: boolean): Style {
  const sgr = (code: number) => (text: string) =>
    colour && text !== "" ? `\u001B[${code}m${text}\u001B[0m` : text;
  return { bold: sgr(1), good: sgr(32), bad: sgr(31), faint: sgr(2) };
}
