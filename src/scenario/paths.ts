/**
 * Files by the names that people and packages give them.
 *
 * Owns: where the package's own entries are, which files are the package's, and how a user's file is
 * named in a message.
 */
import { extname, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** .ts in the source tree, .js when built. */
const OWN_EXTENSION = extname(fileURLToPath(import.meta.url));
/** src or dist: every room's parent. */
const OWN_FOLDER = fileURLToPath(new URL("../", import.meta.url));
/** What a scenario may import from this package, as files of OWN_FOLDER. */
const ENTRIES: Readonly<Record<string, string>> = {
  podstorm: "index",
  "podstorm/engine": "engine/index",
  "podstorm/stats": "stats/index",
};

/** The names that a scenario may import from this package. */
export const entryNames: readonly string[] = Object.keys(ENTRIES);

/** The module behind an entry of this package; undefined when there is no such entry. */
export function entryModule(name: string): string | undefined {
  return Object.hasOwn(ENTRIES, name) ? `${OWN_FOLDER}${ENTRIES[name]}${OWN_EXTENSION}` : undefined;
}

/**
 * The file that describes an entry's types to the compiler. In the source tree that of "podstorm" is the words alone: `run`
 * would bring the source of everything, which takes seconds to check; built, it brings declarations only.
 */
export function entryTypes(name: string): string | undefined {
  if (name === "podstorm" && OWN_EXTENSION === ".ts") return `${OWN_FOLDER}words.ts`;
  return entryModule(name)?.replace(/\.js$/, ".d.ts");
}

export function isOwnFile(path: string): boolean {
  return path.startsWith(OWN_FOLDER);
}

/** Of a package that is installed: nothing that the author of a scenario wrote. */
export function isInstalled(path: string): boolean {
  return path.split(sep).includes("node_modules");
}

/** An absolute path in the terms in which the user named the scenario. */
export function asGiven(file: string, path: string): string {
  if (path === resolve(file)) return file;
  return relative(process.cwd(), path) || path;
}
