/**
 * What an import says of itself: what it took, what it assumed, what it guessed, what it left out and why.
 *
 * Owns: the words. Long lists are cut, and say so. Refuses to own: where it is printed, and escaping (cli/).
 */
import type { Calls } from "./calls.ts";
import type { Draft } from "./draft.ts";
import { referenceTo, type Note, type Subject } from "./subject.ts";
import type { PassedOver } from "./sources.ts";

/** Lines of one sort before the rest is only counted. */
const MOST_LINES = 20;

export interface ReportInput {
  readonly subjects: readonly Subject[];
  readonly notes: readonly Note[];
  readonly passedOver: readonly PassedOver[];
  readonly calls: Calls;
  readonly draft: Draft;
}

export function importReport({ subjects, notes, passedOver, calls, draft }: ReportInput): string[] {
  const changed = notes.filter(({ kind }) => kind === "changed");
  const ignored = notes.filter(({ kind }) => kind === "ignored");
  return [
    ...section("Taken", [countsOf(subjects.filter(({ isDropped }) => !isDropped))]),
    ...section("Assumed", draft.assumptions),
    ...(draft.traffic === null
      ? []
      : section(`Traffic: ${draft.traffic.format}`, draft.traffic.report)),
    ...section(
      "Guessed calls, in `servers` of the scenario, to be changed",
      calls.calls.map(
        ({ from, target, because }) => `${referenceTo(from)} calls ${target}: ${because}`,
      ),
    ),
    ...section(
      "Named, and not called",
      calls.passed.map(
        ({ from, because, reason }) => `${referenceTo(from)}: ${because}: ${reason}`,
      ),
    ),
    ...section("Changed", grouped(changed)),
    ...section("Ignored", [
      ...grouped(ignored),
      ...counted(notes),
      ...passedOver.map(({ place, reason }) => `${place}: ${reason}`),
    ]),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  const own = lines.filter((line) => line !== "");
  if (own.length === 0) return [];
  const shown = own.slice(0, MOST_LINES).map((line) => `  ${line}`);
  const rest = own.length - shown.length;
  return [title, ...shown, ...(rest > 0 ? [`  ... and ${rest} more`] : [])];
}

function countsOf(subjects: readonly Subject[]): string {
  const counts = new Map<string, number>();
  for (const { kind } of subjects) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(", ");
}

/** What is said of several objects is said once. */
function grouped(notes: readonly Note[]): string[] {
  const byText = new Map<string, Note[]>();
  for (const note of notes) {
    const key = `${note.object.slice(0, note.object.indexOf(" "))} ${note.text}`;
    const known = byText.get(key);
    if (known === undefined) byText.set(key, [note]);
    else known.push(note);
  }
  return [...byText.values()].map((own) => {
    const { object, place, text } = own[0]!;
    const others = own.length === 1 ? "" : ` and ${own.length - 1} more`;
    return `${object} (${place})${others}: ${text}`;
  });
}

function counted(notes: readonly Note[]): string[] {
  const counts = new Map<string, number>();
  for (const { kind, object, text } of notes) {
    if (kind !== "counted") continue;
    const what = object.slice(0, object.indexOf(" "));
    const key = `${what}: ${text}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([what, count]) => `${count} ${what}`);
}
