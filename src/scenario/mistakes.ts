/**
 * What a user did wrong, all of it at once.
 *
 * Owns: the shape of one mistake, the error that carries them, their text and "did you mean?". Refuses
 * to own: finding mistakes, printing and exit codes.
 */
import { inspect } from "node:util";

/** Names and indices from the root of a document to a value. */
export type Path = readonly (string | number)[];

export interface Mistake {
  /** As the user would type it; null for a mistake that is in no file (an option). */
  readonly file: string | null;
  /** Both from 1; null where no place is known. */
  readonly line: number | null;
  readonly column: number | null;
  /** "clients[0].timeout"; empty for the document itself. */
  readonly path: string;
  /** What stands there, or what is wrong with it. */
  readonly found: string;
  /** What may stand there; null where `found` says it all. */
  readonly allowed: string | null;
  /** What the user probably meant. */
  readonly suggestion: string | null;
}

/** One or more mistakes of the user: exit code 2, nothing written. */
export class UserError extends Error {
  readonly mistakes: readonly Mistake[];

  constructor(mistakes: readonly Mistake[]) {
    super(formatMistakes(mistakes));
    this.name = "UserError";
    this.mistakes = mistakes;
  }
}

/** One mistake a line: `file:line:column path: found; allowed: ... (did you mean ...?)`. */
export function formatMistakes(mistakes: readonly Mistake[]): string {
  return mistakes.map(formatMistake).join("\n");
}

function formatMistake({ file, line, column, path, found, allowed, suggestion }: Mistake): string {
  const place = [file, line, column].filter((part) => part !== null).join(":");
  const where = [place, path].filter((part) => part !== "").join(" ");
  const hint = suggestion === null ? "" : ` (did you mean ${suggestion}?)`;
  const rule = allowed === null ? "" : `; allowed: ${allowed}`;
  return `${where === "" ? "" : `${where}: `}${found}${rule}${hint}`;
}

/** ["clients", 0, "to"] as "clients[0].to". */
export function pathText(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[A-Za-z_$][\w$-]*$/.test(part)) text += text === "" ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/** A short text of any value, safe to print. */
export function describeValue(value: unknown): string {
  if (value === undefined) return "nothing";
  const text =
    typeof value === "string"
      ? JSON.stringify(value)
      : inspect(value, { depth: 1, breakLength: Infinity, compact: true, maxArrayLength: 4 });
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}

/** The candidate nearest to `name` if near enough to be what was meant, else null. */
export function nearest(name: string, candidates: Iterable<string>): string | null {
  const wanted = name.slice(0, 64).toLowerCase();
  const limit = Math.max(1, Math.floor(wanted.length / 4));
  let best: string | null = null;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    if (candidate === name) continue;
    const distance = editDistance(wanted, candidate.slice(0, 64).toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min(replaced, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforePrevious[j - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}

/** A mistake in a command's option, which is in no file. */
export function optionMistake(
  option: string,
  found: string,
  allowed: string,
  suggestion: string | null = null,
): Mistake {
  return { file: null, line: null, column: null, path: option, found, allowed, suggestion };
}

/** Finds where a path of a document stands in its file. */
export type Locate = (path: Path) => { readonly line: number; readonly column: number } | null;

/** Collects the mistakes of one document, or of a part of it. */
export class FileMistakes {
  readonly file: string | null;
  readonly #locate: Locate;
  readonly #sink: Mistake[];
  readonly #base: Path;

  /** @param base where paths begin: the part of the document that this one is about */
  constructor(file: string | null, locate: Locate, sink: Mistake[], base: Path = []) {
    this.file = file;
    this.#locate = locate;
    this.#sink = sink;
    this.#base = base;
  }

  /** The same for the part at `path`. */
  within(path: Path): FileMistakes {
    return new FileMistakes(this.file, this.#locate, this.#sink, [...this.#base, ...path]);
  }

  add(path: Path, found: string, allowed: string | null = null, suggestion: string | null = null) {
    const whole = [...this.#base, ...path];
    const place = this.#locate(whole);
    this.#sink.push({
      file: this.file,
      line: place?.line ?? null,
      column: place?.column ?? null,
      path: pathText(whole),
      found,
      allowed,
      suggestion,
    });
  }

  /** "file:line" of a path, for notices that are no mistakes. */
  place(path: Path = []): string {
    const place = this.#locate([...this.#base, ...path]);
    return place === null ? `${this.file}` : `${this.file}:${place.line}`;
  }
}
