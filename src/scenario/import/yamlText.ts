/**
 * Objects as YAML that people like to read.
 *
 * Owns: block style, short maps and lists on one line, quotes where they are needed. Whatever is written here
 * reads back as the same value; a property test holds it to that.
 */
import { isRecord } from "../schema/reading.ts";

const WIDEST = 96;
/** What no reader of YAML takes for anything but text. */
const PLAIN = /^[A-Za-z_/][A-Za-z0-9_./-]*(?::[A-Za-z0-9_./-]+)*$/;
/** Quantities and durations: no YAML takes them for numbers. */
const QUANTITY = /^\d+(?:\.\d+)?(?:m|k|Ki|Mi|Gi|Ti|M|G|T|s|ms|us|h|%)$/;
const NO_TEXT = /^(?:y|n|yes|no|on|off|true|false|null|nan|inf)$/i;

/** One document for each value. */
export function yamlOf(values: readonly unknown[]): string {
  return values.map((value) => `${block(value, 0)}\n`).join("---\n");
}

function block(value: unknown, indent: number): string {
  const flat = flow(value);
  if (indent > 0 && flat.length + indent <= WIDEST && !isDeep(value)) return flat;
  const space = " ".repeat(indent);
  if (Array.isArray(value) && value.length > 0) {
    return value.map((item) => `${space}- ${block(item, indent + 2).trimStart()}`).join("\n");
  }
  if (isRecord(value) && Object.keys(value).length > 0) {
    return Object.entries(value)
      .map(([key, member]) => `${space}${scalar(key)}:${below(member, indent)}`)
      .join("\n");
  }
  return flat;
}

/** A member of a map: behind its key, or on the lines below. */
function below(value: unknown, indent: number): string {
  const isComplex = typeof value === "object" && value !== null;
  const text = block(value, indent + 2);
  return isComplex && text.startsWith(" ".repeat(indent + 2)) ? `\n${text}` : ` ${text}`;
}

/** Maps and lists in maps and lists are easier to read on lines of their own. */
function isDeep(value: unknown, depth = 0): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth >= 2 || Object.values(value).some((each) => isDeep(each, depth + 1));
}

function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`;
  if (isRecord(value)) {
    const members = Object.entries(value).map(([key, member]) => `${scalar(key)}: ${flow(member)}`);
    return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
  }
  return scalar(value);
}

function scalar(value: unknown): string {
  if (typeof value !== "string") return value === undefined ? "null" : JSON.stringify(value);
  const isPlain = QUANTITY.test(value) || (PLAIN.test(value) && !NO_TEXT.test(value));
  return isPlain ? value : JSON.stringify(value);
}
