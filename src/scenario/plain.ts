/**
 * Plain data, or nothing.
 *
 * Owns: copying what a scenario exports into objects that hold only data, so that whatever reads them
 * later meets no getter, prototype, cycle or `__proto__` key.
 */
import { isPromise } from "node:util/types";
import { describeValue, type FileMistakes, type Path } from "./mistakes.ts";

const DEEPEST = 64;
const MOST_VALUES = 1_000_000;

/** A copy of `value`; undefined after a mistake anywhere in it. */
export function plainData(value: unknown, mistakes: FileMistakes): unknown {
  let isPlain = true;
  let values = 0;
  const wrong = (path: Path, found: string) => {
    isPlain = false;
    mistakes.add(path, found, "plain data: objects, lists, text, numbers, true and false");
    return undefined;
  };
  const copy = (part: unknown, path: Path, ancestors: readonly object[]): unknown => {
    if (++values > MOST_VALUES)
      return values === MOST_VALUES + 1 ? wrong(path, "too large") : undefined;
    if (part === null || part === undefined) return undefined;
    if (typeof part !== "object") {
      const isScalar =
        typeof part === "string" || typeof part === "number" || typeof part === "boolean";
      return isScalar ? part : wrong(path, describeValue(part));
    }
    if (ancestors.includes(part)) return wrong(path, "an object that holds itself");
    if (ancestors.length >= DEEPEST) return wrong(path, "nested too deeply");
    const inside = [...ancestors, part];
    if (Array.isArray(part)) return Array.from(part, (item, i) => copy(item, [...path, i], inside));
    const prototype: unknown = Object.getPrototypeOf(part);
    if (prototype !== null && prototype !== Object.prototype) {
      return wrong(path, isPromise(part) ? "a promise" : "an object with a prototype of its own");
    }
    const result: Record<string, unknown> = {};
    for (const [key, property] of Object.entries(Object.getOwnPropertyDescriptors(part))) {
      const member: unknown = property.value;
      if (key === "__proto__") wrong([...path, key], "the key __proto__");
      else if (property.get !== undefined) wrong([...path, key], "a getter");
      else if (member !== undefined) result[key] = copy(member, [...path, key], inside);
    }
    return result;
  };
  const result = copy(value, [], []);
  return isPlain ? result : undefined;
}
