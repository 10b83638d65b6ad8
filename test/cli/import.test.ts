/**
 * sim import on the command line: two files or none, nothing overwritten unasked, the report on stdout.
 *
 * Seen to fail: with existsSync() taken out of newFiles.ts, and with the report printed as it is (names then
 * move the terminal's cursor).
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { realDependencies } from "../../src/cli/rooms.ts";
import { fakeDependencies, fakeTerminal } from "./fakes.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "podstorm-import-cli-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function sim(words: readonly string[], dependencies = fakeDependencies()) {
  const io = fakeTerminal();
  return { code: await runCli(words, io, dependencies), io };
}

it("writes the scenario and its manifest, and says what to do next", async () => {
  const file = join(folder, "shop.ts");
  const { code, io } = await sim(["import", "-f", "a.yaml", "-f", "b", "-o", file]);
  expect(code).toBe(0);
  expect(readdirSync(folder).sort()).toEqual(["shop-cluster.yaml", "shop.ts"]);
  expect(readFileSync(file, "utf8")).toBe("// reads shop-cluster.yaml\n");
  expect(io.out()).toContain("Read a.yaml b\n");
  expect(io.out()).toContain(`sim run ${file}\n`);
});

it.each(["shop.ts", "shop-cluster.yaml"])(
  "does not overwrite %s unless it is told to",
  async (name) => {
    writeFileSync(join(folder, name), "mine");
    const words = ["import", "-f", "a.yaml", "-o", join(folder, "shop")];
    const refused = await sim(words);
    expect(refused.code).toBe(2);
    expect(refused.io.err()).toContain("it is there already");
    expect(readdirSync(folder)).toEqual([name]);
    expect((await sim([...words, "--force"])).code).toBe(0);
    expect(readFileSync(join(folder, name), "utf8")).not.toBe("mine");
  },
);

it("wants to know what to read", async () => {
  const { code, io } = await sim(["import"]);
  expect(code).toBe(2);
  expect(io.err()).toContain("--filename");
});

it("shows control characters in names, and obeys none", async () => {
  const manifest = join(folder, "a.yaml");
  writeFileSync(
    manifest,
    'apiVersion: v1\nkind: "Thing\\u001b[2J"\nmetadata: { name: a }\n---\napiVersion: v1\nkind: Namespace\nmetadata: { name: a }\n',
  );
  const real = { ...fakeDependencies(), importCluster: realDependencies().importCluster };
  const { code, io } = await sim(["import", "-f", manifest, "-o", join(folder, "x.ts")], real);
  expect(code).toBe(0);
  expect(io.out()).not.toContain("\u001b[2J");
  expect(io.out()).toContain("\\u{1b}");
});
