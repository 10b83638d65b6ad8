/**
 * `sim plot` on the command line.
 *
 * Seen to fail: with a kind given twice drawn twice (the same file would be written twice), and with all kinds drawn whatever was asked for.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { fakeDependencies, fakeTerminal } from "./fakes.ts";

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "podstorm-plot-cli-"));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

async function plot(...words: readonly string[]) {
  const io = fakeTerminal();
  const code = await runCli(["plot", ...words], io, fakeDependencies());
  return {
    code,
    out: io
      .out()
      .split("\n")
      .filter((line) => line !== ""),
    err: io.err(),
  };
}

it("writes what was asked for into a folder that it makes, and says what", async () => {
  const out = join(parent, "a", "b");
  const words = ["--kind", "lag", "--kind", "skew", "--kind", "lag", "--format", "png", "-o", out];
  const { code, out: told } = await plot("results/x", ...words);
  expect([code, told]).toEqual([0, [join(out, "lag.png"), join(out, "skew.png")]]);
  expect(readFileSync(join(out, "lag.png"), "utf8")).toBe("results/x");
});

it("draws all kinds by itself", async () => {
  const { out } = await plot("results/x", "-o", parent);
  expect(out).toEqual(
    ["lag", "skew", "latency", "timeline"].map((kind) => join(parent, `${kind}.svg`)),
  );
});

it("says which kinds there are, and what stands in the way", async () => {
  const wrong = await plot("results/x", "--kind", "pie");
  expect(wrong.code).toBe(2);
  expect(wrong.err).toContain("lag, skew, latency, timeline");
  writeFileSync(join(parent, "file"), "");
  const blocked = await plot("results/x", "-o", join(parent, "file"));
  expect(blocked.code).toBe(2);
  expect(blocked.err).toContain("cannot write figures to");
  expect(existsSync(join(parent, "lag.svg"))).toBe(false);
});

/** Seen to fail with instanceof: the bundle has a class of its own, and a wrong folder was an internal fault. */
it("a folder without results is the user's mistake, though the class is the bundle's own", async () => {
  class ResultsError extends Error {
    override readonly name = "ResultsError";
  }
  const io = fakeTerminal();
  const dependencies = fakeDependencies({
    plot: () => Promise.reject(new ResultsError("cannot read x/manifest.json")),
  });
  expect(await runCli(["plot", "x"], io, dependencies)).toBe(2);
  expect(io.err()).toBe("cannot read x/manifest.json\n");
});
