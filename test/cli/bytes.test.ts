/**
 * `sim` as it is published, in processes of its own: the same scenario and seed give the same bytes.
 *
 * Broken on purpose and seen to fail: a retry's jitter comes from Math.random.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { builtCommand } from "./spawned.ts";

const root = join(import.meta.dirname, "..", "..");
const command = builtCommand();
const home = mkdtempSync(join(tmpdir(), "podstorm-bytes-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Every file but the manifest, which tells the time. */
function results(out: string, ...options: string[]): Record<string, string> {
  const dir = join(home, out);
  const argv = ["run", "scenarios/reset-storm.ts", "--quiet", "--out", dir, ...options];
  execFileSync(process.execPath, [command(), ...argv], { cwd: root });
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

// Seen to fail with tsc alone as the build: `npx sim` said "Permission denied" after a rebuild.
test("a rebuilt command can still be executed", () => {
  const version = execFileSync(command(), ["--version"], { encoding: "utf8" });
  const { version: expected } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    version: string;
  };
  expect(version).toBe(`${expected}\n`);
});
