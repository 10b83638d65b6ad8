/**
 * The examples of docs/plotting.md, run by the tools that they are for: those that compute come to the same figures as this test.
 * A tool that is not there is told of and skipped.
 *
 * Seen to fail: with a column and a file misspelt in gnuplot's.
 */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readResults } from "../../src/plot/results.ts";
import { resultsIn } from "../plot/folder.ts";
import { pythonWith, tool } from "../telemetry/tools.ts";
import { codeBlocks, document } from "./markdown.ts";

const pandas = pythonWith("pandas");
const duckdb = pythonWith("duckdb");
const rscript = tool(["Rscript"], ["--version"], "Rscript");
const gnuplot = tool(["gnuplot"], ["--version"], "gnuplot");

let parent: string;
/** By kind of change: median and 99th percentile, in milliseconds. */
let expected: Map<string, readonly [number, number]>;
beforeAll(async () => {
  parent = mkdtempSync(join(tmpdir(), "podstorm-plotting-"));
  const folder = await resultsIn(parent);
  cpSync(folder, join(parent, "results", "reset-storm"), { recursive: true });
  const rows = readResults(folder)
    .table("endpoint_update_lag.csv")
    .filter((row) => row["lag_ns"] !== "");
  const kinds = [...new Set(rows.map(({ change }) => change!))].toSorted();
  expected = new Map(
    kinds.map((kind) => {
      const own = rows
        .filter(({ change }) => change === kind)
        .map((row) => Number(row["lag_ns"]) / 1e6);
      own.sort((a, b) => a - b);
      return [kind, [between(own, 0.5), between(own, 0.99)]];
    }),
  );
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

/** Linear between neighbours: what all three mean by a quantile. */
function between(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  const next = sorted[Math.min(low + 1, sorted.length - 1)]!;
  return sorted[low]! + (next - sorted[low]!) * (at - low);
}

/** What the example prints. */
function printed(language: string, program: string, ...words: readonly string[]): string {
  const [example, ...more] = codeBlocks(document("docs/plotting.md")).filter(
    (each) => each.language === language,
  );
  expect(more).toEqual([]);
  const { stdout, stderr, status } = spawnSync(program, words, {
    cwd: parent,
    input: example!.text,
    encoding: "utf8",
  });
  expect(status, stderr).toBe(0);
  return stdout;
}

function expectFigures(csv: string): void {
  const rows = csv
    .split("\n")
    .slice(1)
    .filter((line) => line.trim() !== "")
    .map((line) => line.split(","));
  expect(rows.map(([change]) => change)).toEqual([...expected.keys()]);
  for (const [change, ...figures] of rows) {
    for (const [i, figure] of figures.entries()) {
      // R prints seven digits.
      expect(Number(figure)).toBeCloseTo(expected.get(change!)![i]!, 3);
    }
  }
}

it.skipIf(pandas === null)("pandas", () => expectFigures(printed("python", pandas!, "-")));

it.skipIf(rscript === null)("R", () => {
  // It reads from a file only.
  const run = 'source(file("stdin"), echo = FALSE)';
  expectFigures(printed("r", rscript!, "-e", run));
  expect(readFileSync(join(parent, "lag.pdf"), "latin1").startsWith("%PDF")).toBe(true);
});

it.skipIf(duckdb === null)("DuckDB", () => {
  const run =
    "import duckdb, sys; r = duckdb.sql(sys.stdin.read()); print(','.join(r.columns)); [print(','.join(map(str, row))) for row in r.fetchall()]";
  expectFigures(printed("sql", duckdb!, "-c", run));
});

it.skipIf(gnuplot === null)("gnuplot", () => {
  // The example's client is reset-storm's.
  const example = codeBlocks(document("docs/plotting.md")).find(
    (each) => each.language === "gnuplot",
  );
  const { status, stderr } = spawnSync(gnuplot!, ["-"], {
    cwd: parent,
    input: example!.text.replace("'^web,'", "'^new,'"),
    encoding: "utf8",
  });
  expect(status, stderr).toBe(0);
  expect(existsSync(join(parent, "requests.svg"))).toBe(true);
  expect(readFileSync(join(parent, "requests.svg"), "utf8")).toContain("served requests/s");
});
