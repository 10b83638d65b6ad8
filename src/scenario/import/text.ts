/**
 * A draft as a scenario file: short, typed, formatted, with its assumptions beside what they are about.
 *
 * Owns: the text, and the same as data for a run without a file. Refuses to own: what is assumed (draft.ts).
 */
import * as distributions from "../language/distributions.ts";
import * as words from "../language/scenario.ts";
import * as rates from "../language/rates.ts";
import * as faults from "../faults/words.ts";
import { isRecord } from "../schema/reading.ts";

/** A word of the scenario language with what it is given. */
export class Word {
  readonly name: string;
  readonly given: readonly unknown[];

  constructor(name: string, given: readonly unknown[]) {
    this.name = name;
    this.given = given;
  }
}

/** A member with a line above it, for whoever edits the file. */
export class Remarked {
  readonly value: unknown;
  readonly remark: string;

  constructor(value: unknown, remark: string) {
    this.value = value;
    this.remark = remark;
  }
}

const WIDEST = 100;
const all: Readonly<Record<string, unknown>> = { ...words, ...distributions, ...rates, ...faults };

/** What the words make of it: plain data, as if the file had been run. */
export function dataOf(value: unknown): unknown {
  if (value instanceof Remarked) return dataOf(value.value);
  if (value instanceof Word) {
    const word = all[value.name] as (...given: unknown[]) => unknown;
    return word(...value.given.map(dataOf));
  }
  if (Array.isArray(value)) return value.map(dataOf);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, dataOf(member)]));
}

/** A whole file. @param remarks lines at the end of the scenario, for what may be added */
export function scenarioText(
  description: string,
  fields: Readonly<Record<string, unknown>>,
  remarks: readonly string[],
): string {
  const used = new Set(["defineScenario"]);
  collectWords(fields, used);
  const body = members(fields, 2);
  const rest = remarks.map((line) => (line === "" ? "" : `  // ${line}`));
  const names = [...used].sort((a, b) => (a < b ? -1 : 1));
  const oneLine = `import { ${names.join(", ")} } from "podstorm";`;
  const imports =
    oneLine.length <= WIDEST
      ? oneLine
      : `import {\n${names.map((each) => `  ${each},\n`).join("")}} from "podstorm";`;
  return [
    `/** ${commentText(description)} */`,
    imports,
    "",
    "export default defineScenario({",
    ...body,
    ...rest,
    "});",
    "",
  ].join("\n");
}

/** No text can end a comment. */
export function commentText(text: string): string {
  return text.replaceAll("*/", "* /").replace(/[\p{Cc}\u2028\u2029]/gu, " ");
}

function collectWords(value: unknown, used: Set<string>): void {
  if (value instanceof Remarked) collectWords(value.value, used);
  else if (value instanceof Word) {
    used.add(value.name);
    for (const each of value.given) collectWords(each, used);
  } else if (typeof value === "object" && value !== null) {
    for (const each of Object.values(value)) collectWords(each, used);
  }
}

function members(fields: Readonly<Record<string, unknown>>, indent: number): string[] {
  const space = " ".repeat(indent);
  return Object.entries(fields).flatMap(([key, value]) => {
    const remark = value instanceof Remarked ? [`${space}// ${commentText(value.remark)}`] : [];
    const own = value instanceof Remarked ? value.value : value;
    return [
      ...remark,
      `${space}${keyText(key)}: ${literal(own, indent, keyText(key).length + 3)},`,
    ];
  });
}

function keyText(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key);
}

/** @param before characters that stand before it on its line, beside the indent */
function literal(value: unknown, indent: number, before: number): string {
  const flat = flatText(value);
  if (flat !== null && indent + before + flat.length <= WIDEST) return flat;
  if (value instanceof Word) {
    const given = value.given.map((each) => literal(each, indent, before + value.name.length + 1));
    return `${value.name}(${given.join(", ")})`;
  }
  const space = " ".repeat(indent);
  if (Array.isArray(value)) {
    const items = value.map((each) => {
      const own: unknown = each instanceof Remarked ? each.value : each;
      const remark = each instanceof Remarked ? `${space}  // ${commentText(each.remark)}\n` : "";
      return `${remark}${space}  ${literal(own, indent + 2, 1)},`;
    });
    return `[\n${items.join("\n")}\n${space}]`;
  }
  if (isRecord(value)) return `{\n${members(value, indent + 2).join("\n")}\n${space}}`;
  return JSON.stringify(value);
}

/** On one line; null where a remark needs a line of its own. */
function flatText(value: unknown): string | null {
  if (value instanceof Remarked) return null;
  if (value instanceof Word) return flatList(value.given, `${value.name}(`, ")");
  if (Array.isArray(value)) return flatList(value, "[", "]");
  if (!isRecord(value)) return JSON.stringify(value);
  const parts = Object.entries(value).map(([key, member]) => {
    const text = flatText(member);
    return text === null ? null : `${keyText(key)}: ${text}`;
  });
  if (parts.includes(null)) return null;
  return parts.length === 0 ? "{}" : `{ ${parts.join(", ")} }`;
}

function flatList(values: readonly unknown[], open: string, close: string): string | null {
  const parts = values.map(flatText);
  return parts.includes(null) ? null : `${open}${parts.join(", ")}${close}`;
}
