/**
 * The files that an import reads: by name, whole folders, or what comes by stdin.
 *
 * Owns: which files of a folder count, and how much is read at most. Refuses to own: what they hold
 * (documents.ts). Nothing that is read is ever executed, and no link is followed out of a folder.
 */
import { closeSync, openSync, readdirSync, readSync, statSync, type Stats } from "node:fs";
import { join } from "node:path";
import { LARGEST_FILE } from "../manifests/yaml.ts";
import { optionMistake, type Mistake } from "../mistakes.ts";

/** One file, or stdin. */
export interface Source {
  /** As the user knows it. */
  readonly shown: string;
  readonly content: Uint8Array;
  /** It was named itself: then it has to hold an object. */
  readonly isNamed: boolean;
}

/** Something of a folder that was passed over. */
export interface PassedOver {
  readonly place: string;
  readonly reason: string;
}

export interface Sources {
  readonly files: readonly Source[];
  readonly passedOver: readonly PassedOver[];
}

/** Files of one import. */
const MOST_FILES = 20_000;
/** Bytes of all of them. */
const MOST_BYTES = 4 * LARGEST_FILE;
const DEEPEST_FOLDER = 32;
const MANIFEST = /\.(ya?ml|json)$/i;
/** Folders of tools, which hold no manifests of the cluster. */
const NO_MANIFESTS = /^(\..*|node_modules)$/;

/**
 * Reads what `-f` names.
 * @param paths files, folders or "-"
 * @param stdin what stands for "-"
 */
export function readSources(
  paths: readonly string[],
  stdin: () => Uint8Array,
  sink: Mistake[],
): Sources {
  const files: Source[] = [];
  const passedOver: PassedOver[] = [];
  const reader = new Reader(files, passedOver, sink);
  for (const path of paths) {
    if (path === "-") files.push({ shown: "stdin", content: stdin(), isNamed: true });
    else reader.named(path);
  }
  return { files, passedOver };
}

class Reader {
  readonly #files: Source[];
  readonly #passedOver: PassedOver[];
  readonly #sink: Mistake[];
  #bytes = 0;

  constructor(files: Source[], passedOver: PassedOver[], sink: Mistake[]) {
    this.#files = files;
    this.#passedOver = passedOver;
    this.#sink = sink;
  }

  named(path: string): void {
    if (path.includes("\0")) return this.#wrong(path, "no file name");
    let stats: Stats;
    try {
      stats = statSync(path);
    } catch (error) {
      return this.#wrong(path, reasonOf(error));
    }
    if (stats.isDirectory()) this.#folder(path, 0);
    else if (stats.isFile()) this.#file(path, true);
    else
      this.#wrong(
        path,
        "neither a file nor a folder",
        "a file, a folder or -: COMMAND | sim import -f -",
      );
  }

  #folder(folder: string, depth: number): void {
    const entries = this.#entries(folder);
    const names = new Set(entries.map(({ name }) => name));
    if (names.has("Chart.yaml") && names.has("templates")) {
      const found = "a Helm chart, whose templates are no manifests yet";
      this.#wrong(folder, found, `helm template ${folder} | sim import -f -`);
      return;
    }
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (NO_MANIFESTS.test(entry.name)) continue;
        if (depth < DEEPEST_FOLDER) this.#folder(path, depth + 1);
        else this.#passedOver.push({ place: path, reason: "a folder too deep inside" });
      } else if (entry.isSymbolicLink()) {
        if (MANIFEST.test(entry.name))
          this.#passedOver.push({ place: path, reason: "a link, which is not followed" });
      } else if (entry.isFile() && MANIFEST.test(entry.name)) this.#file(path, false);
    }
  }

  #entries(folder: string) {
    try {
      const entries = readdirSync(folder, { withFileTypes: true });
      return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (error) {
      this.#wrong(folder, reasonOf(error));
      return [];
    }
  }

  #file(path: string, isNamed: boolean): void {
    if (this.#files.length === MOST_FILES) {
      this.#wrong(path, `more than ${MOST_FILES} files`, "fewer at a time");
    }
    if (this.#files.length >= MOST_FILES || this.#bytes > MOST_BYTES) return;
    try {
      const content = readUpTo(path, LARGEST_FILE + 1);
      this.#bytes += content.length;
      if (this.#bytes > MOST_BYTES) {
        this.#wrong(path, `more than ${MOST_BYTES} bytes in all`, "less at a time");
        return;
      }
      this.#files.push({ shown: path, content, isNamed });
    } catch (error) {
      this.#wrong(path, reasonOf(error));
    }
  }

  #wrong(path: string, found: string, allowed = "a file, a folder or -"): void {
    this.#sink.push(optionMistake(`-f ${path.slice(0, 200)}`, found, allowed));
  }
}

/** No more than that: what is larger is refused anyway. */
function readUpTo(path: string, most: number): Uint8Array {
  const file = openSync(path, "r");
  try {
    return readAll(file, most);
  } finally {
    closeSync(file);
  }
}

/** Everything of an open file or pipe, and no more than `most` bytes. */
export function readAll(file: number, most = LARGEST_FILE + 1): Uint8Array {
  const parts: Uint8Array[] = [];
  let size = 0;
  while (size < most) {
    const part = new Uint8Array(Math.min(1 << 20, most - size));
    let count: number;
    try {
      count = readSync(file, part, 0, part.length, null);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EOF") break;
      if (code === "EAGAIN") continue;
      throw error;
    }
    if (count === 0) break;
    parts.push(part.subarray(0, count));
    size += count;
  }
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "no such file or folder";
  if (code === "EACCES") return "cannot be read: permission denied";
  return `cannot be read (${code ?? "unknown error"})`;
}
