/** The source files as text, for tests about the code itself. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

const root = join(import.meta.dirname, "..", "..");

export interface SourceFile {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** Without comments and the contents of strings, line by line as in the file. */
  readonly code: string;
}

export function sourceFiles(folder: string): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => {
      const text = readFileSync(file, "utf8");
      return { path: relative(root, file).split(sep).join("/"), text, code: stripped(text) };
    });
}

/** Paths of the modules that a file imports, as from the repository's root; packages by their name. */
export function importsOf(file: SourceFile): string[] {
  const statement = /^(?:import|export|\}) ?.*?\bfrom\s+"([^"]+)";?$/;
  const pattern = new RegExp(
    `${statement.source}|^import\\s+"([^"]+)"|\\bimport\\("([^"]+)"\\)`,
    "gm",
  );
  const found = file.text.matchAll(pattern);
  return [...found]
    .map(([, from, bare, dynamic]) => (from ?? bare ?? dynamic)!)
    .map((target) =>
      target.startsWith(".") ? join(file.path, "..", target).split(sep).join("/") : target,
    );
}

/** Blanks comments and strings, keeping line breaks, so that line numbers stay. */
function stripped(text: string): string {
  const pattern = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g;
  return text.replace(pattern, (part) => part.replace(/[^\n]/g, " "));
}
