/** sim init: what it writes is a whole scenario, and it overwrites nothing. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { compile } from "../../src/scenario/compile.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { typeMistakes } from "../../src/scenario/typecheck.ts";
import { fakeDependencies, fakeTerminal } from "./fakes.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "podstorm-init-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function init(file: string) {
  const io = fakeTerminal();
  return { code: await runCli(["init", join(folder, file)], io, fakeDependencies()), io };
}

it("writes a scenario without a mistake or a type error, which runs and keeps to its thresholds", async () => {
  const { code, io } = await init("first.ts");
  expect(code).toBe(0);
  expect(readdirSync(folder).sort()).toEqual(["first.ts", "first.yaml"]);
  const file = join(folder, "first.ts");
  expect(io.out()).toContain(`sim run ${file}\n`);
  expect(await typeMistakes(file)).toEqual([]);
  const dependencies = { ...fakeDependencies(), loadScenario, compile };
  const run = fakeTerminal();
  expect(await runCli(["run", file, "--out", join(folder, "out")], run, dependencies)).toBe(0);
  expect(run.err()).toBe("");
});

it("adds the ending of the scenario, and names both files after it", async () => {
  await init("mine");
  expect(readdirSync(folder).sort()).toEqual(["mine.ts", "mine.yaml"]);
  expect(readFileSync(join(folder, "mine.ts"), "utf8")).toContain('"./mine.yaml"');
});

it.each(["first.ts", "first.yaml"])("does not overwrite %s", async (name) => {
  writeFileSync(join(folder, name), "mine");
  const { code, io } = await init("first.ts");
  expect(code).toBe(2);
  expect(io.err()).toContain("it is there already");
  expect(readFileSync(join(folder, name), "utf8")).toBe("mine");
  expect(readdirSync(folder)).toEqual([name]);
});

/** Seen to fail as it was: a bare ENOENT, and a file foo.js.ts. */
it.each([
  ["missing/first.ts", /there is no folder .*missing; make it first/],
  ["foo.js", /a scenario is a TypeScript file, such as .*foo\.ts/],
  ["foo.yaml", /a scenario is a TypeScript file, such as .*foo\.ts/],
])("%s is refused with what to do instead, and nothing is written", async (file, said) => {
  const { code, io } = await init(file);
  expect(code).toBe(2);
  expect(io.err().replaceAll("\n", " ")).toMatch(said);
  expect(readdirSync(folder)).toEqual([]);
});
