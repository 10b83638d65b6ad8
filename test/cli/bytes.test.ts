/**
 * `sim` as it is published, in processes of its own: the same scenario and seed give the same bytes.
 *
 * Broken on purpose and seen to fail: a retry's jitter comes from Math.random.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "..");
let home: string;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "podstorm-bytes-"));
  const build = ["-p", join(root, "tsconfig.build.json"), "--outDir", join(home, "dist")];
  execFileSync(join(root, "node_modules", ".bin", "tsc"), build, { stdio: "inherit" });
  copyFileSync(join(root, "package.json"), join(home, "package.json"));
  symlinkSync(join(root, "node_modules"), join(home, "node_modules"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Every file but the manifest, which tells the time. */
function results(out: string, ...options: string[]): Record<string, string> {
  const dir = join(home, out);
  const argv = ["run", "scenarios/reset-storm.ts", "--quiet", "--out", dir, ...options];
  execFileSync(process.execPath, [join(home, "dist", "cli", "main.js"), ...argv], { cwd: root });
  const files = readdirSync(dir).filter((file) => file !== "manifest.json");
  return Object.fromEntries(files.map((file) => [file, readFileSync(join(dir, file), "utf8")]));
}

test("reset-storm gives the same bytes in two fresh processes, and others for another seed", () => {
  const first = results("first");
  expect(Object.keys(first)).toEqual(expect.arrayContaining(["requests.csv", "summary.json"]));
  expect(results("second")).toEqual(first);
  const other = results("other", "--seed", "2", "--duration", "25s");
  expect(other["requests.csv"]).not.toBe(first["requests.csv"]);
});
