/**
 * The worked example of CONTRIBUTING.md, applied to a copy of the source: it compiles, its own test
 * passes, and a mechanism without a word is a type error.
 *
 * Seen to fail: with a misspelt field in the example's mechanism, with an expected time changed in its
 * test, and with the table of words cast instead of checked.
 */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { applyDiff, codeBlocks, document, root } from "./markdown.ts";

const copy = mkdtempSync(join(tmpdir(), "podstorm-example-"));
afterAll(() => rmSync(copy, { recursive: true }));

const example = codeBlocks(document("CONTRIBUTING.md")).filter(({ file }) => file !== null);
/** What the example is applied to, and what its test needs. */
const COPIED = [
  "src",
  "test/scenario/files.ts",
  "test/scenario/profile-stub.ts",
  "test/helpers/build-folder.ts",
];
const SETTINGS = ["package.json", "tsconfig.json", "vitest.config.ts"];

beforeAll(() => {
  for (const path of [...COPIED, ...SETTINGS]) {
    cpSync(join(root, path), join(copy, path), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  for (const { file, language, text } of example) {
    const path = join(copy, file!);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, language === "diff" ? applyDiff(readFileSync(path, "utf8"), text) : text);
  }
});

/** A tool of node_modules, run in the copy: what it printed, and whether it was content. */
function run(script: string, ...args: string[]): { readonly text: string; readonly ok: boolean } {
  const argv = [join("node_modules", script), ...args];
  const { stdout, stderr, status } = spawnSync(process.execPath, argv, {
    cwd: copy,
    encoding: "utf8",
  });
  return { text: stdout + stderr, ok: status === 0 };
}

const typecheck = () => run("typescript/bin/tsc", "-p", "tsconfig.json");

test("it has a mechanism, a word, a line for each and a test", () => {
  expect(example.map(({ language, file }) => `${language} ${file}`)).toEqual([
    "ts src/faults/restartInTurn.ts",
    "diff src/faults/index.ts",
    "diff src/faults/index.ts",
    "ts src/scenario/faults/restartInTurn.ts",
    "diff src/scenario/faults/words.ts",
    "ts test/faults/restartInTurn.test.ts",
  ]);
});

// Seen to fail without: whoever followed the document could not run the tests any more.
test("applying it again changes nothing", () => {
  for (const { file, text } of example.filter(({ language }) => language === "diff")) {
    const applied = readFileSync(join(copy, file!), "utf8");
    expect(applyDiff(applied, text)).toBe(applied);
  }
});

test("it compiles", () => {
  expect(typecheck()).toEqual({ text: "", ok: true });
});

test("its test passes", () => {
  const { text, ok } = run("vitest/vitest.mjs", "run", "test/faults", "--reporter=json");
  expect(JSON.parse(text)).toMatchObject({ numPassedTests: 1, numTotalTests: 1 });
  expect(ok).toBe(true);
});

test("without its word's line it does not compile", () => {
  const table = "src/scenario/faults/words.ts";
  const path = join(copy, table);
  const whole = readFileSync(path, "utf8");
  writeFileSync(path, whole.replace(/^export \{ restartInTurn,.*\n/m, ""));
  const { text, ok } = typecheck();
  writeFileSync(path, whole);
  expect(ok).toBe(false);
  expect(text).toMatch(/^src\/scenario\/faults\/index\.ts.*restartInTurn/m);
});
