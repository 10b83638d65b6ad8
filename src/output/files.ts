/**
 * Single files that a run leaves beside its results folder.
 *
 * Owns: finding out before a long run whether they can be written, and writing each beside its place first, so that it is
 * whole or not there. Refuses to own: what they hold (telemetry/).
 */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { asResultsError, ResultsError } from "./errors.ts";
import { partialPath, removeLeftovers } from "./leftovers.ts";

/** Changes nothing. @throws ResultsError */
export function checkFiles(paths: readonly string[]): void {
  const seen = new Set<string>();
  for (const path of paths) {
    const whole = resolve(path);
    if (seen.has(whole)) throw new ResultsError(`${path} would be written twice; give two names`);
    seen.add(whole);
    if (existsSync(whole) && !statSync(whole).isFile()) {
      throw new ResultsError(`cannot write ${path}: it is there and is no file`);
    }
    const folder = dirname(whole);
    if (!existsSync(folder)) {
      throw new ResultsError(`cannot write ${path}: there is no folder ${folder}`);
    }
    try {
      accessSync(folder, constants.W_OK | constants.X_OK);
    } catch {
      throw new ResultsError(`cannot write ${path}: the folder ${folder} cannot be written to`);
    }
  }
}

/** @throws ResultsError; the signal's reason when it was aborted */
export async function writeFile(
  path: string,
  chunks: Iterable<string | Uint8Array>,
  signal?: AbortSignal,
): Promise<void> {
  const target = resolve(path);
  const temporary = partialPath(target);
  await removeLeftovers(target);
  try {
    const file = await open(temporary, "wx");
    try {
      for (const chunk of gathered(chunks)) {
        signal?.throwIfAborted();
        await file.writeFile(chunk);
      }
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    throw asResultsError(error, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

const CHUNK_BYTES = 1 << 16;

/** Small pieces put together: each write to a file is a call of the system's. */
function* gathered(chunks: Iterable<string | Uint8Array>): Generator<string | Uint8Array> {
  let text = "";
  for (const chunk of chunks) {
    if (typeof chunk === "string") {
      text += chunk;
      if (text.length < CHUNK_BYTES) continue;
      yield text;
      text = "";
    } else {
      if (text !== "") yield text;
      text = "";
      yield chunk;
    }
  }
  if (text !== "") yield text;
}
