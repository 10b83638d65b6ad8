/**
 * Writing files that are not there yet.
 *
 * Owns: that nothing of the user's is overwritten unless they ask for it, and what is said then.
 */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { ResultsError } from "../output/index.ts";

/**
 * Writes all of them or none.
 * @param overwrites an earlier file of that name goes
 * @throws ResultsError for a file that is there already or cannot be written
 */
export async function writeNewFiles(
  files: readonly (readonly [name: string, text: string])[],
  overwrites = false,
): Promise<void> {
  for (const [file] of files) if (!overwrites && existsSync(file)) throw isThere(file);
  for (const [file, text] of files) await writeOne(file, text, overwrites);
}

async function writeOne(file: string, text: string, overwrites: boolean): Promise<void> {
  try {
    await writeFile(file, text, { flag: overwrites ? "w" : "wx" });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") throw isThere(file);
    if (code === "ENOENT") {
      throw new ResultsError(
        `cannot write ${file}: there is no folder ${dirname(file)}; make it first`,
      );
    }
    throw new ResultsError(`cannot write ${file}: ${code ?? String(error)}`);
  }
}

function isThere(file: string): ResultsError {
  return new ResultsError(`cannot write ${file}: it is there already; give another name`);
}
