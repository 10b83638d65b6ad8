/**
 * YAML and JSON text to plain data with places, from files that nobody vouches for.
 *
 * Owns: decoding, the limits on size, depth and aliases, duplicate and `__proto__` keys, and where each
 * value stands. Refuses to own: what the documents mean.
 */
import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type Alias,
  type Document,
  type Node,
  type Pair,
  type YAMLMap,
} from "yaml";
import { FileMistakes, describeValue, type Mistake, type Path } from "../mistakes.ts";

/** Bytes: `kubectl get -o json` of a large cluster is some megabytes. */
export const LARGEST_FILE = 64 * 1024 * 1024;
/** Real manifests nest less than 20 deep; a CustomResourceDefinition's schema reaches 60. */
export const DEEPEST = 200;
/** Values after aliases are expanded, per file: what an alias bomb runs into. */
export const MOST_VALUES = 5_000_000;
/**
 * Lines, brackets and commas of a text: more than its values, and counted before the parser sees it, which needs a
 * kilobyte and some twenty microseconds for each. A cluster of 5,000 objects is 110,000 lines.
 */
const MOST_PARTS = 1_500_000;
/** Times that one value may be repeated by aliases. */
const MOST_ALIASES = 1000;

/** One document of a file. */
export interface YamlDocument {
  /** Objects without prototype surprises, lists, text, numbers, booleans; null values left out. */
  readonly value: unknown;
  readonly mistakes: FileMistakes;
}

/** Reads all documents of a file; mistakes go to `sink`. Empty documents are left out. */
export function readYaml(file: string, content: Uint8Array, sink: Mistake[]): YamlDocument[] {
  const text = decode(content, new FileMistakes(file, () => null, sink));
  return text === null ? [] : readText(file, text, sink);
}

/**
 * The same of a text.
 * @param repeated takes a key that a map has twice, of which the last counts, as it does for kubectl; without it
 *   that is a mistake, and so is a tag that no reader knows
 */
export function readText(
  file: string,
  text: string,
  sink: Mistake[],
  repeated: ((place: string) => void) | null = null,
): YamlDocument[] {
  const lines = new LineCounter();
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return line === 0 ? null : { line, column: col };
  };
  const inFile = (offset: number | null) =>
    new FileMistakes(file, () => (offset === null ? null : at(offset)), sink);
  const tooDeep = firstTooDeep(text);
  if (tooDeep !== null) {
    lines.addNewLine(0);
    for (let i = 0; i < tooDeep; i++) if (text[i] === "\n") lines.addNewLine(i + 1);
    inFile(tooDeep).add([], `nested more than ${DEEPEST} deep`);
    return [];
  }
  const parts = partsOf(text);
  if (parts > MOST_PARTS) {
    const found = `${parts} lines, brackets and commas`;
    inFile(null).add([], found, `at most ${MOST_PARTS} of YAML, in a file; or JSON`);
    return [];
  }
  let documents: Document.Parsed[];
  try {
    const parsed = parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: repeated === null,
      logLevel: "silent",
    });
    documents = Array.isArray(parsed) ? parsed : [];
  } catch (error) {
    // The parser recurses: text that nests by indentation alone can exhaust its stack.
    inFile(null).add([], `unreadable: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
  const budget = { values: MOST_VALUES };
  return documents.flatMap((document) =>
    convert(document, { budget, repeated }, at, inFile, file, sink),
  );
}

type At = (offset: number) => { line: number; column: number } | null;

interface Conversion {
  readonly budget: { values: number };
  readonly repeated: ((place: string) => void) | null;
}

function convert(
  document: Document.Parsed,
  conversion: Conversion,
  at: At,
  inFile: (offset: number | null) => FileMistakes,
  file: string,
  sink: Mistake[],
): YamlDocument[] {
  const warnings = conversion.repeated === null ? document.warnings : [];
  for (const error of [...document.errors, ...warnings]) {
    inFile(error.pos[0]).add([], `YAML: ${error.message}`);
  }
  if (document.errors.length > 0 || document.contents === null) return [];
  const start = document.range[0];
  const locate = (path: Path) => at(offsetOf(document, path) ?? start);
  const mistakes = new FileMistakes(file, locate, sink);
  const before = sink.length;
  const converter = new Converter(document, mistakes, conversion);
  const value = converter.node(document.contents, [], 0);
  if (sink.length > before || value === null || value === undefined) return [];
  return [{ value, mistakes }];
}

/** null after a mistake: too large, or no UTF-8. */
export function decode(content: Uint8Array, mistakes: FileMistakes): string | null {
  if (content.length > LARGEST_FILE) {
    mistakes.add([], `${content.length} bytes`, `at most ${LARGEST_FILE} bytes`);
    return null;
  }
  const encoding = encodingOf(content);
  let text: string | null = null;
  try {
    if (encoding !== "utf-32") text = new TextDecoder(encoding, { fatal: true }).decode(content);
  } catch {
    // Reported below.
  }
  if (text !== null && !text.includes("\0")) return text;
  const found =
    text !== null
      ? "a byte that is 0, as in UTF-16 without its mark"
      : encoding === "utf-8"
        ? "bytes that are no UTF-8"
        : `bytes that are no ${encoding === "utf-32" ? "UTF-8: UTF-32" : "UTF-16"}`;
  mistakes.add([], found, "a text file in UTF-8");
  return null;
}

/** By the byte order mark; PowerShell writes UTF-16 with one. */
function encodingOf([a, b, c, d]: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" | "utf-32" {
  if (a === 0xff && b === 0xfe) return c === 0 && d === 0 ? "utf-32" : "utf-16le";
  return a === 0xfe && b === 0xff ? "utf-16be" : "utf-8";
}

function partsOf(text: string): number {
  let parts = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x0a || code === 0x2c || code === 0x5b || code === 0x7b) parts++;
  }
  return parts;
}

/**
 * Offset where the text nests deeper than anyone writes, judged before the recursive parser sees it:
 * by brackets and by indentation. Brackets in quoted text count as well; no manifest comes close.
 */
function firstTooDeep(text: string): number | null {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x5b || code === 0x7b) depth++;
    else if (code === 0x5d || code === 0x7d) depth = Math.max(0, depth - 1);
    else if (code === 0x0a && text.startsWith("\n---", i)) depth = 0;
    if (depth > DEEPEST) return i;
  }
  const compact = new RegExp(`(?:^|\\n)[ ]*(?:[-?:] +){${DEEPEST}}`).exec(text);
  return compact === null ? tooIndented(text) : compact.index;
}

/** Where one line too many stands further in than the one before it. */
function tooIndented(text: string): number | null {
  const indents: number[] = [];
  for (let from = 0; from < text.length;) {
    let at = from;
    while (text.charCodeAt(at) === 0x20) at++;
    if (at < text.length && text.charCodeAt(at) !== 0x0a) {
      while (indents.length > 0 && indents.at(-1)! >= at - from) indents.pop();
      indents.push(at - from);
      if (indents.length > DEEPEST + 1) return at;
    }
    const end = text.indexOf("\n", at);
    from = end === -1 ? text.length : end + 1;
  }
  return null;
}

class Converter {
  readonly #document: Document.Parsed;
  readonly #mistakes: FileMistakes;
  readonly #budget: { values: number };
  readonly #repeated: Conversion["repeated"];
  readonly #uses = new Map<Node, number>();

  constructor(document: Document.Parsed, mistakes: FileMistakes, { budget, repeated }: Conversion) {
    this.#document = document;
    this.#mistakes = mistakes;
    this.#budget = budget;
    this.#repeated = repeated;
  }

  node(node: unknown, path: Path, depth: number): unknown {
    if (this.#budget.values <= 0) return undefined;
    if (--this.#budget.values <= 0) {
      return this.#wrong(path, "too many values: aliases that multiply, or not a manifest at all");
    }
    if (depth > DEEPEST) return this.#wrong(path.slice(0, 8), `nested more than ${DEEPEST} deep`);
    if (isAlias(node)) return this.#alias(node, path, depth);
    if (isScalar(node)) return this.#scalar(node.value, path);
    if (isSeq(node)) return node.items.map((item, i) => this.node(item, [...path, i], depth + 1));
    if (isMap(node)) return this.#map(node, path, depth);
    return undefined;
  }

  #alias(alias: Alias, path: Path, depth: number): unknown {
    const target = alias.resolve(this.#document);
    if (target === undefined) return this.#wrong(path, `an unknown alias *${alias.source}`);
    const uses = (this.#uses.get(target) ?? 0) + 1;
    this.#uses.set(target, uses);
    if (uses > MOST_ALIASES) {
      // Nobody meant the rest of such a file either: one mistake, and no more work for it.
      this.#budget.values = 0;
      const found = `*${alias.source} is used more than ${MOST_ALIASES} times`;
      return this.#wrong(path, found, "aliases that do not multiply");
    }
    return this.node(target, path, depth + 1);
  }

  #scalar(value: unknown, path: Path): unknown {
    if (value === null || typeof value === "string" || typeof value === "boolean") return value;
    if (typeof value === "number") return value;
    return this.#wrong(path, describeValue(value), "text, a number, true or false");
  }

  #map(map: YAMLMap, path: Path, depth: number): unknown {
    const result: Record<string, unknown> = {};
    for (const pair of map.items) this.#pair(result, pair, path, depth);
    return result;
  }

  #pair(result: Record<string, unknown>, pair: Pair, path: Path, depth: number): void {
    const keyNode = isAlias(pair.key) ? pair.key.resolve(this.#document) : pair.key;
    const key = isScalar(keyNode) ? String(keyNode.value) : null;
    if (key === null) {
      this.#wrong(path, "a key that is no text", "text as a key");
    } else if (key === "__proto__") {
      this.#wrong([...path, key], "the key __proto__", "a field of Kubernetes");
    } else if (key === "<<" && isScalar(keyNode) && keyNode.type === "PLAIN") {
      this.#merge(result, pair.value, path, depth);
    } else {
      if (Object.hasOwn(result, key)) this.#repeated?.(this.#mistakes.place([...path, key]));
      const value = this.node(pair.value, [...path, key], depth + 1);
      if (value !== null && value !== undefined) result[key] = value;
    }
  }

  /** YAML 1.1 merge keys, which kubectl understands: the map itself wins, then the first of a list. */
  #merge(result: Record<string, unknown>, source: unknown, path: Path, depth: number): void {
    const merged = this.node(source, [...path, "<<"], depth + 1);
    for (const part of Array.isArray(merged) ? merged : [merged]) {
      if (typeof part !== "object" || part === null) continue;
      for (const [key, value] of Object.entries(part)) {
        if (!Object.hasOwn(result, key)) result[key] = value;
      }
    }
  }

  #wrong(path: Path, found: string, allowed: string | null = null): undefined {
    this.#mistakes.add(path, found, allowed);
  }
}

/** Offset of the value at a path, or of its nearest ancestor; of the key, where there is one. */
function offsetOf(document: Document.Parsed, path: Path): number | null {
  let node: unknown = document.contents;
  let offset: number | null = rangeStart(node);
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    let next: unknown;
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(part),
      );
      if (pair === undefined) break;
      offset = rangeStart(pair.key) ?? offset;
      next = pair.value;
    } else if (isSeq(node)) {
      next = node.items[Number(part)];
      if (next === undefined) break;
      offset = rangeStart(next) ?? offset;
    } else break;
    node = next;
  }
  return offset;
}

function rangeStart(node: unknown): number | null {
  const range = (node as { range?: readonly number[] | null } | null)?.range;
  return range?.[0] ?? null;
}
