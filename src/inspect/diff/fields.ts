/**
 * In which fields two scenarios differ.
 *
 * Owns: the comparison of plain data, by path. Every default is filled in, so that what is written and what is left out
 * may be the same.
 */
import type { ResolvedScenario } from "../../scenario/resolved.ts";
import { describeValue, pathText, type Path } from "../../scenario/mistakes.ts";

export interface FieldDifference {
  readonly path: string;
  readonly a: string;
  readonly b: string;
}

/** What a run does not depend on. */
const NAMES = new Set(["name", "description", "file", "env", "ignored", "assumed", "thresholds"]);

export function differentFields(a: ResolvedScenario, b: ResolvedScenario): FieldDifference[] {
  const found: FieldDifference[] = [];
  compare(withoutNames(a), withoutNames(b), [], found);
  return found;
}

function withoutNames(scenario: ResolvedScenario): object {
  return Object.fromEntries(Object.entries(scenario).filter(([key]) => !NAMES.has(key)));
}

function compare(a: unknown, b: unknown, path: Path, found: FieldDifference[]): void {
  if (isHolder(a) && isHolder(b) && Array.isArray(a) === Array.isArray(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const step = Array.isArray(a) ? Number(key) : key;
      compare(a[key], b[key], [...path, step], found);
    }
  } else if (!Object.is(a, b)) {
    found.push({ path: pathText(path), a: describeValue(a), b: describeValue(b) });
  }
}

function isHolder(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
