/**
 * A results folder: written beside its place, then renamed into it, so that it is whole or not there.
 *
 * Owns: the temporary sibling, replacing an earlier run's folder, and refusing to delete anything that
 * is not one. Refuses to own: what the files say.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import {
  access,
  constants,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
} from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import type { Table } from "../observe/index.ts";
import { csvChunks } from "./csv.ts";
import { asResultsError, ResultsError } from "./errors.ts";
import { partialPath, removeLeftovers, retiredPath } from "./leftovers.ts";

/** Says who made a folder: manifest.json carries it, and only folders with it are ever replaced. */
export const generator = "podstorm";

const manifestFile = "manifest.json";

/** Hashes of what was written. */
export interface ResultsDigest {
  /** First 16 hex digits of SHA-256 over names and contents of the tables, in their order. */
  readonly fingerprint: string;
  /** SHA-256 of each table's file, by name: what `sha256sum` prints. */
  readonly files: Readonly<Record<string, string>>;
}

export interface Results {
  readonly tables: readonly Table[];
  /** Tables that the fingerprint leaves out: a run is the same with and without them. */
  readonly requested?: readonly Table[];
  /** Whole folders on the same file system, which are moved in under their names. */
  readonly folders?: readonly string[];
  /**
   * The JSON files, by name, made when the tables are written and their digest is known. One of them
   * is manifest.json, an object with `generator` and `files` (the names of all files).
   */
  readonly documents: (digest: ResultsDigest) => Readonly<Record<string, object>>;
}

/**
 * Writes `results` as the folder `dir`, replacing an earlier run's. Either the whole folder is there
 * afterwards or what was there before; the temporary folder is removed in every case.
 * @param signal stops the writing between two chunks
 * @throws ResultsError for a folder that cannot be written or must not be replaced
 * @throws the signal's reason when it was aborted
 */
export async function writeResults(
  dir: string,
  results: Results,
  signal?: AbortSignal,
): Promise<ResultsDigest> {
  await checkResultsFolder(dir);
  try {
    const target = await placeOf(dir);
    await mkdir(dirname(target), { recursive: true });
    await removeLeftovers(target);
    const digest = await writeBeside(target, results, signal);
    await removeLeftovers(target);
    return digest;
  } catch (error) {
    throw asResultsError(error, dir);
  }
}

/**
 * Finds out before a long run whether its results could be written to `dir`. Changes nothing.
 * @throws ResultsError
 */
export async function checkResultsFolder(dir: string): Promise<void> {
  try {
    const target = await placeOf(dir);
    const fromTarget = relative(target, process.cwd());
    if (fromTarget !== ".." && !fromTarget.startsWith(`..${sep}`)) {
      throw new ResultsError(
        `cannot write results to ${dir}: the current folder lies in it; give a folder of its own`,
      );
    }
    if (existsSync(target)) await checkReplaceable(dir, target);
    const parent = nearestExisting(dirname(target));
    if (!(await stat(parent)).isDirectory()) {
      throw new ResultsError(`cannot write results to ${dir}: ${parent} is a file, not a folder`);
    }
    await access(parent, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw asResultsError(error, dir);
  }
}

/** A link is followed, so that what it points to is replaced and the link stays. */
async function placeOf(dir: string): Promise<string> {
  return existsSync(dir) ? realpath(dir) : resolve(dir);
}

function nearestExisting(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestExisting(dirname(path));
}

async function checkReplaceable(dir: string, target: string): Promise<void> {
  if (!(await stat(target)).isDirectory()) {
    throw new ResultsError(`cannot write results to ${dir}: it is a file, not a folder`);
  }
  if ((await stat(target)).dev !== (await stat(dirname(target))).dev) {
    throw new ResultsError(
      `cannot write results to ${dir}: it is a mount point, which cannot be replaced; give a folder inside it`,
    );
  }
  const present = await readdir(target);
  if (present.length === 0) return;
  const own = new Set(await filesOfEarlierRun(target));
  if (own.size === 0) {
    throw new ResultsError(
      `${dir} holds something other than podstorm results; it is left alone: give another folder`,
    );
  }
  const foreign = present.find((name) => !own.has(name));
  if (foreign !== undefined) {
    throw new ResultsError(
      `${dir} holds ${JSON.stringify(foreign)}, which no run wrote; it is left alone: move that file, or give another folder`,
    );
  }
}

/** Names of the files that the manifest lists; none if there is no manifest of ours. */
async function filesOfEarlierRun(target: string): Promise<readonly string[]> {
  try {
    const manifest: unknown = JSON.parse(await readFile(join(target, manifestFile), "utf8"));
    if (typeof manifest !== "object" || manifest === null) return [];
    if (!("generator" in manifest) || manifest.generator !== generator) return [];
    if (!("files" in manifest) || !Array.isArray(manifest.files)) return [];
    return manifest.files.filter((name) => typeof name === "string");
  } catch {
    return [];
  }
}

async function writeBeside(
  target: string,
  results: Results,
  signal: AbortSignal | undefined,
): Promise<ResultsDigest> {
  const temporary = partialPath(target);
  // Not mkdtemp: its folders are for their owner alone, and results follow the user's umask.
  await mkdir(temporary);
  try {
    const { tables, requested = [] } = results;
    const digest = await writeTables(temporary, tables, requested, signal);
    for (const [name, document] of Object.entries(results.documents(digest))) {
      await writeWhole(join(temporary, name), [jsonText(document)], signal);
    }
    signal?.throwIfAborted();
    for (const each of results.folders ?? []) {
      await rename(each, join(temporary, basename(each)));
    }
    await moveIntoPlace(temporary, target);
    return digest;
  } finally {
    // After a successful rename there is nothing left of it.
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Two renames: for a moment between them there is no folder, but never half of one. */
async function moveIntoPlace(temporary: string, target: string): Promise<void> {
  if (!existsSync(target)) return rename(temporary, target);
  const retired = retiredPath(temporary);
  await rename(target, retired);
  try {
    await rename(temporary, target);
  } catch (error) {
    await rename(retired, target);
    throw error;
  }
  await rm(retired, { recursive: true, force: true });
}

/** JSON has no infinity and would write null for it: an unlimited queue must not read as an unknown one. */
export function jsonText(document: object): string {
  return `${JSON.stringify(document, infinityNamed, 2)}\n`;
}

function infinityNamed(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

async function writeTables(
  folder: string,
  tables: readonly Table[],
  requested: readonly Table[],
  signal: AbortSignal | undefined,
): Promise<ResultsDigest> {
  const hashes = new TableHashes();
  const written = async (each: readonly Table[]): Promise<ResultsDigest> => {
    for (const table of each) {
      await writeWhole(join(folder, table.file), hashes.pass(table), signal);
    }
    return hashes.digest();
  };
  const { fingerprint } = await written(tables);
  return { ...(await written(requested)), fingerprint };
}

/** What writeResults would give for them; nothing is written. */
export function digestOf(tables: readonly Table[]): ResultsDigest {
  const hashes = new TableHashes();
  for (const table of tables) for (const _ of hashes.pass(table));
  return hashes.digest();
}

/** Of the tables that have passed, in their order. */
class TableHashes {
  readonly #all = createHash("sha256");
  readonly #files: Record<string, string> = {};

  /** The table's CSV. */
  *pass(table: Table): Generator<string> {
    const hash = createHash("sha256");
    this.#all.update(`${table.file}\n`);
    for (const chunk of csvChunks(table)) {
      hash.update(chunk);
      this.#all.update(chunk);
      yield chunk;
    }
    this.#files[table.file] = hash.digest("hex");
  }

  digest(): ResultsDigest {
    return { fingerprint: this.#all.copy().digest("hex").slice(0, 16), files: { ...this.#files } };
  }
}

async function writeWhole(
  path: string,
  chunks: Iterable<string>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const file = await open(path, "wx");
  try {
    for (const chunk of chunks) {
      signal?.throwIfAborted();
      await file.writeFile(chunk);
    }
  } finally {
    await file.close();
  }
}
