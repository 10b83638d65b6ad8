/**
 * What an import says of itself: what it took, what it assumed, what it guessed, what it left out and why.
 *
 * Owns: the words. Long lists are cut, and say so. Refuses to own: where it is printed, and escaping (cli/).
 */
import { saidOnce } from "../alike.ts";
import type { Calls, PassedCall } from "./calls.ts";
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
    ...section("Guessed calls, in `servers` of the scenario, to be changed", guessesOf(calls)),
    ...section("Named, and not called", passedOnce(calls.passed)),
    ...section("Changed", saidOnce(changed)),
    ...section("Ignored", [
      ...saidOnce(ignored),
      ...counted(notes),
      ...passedOver.map(({ place, reason }) => `${place}: ${reason}`),
    ]),
  ];
}

/** "shop/deploy/web calls shop/svc/cart:7070: env CART_ADDR=cart:7070". */
export function guessesOf({ calls }: Calls): string[] {
  return calls.map(
    ({ from, target, because }) => `${referenceTo(from)} calls ${target}: ${because}`,
  );
}

/** Most parts of a shop are told of the same collector. */
function passedOnce(passed: readonly PassedCall[]): string[] {
  const alike = new Map<string, Subject[]>();
  for (const { from, because, reason } of passed) {
    const text = `${because}: ${reason}`;
    alike.set(text, [...(alike.get(text) ?? []), from]);
  }
  return [...alike].map(([text, from]) => {
    const others = from.length === 1 ? "" : ` and ${from.length - 1} more`;
    return `${referenceTo(from[0]!)}${others}: ${text}`;
  });
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
