/**
 * Where two runs or two results folders part, in words.
 *
 * Owns: the look. Names from outside are made printable by whoever prints (cli/).
 */
import { counted } from "../../output/index.ts";
import { formatDuration } from "../../scenario/units.ts";
import type { FieldDifference } from "./fields.ts";
import type { FolderDifference } from "./folders.ts";
import type { PartedSide, Parting } from "./lockstep.ts";
import type { Sight } from "./sights.ts";

const FIELDS_SHOWN = 8;

export function partingLines(parting: Parting, fields: readonly FieldDifference[]): string[] {
  const { sameEvents, sameUntilNs, a, b } = parting;
  const same = `Both do the same for ${counted(sameEvents, "event")}, up to ${at(sameUntilNs)}.`;
  return [
    sameEvents === 0 ? "Not one event is the same." : same,
    "",
    ...fieldLines(fields),
    ...sideLines("A", a),
    "",
    ...sideLines("B", b),
  ];
}

function fieldLines(fields: readonly FieldDifference[]): string[] {
  if (fields.length === 0)
    return ["The scenarios come to the same: code, seed or machine differ.", ""];
  const shown = fields.slice(0, FIELDS_SHOWN).map(({ path, a, b }) => `  ${path}: ${a} | ${b}`);
  const more = fields.length - shown.length;
  const rest = more === 0 ? [] : [`  and ${counted(more, "other field")}`];
  return ["The scenarios differ in:", ...shown, ...rest, ""];
}

function sideLines(name: string, side: PartedSide): string[] {
  const { event, requestsStarted, requestsEnded, requestsFailed } = side;
  const next =
    event === null
      ? "nothing more happens"
      : `at ${at(event.timeNs)} comes ${event.kindName} (${event.a}, ${event.b})`;
  const knew = `${counted(requestsStarted, "request")} begun, ${requestsEnded} ended, ${requestsFailed} failed`;
  return [
    `${name}: ${next}; until then ${knew}.`,
    ...sightLines("  before:", side.before),
    ...sightLines("  after: ", side.after),
  ];
}

function sightLines(label: string, sights: readonly Sight[]): string[] {
  const blank = " ".repeat(label.length);
  return sights.map(({ atNs, text }, i) => `${i === 0 ? label : blank} ${at(atNs)}  ${text}`);
}

function at(timeNs: number): string {
  return formatDuration(timeNs);
}

export function folderLines({ file, line, cells, row }: FolderDifference): string[] {
  const where = line === null ? file : `${file}, line ${line}`;
  const known = row.map(([column, value]) => `${column} ${value}`).join(", ");
  return [
    `The first difference is in ${where}${known === "" ? "" : ` (${known})`}:`,
    ...cells.map(
      ({ column, a, b }) => `  ${column === "" ? "" : `${column}: `}${shown(a)} | ${shown(b)}`,
    ),
  ];
}

function shown(text: string | null): string {
  if (text === null) return "(the file has ended)";
  return text === "" ? "(empty)" : text;
}
