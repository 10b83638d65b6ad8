/**
 * The folders and files beside a result in which it is made, and what a killed run leaves of them.
 *
 * Owns: their names, which say whose they are, and removing those of runs that are dead. Refuses to own:
 * what is written in them.
 */
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";

/** Of this machine: another's runs, on a shared disk, cannot be seen from here. */
const machine = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);

const RETIRED = "-replaced";

/** A name beside `target` that no other run takes. */
export function partialPath(target: string): string {
  const run = `${machine}-${process.pid}-${randomBytes(6).toString("hex")}`;
  return join(dirname(target), `.${basename(target)}.partial-${run}`);
}

/** Where the earlier results wait while `partial` takes their place. */
export function retiredPath(partial: string): string {
  return `${partial}${RETIRED}`;
}

/**
 * Removes what runs into `target` left that were killed on this machine. Earlier results that such a run
 * had just moved away stay until there are others. One that cannot be removed is no reason to fail.
 */
export async function removeLeftovers(target: string): Promise<void> {
  const prefix = `.${basename(target)}.partial-`;
  const parent = dirname(target);
  const names = await readdir(parent).catch(() => []);
  for (const name of names) {
    if (!name.startsWith(prefix) || !isDead(name.slice(prefix.length))) continue;
    if (name.endsWith(RETIRED) && !existsSync(target)) continue;
    await rm(join(parent, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

function isDead(run: string): boolean {
  const [, where, pid] = /^([0-9a-f]{8})-(\d{1,10})-[0-9a-f]{12}(?:-replaced)?$/.exec(run) ?? [];
  if (where !== machine) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
