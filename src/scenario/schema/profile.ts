/**
 * Reading the constants that a scenario overrides.
 *
 * Owns: matching the override, field by field, with the default profile, which is its only schema: a
 * constant keeps its type, `...Ns` reads a duration, and every distribution is one of times. Refuses to own: any constant.
 */
import type { z } from "zod";
import type { DistributionSpec } from "../../engine/index.ts";
import { describeValue, nearest, type FileMistakes, type Path } from "../mistakes.ts";
import { profileChoices } from "../profile.ts";
import { distribution } from "./distribution.ts";
import { boolean, duration, isRecord, number, read, scalar, text, word } from "./reading.ts";

/** Where the override stands in a scenario. */
const BASE: Path = ["profile"];

/** Infinity is a constant too: a queue or a link without a limit. */
const plainNumber = scalar("a number from 0", (input) =>
  typeof input === "number" && input >= 0 ? { value: input } : null,
);

/** `defaults` with the constants of `override` put in. Mistakes go to `mistakes`. */
export function overrideProfile<T extends object>(
  defaults: T,
  override: unknown,
  mistakes: FileMistakes,
): T {
  if (override === undefined) return defaults;
  return overrideObject(defaults as Record<string, unknown>, override, mistakes, BASE) as T;
}

function overrideObject(
  defaults: Readonly<Record<string, unknown>>,
  override: unknown,
  mistakes: FileMistakes,
  path: Path,
): Record<string, unknown> {
  const result = { ...defaults };
  if (!isRecord(override)) {
    mistakes.add(
      path,
      describeValue(override),
      `an object with ${writtenNames(defaults).join(", ")}`,
    );
    return result;
  }
  for (const [name, value] of Object.entries(override)) {
    const key = Object.hasOwn(defaults, `${name}Ns`) ? `${name}Ns` : name;
    const names = writtenNames(defaults);
    if (!names.includes(name)) {
      // The name with its unit is a likely slip: point to the name as it is written.
      const meant = Object.hasOwn(defaults, name) ? written(name) : nearest(name, names);
      mistakes.add([...path, name], "unknown constant", names.join(", "), meant);
    } else if (value !== undefined) {
      result[key] = overrideValue(defaults[key], value, key.endsWith("Ns"), mistakes, [
        ...path,
        name,
      ]);
    }
  }
  return result;
}

function overrideValue(
  standard: unknown,
  value: unknown,
  isDuration: boolean,
  mistakes: FileMistakes,
  path: Path,
): unknown {
  if (Array.isArray(standard)) {
    if (!Array.isArray(value)) {
      mistakes.add(path, describeValue(value), "a list [ ... ]");
      return standard;
    }
    return value.map((item, index) =>
      // A list that is empty by default is one of texts: CIDRs.
      overrideValue(standard[0] ?? "", item, isDuration, mistakes, [...path, index]),
    );
  }
  if (isDistribution(standard)) {
    return read(distribution, value, mistakes, path) ?? standard;
  }
  if (isRecord(standard)) return overrideObject(standard, value, mistakes, path);
  const schema = scalarLike(standard, isDuration, path);
  return read<unknown>(schema, value, mistakes, path) ?? standard;
}

function scalarLike(standard: unknown, isDuration: boolean, path: Path): z.ZodType {
  if (typeof standard === "boolean") return boolean;
  if (typeof standard === "string") {
    const choices = profileChoices[path.slice(BASE.length).join(".")];
    return choices === undefined ? text("text") : word(...choices);
  }
  if (isDuration) return duration;
  return typeof standard === "number" && standard < 0
    ? number("a number", () => true)
    : plainNumber;
}

function isDistribution(value: unknown): value is DistributionSpec {
  return isRecord(value) && typeof value["kind"] === "string";
}

function writtenNames(defaults: object): string[] {
  return Object.keys(defaults).map(written);
}

function written(name: string): string {
  return name.endsWith("Ns") ? name.slice(0, -2) : name;
}
