/**
 * The package as npm publishes it, in a project of somebody else.
 *
 * Owns: `npm pack` of what is built, and `npm install` of it without a network: the dependencies are those that are
 * installed here already.
 */
import { execFileSync, spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { builtCommand, ended, type Ended } from "../cli/spawned.ts";

const root = join(import.meta.dirname, "..", "..");
/** What the package holds besides dist, and npm's own reading of package.json needs. */
const SOURCES = ["package.json", "README.md", "LICENSE", "CHANGELOG.md", "scenarios"];
const TIMEOUT_MS = 120_000;

export interface Project {
  /** A new folder with package.json, in which the package is installed. */
  readonly folder: string;
  /** Paths of the files in the package. */
  readonly packed: readonly string[];
  /** The package, unpacked. */
  readonly installed: string;
}

/** @param extra packages that the project has besides podstorm, of those installed here */
export function installedProject(extra: readonly string[]): () => Project {
  const command = builtCommand();
  const folder = mkdtempSync(join(tmpdir(), "podstorm-packed-"));
  let packed: readonly string[] = [];
  beforeAll(() => {
    packed = install(pack(dirname(dirname(command())), folder), join(folder, "project"), extra);
  }, TIMEOUT_MS);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const project = join(folder, "project");
  return () => ({ folder: project, packed, installed: join(project, "node_modules", "podstorm") });
}

interface Packed {
  readonly tarball: string;
  readonly files: readonly string[];
}

function pack(dist: string, folder: string): Packed {
  const source = join(folder, "source");
  mkdirSync(source);
  for (const name of SOURCES) cpSync(join(root, name), join(source, name), { recursive: true });
  const isDocument = (path: string) => !path.startsWith(join(root, "docs", "api"));
  cpSync(join(root, "docs"), join(source, "docs"), { recursive: true, filter: isDocument });
  mkdirSync(join(source, "docs", "api"));
  writeFileSync(join(source, "docs", "api", "package.json"), "{}");
  cpSync(dist, join(source, "dist"), { recursive: true });
  const argv = ["pack", "--ignore-scripts", "--json", "--pack-destination", folder];
  const [{ filename, files }] = JSON.parse(npm(argv, source)) as [
    { readonly filename: string; readonly files: readonly { readonly path: string }[] },
  ];
  return { tarball: join(folder, filename), files: files.map(({ path }) => path) };
}

function install({ tarball, files }: Packed, project: string, extra: readonly string[]) {
  const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  const here = (name: string) => [name, `file:${join(root, "node_modules", name)}`] as const;
  mkdirSync(project);
  const manifest = {
    name: "somebodys",
    private: true,
    type: "module",
    dependencies: { podstorm: `file:${tarball}`, ...Object.fromEntries(extra.map(here)) },
    overrides: Object.fromEntries(Object.keys(own.dependencies).map(here)),
  };
  writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
  npm(["install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund"], project);
  if (!existsSync(join(project, "node_modules", ".bin", "sim"))) throw new Error("no sim");
  return files;
}

function npm(argv: readonly string[], cwd: string): string {
  return execFileSync("npm", argv, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** Runs an installed command, as `npx` does. */
export function inProject(
  { folder }: Project,
  command: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const file = join(folder, "node_modules", ".bin", command);
  const child = spawn(file, argv, { cwd: folder, env: { ...process.env, ...env } });
  child.stdin.end();
  return ended(child);
}
