/**
 * Large JSON, as `kubectl get -o json` writes it: the engine's own parser, which is some fifty times as
 * fast as a YAML parser that keeps every place.
 *
 * Owns: the values as plain data within the limits of manifests/yaml.ts, and finding a place when
 * somebody asks for one. What is no JSON is for the YAML parser to judge.
 */
import { FileMistakes, type Mistake, type Path } from "../mistakes.ts";
import { DEEPEST, MOST_VALUES, type YamlDocument } from "../manifests/yaml.ts";
import { isRecord } from "../schema/reading.ts";

/** Of what begins as JSON does and is none, short texts are read as YAML: flow style begins so too. */
const LONGEST_FLOW = 1_000_000;

/** null: no JSON. One value, or several one after the other, as jq writes them. */
export function readJson(file: string, text: string, sink: Mistake[]): YamlDocument[] | null {
  const values = parsed(text);
  if (values === null) {
    if (text.length <= LONGEST_FLOW) return null;
    tellNoJson(file, text, sink);
    return [];
  }
  return values.flatMap(({ value, offset }) => {
    const places = new JsonPlaces(text, offset);
    const mistakes = new FileMistakes(file, (path) => places.find(path), sink);
    const before = sink.length;
    const plain = plainJson(value, mistakes);
    return sink.length > before || plain === undefined ? [] : [{ value: plain, mistakes }];
  });
}

/** Where a text stops to be JSON. */
export function tellNoJson(file: string, text: string, sink: Mistake[]): void {
  let message = "";
  try {
    JSON.parse(text);
  } catch (error) {
    ({ message } = error as Error);
  }
  const offset = Number(/position (\d+)/.exec(message)?.[1] ?? text.length);
  const place = new JsonPlaces(text, 0).placeOf(offset);
  const found = `no JSON: ${message.replace(/ at position .*$/s, "").replace(/, "[^]*$/, "")}`;
  new FileMistakes(file, () => place, sink).add([], found.slice(0, 120));
}

function parsed(text: string): { readonly value: unknown; readonly offset: number }[] | null {
  try {
    return [{ value: JSON.parse(text), offset: 0 }];
  } catch {
    return parsedStream(text);
  }
}

/** Objects with nothing but white space between them. */
function parsedStream(text: string): { readonly value: unknown; readonly offset: number }[] | null {
  const values = [];
  let depth = 0;
  let offset = 0;
  let isText = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (isText) {
      if (char === "\\") i++;
      else isText = char !== '"';
    } else if (char === '"') isText = true;
    else if (char === "{") depth++;
    else if (char === "}" && --depth === 0) {
      try {
        values.push({ value: JSON.parse(text.slice(offset, i + 1)) as unknown, offset });
      } catch {
        return null;
      }
      offset = i + 1;
    }
  }
  return text.slice(offset).trim() === "" && values.length > 0 ? values : null;
}

/** A copy without nulls; undefined for null, and after a mistake. */
function plainJson(value: unknown, mistakes: FileMistakes): unknown {
  let values = 0;
  let isWrong = false;
  const path: (string | number)[] = [];
  const wrong = (found: string): undefined => {
    if (!isWrong) mistakes.add(path.slice(0, 8), found);
    isWrong = true;
  };
  const copy = (part: unknown): unknown => {
    if (isWrong) return undefined;
    if (++values > MOST_VALUES) return wrong("too many values: not a manifest at all");
    if (part === null) return undefined;
    if (typeof part !== "object") return part;
    if (path.length > DEEPEST) return wrong(`nested more than ${DEEPEST} deep`);
    if (Array.isArray(part)) {
      return part.map((item, index) => inside(index, item));
    }
    const result: Record<string, unknown> = {};
    for (const [key, member] of Object.entries(part)) {
      if (key === "__proto__") return wrong("the key __proto__");
      const own = inside(key, member);
      if (own !== undefined) result[key] = own;
    }
    return result;
  };
  const inside = (key: string | number, part: unknown): unknown => {
    path.push(key);
    const own = copy(part);
    path.pop();
    return own;
  };
  return copy(value);
}

/** Lines and columns of values in a text that is known to be JSON. */
class JsonPlaces {
  readonly #text: string;
  #lines: number[] | null = null;
  /** Offsets of what stands in the list `items` at the top: a dump of a cluster is one. */
  #items: number[] | null = null;

  readonly #start: number;

  /** @param start where the value begins */
  constructor(text: string, start: number) {
    this.#text = text;
    this.#start = start;
  }

  find(path: Path): { line: number; column: number } {
    return this.placeOf(this.#offsetOf(path));
  }

  #offsetOf(path: Path): number {
    let offset = this.#skipSpace(this.#start);
    let rest = path;
    if (path[0] === "items" && typeof path[1] === "number") {
      this.#items ??= this.#offsetsOfItems(offset);
      const known = this.#items[path[1]];
      if (known !== undefined) {
        offset = known;
        rest = path.slice(2);
      }
    }
    for (const key of rest) {
      const next = this.#member(offset, key);
      if (next === null) break;
      offset = next;
    }
    return offset;
  }

  #offsetsOfItems(root: number): number[] {
    const list = this.#member(root, "items");
    const found: number[] = [];
    if (list !== null) this.#each(list, (_key, value) => (found.push(value), false));
    return found;
  }

  #member(offset: number, wanted: string | number): number | null {
    let index = 0;
    let found: number | null = null;
    this.#each(offset, (key, value) => {
      if (key === null ? index++ === wanted : key === wanted) found = value;
      return found !== null;
    });
    return found;
  }

  /** Calls `visit` for each member of an object or list, until it says that is enough. */
  #each(offset: number, visit: (key: string | null, value: number) => boolean): void {
    const text = this.#text;
    const isList = text[offset] === "[";
    if (!isList && text[offset] !== "{") return;
    let at = this.#skipSpace(offset + 1);
    while (text[at] !== "]" && text[at] !== "}") {
      let key: string | null = null;
      if (!isList) {
        const end = this.#endOf(at);
        key = JSON.parse(text.slice(at, end)) as string;
        at = this.#skipSpace(this.#skipSpace(end) + 1);
      }
      if (visit(key, at)) return;
      at = this.#skipSpace(this.#endOf(at));
      if (text[at] === ",") at = this.#skipSpace(at + 1);
    }
  }

  /** Behind the value that begins here. */
  #endOf(offset: number): number {
    const token = /"(?:[^"\\]|\\.)*"|[{}[\]]|[^\s"{}[\],:]+/g;
    token.lastIndex = offset;
    let depth = 0;
    do {
      const found = token.exec(this.#text);
      if (found === null) return this.#text.length;
      const [word] = found;
      if (word === "{" || word === "[") depth++;
      else if (word === "}" || word === "]") depth--;
    } while (depth > 0);
    return token.lastIndex;
  }

  #skipSpace(offset: number): number {
    const space = /\s*/y;
    space.lastIndex = offset;
    space.test(this.#text);
    return space.lastIndex;
  }

  placeOf(offset: number): { line: number; column: number } {
    this.#lines ??= lineStarts(this.#text);
    let low = 0;
    let high = this.#lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#lines[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - this.#lines[low]! + 1 };
  }
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/** Whether a text may be JSON at all. */
export function looksLikeJson(text: string): boolean {
  return /^\s*[{[]/.test(text);
}

/** An object of the cluster, as it was read. */
export type RawValue = Record<string, unknown>;

export function recordAt(value: unknown, ...path: readonly (string | number)[]): RawValue | null {
  const found = valueAt(value, path);
  return isRecord(found) ? found : null;
}

export function listAt(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = valueAt(value, path);
  return Array.isArray(found) ? found : [];
}

export function textAt(value: unknown, ...path: readonly (string | number)[]): string | null {
  const found = valueAt(value, path);
  return typeof found === "string" ? found : null;
}

export function valueAt(value: unknown, path: Path): unknown {
  let at: unknown = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string | number, unknown>)[key];
  }
  return at;
}
