/** docs/metrics.md says what src/observe/metrics.ts says, column by column. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { allMetricsFiles, columnsOf } from "../../src/observe/index.ts";

const docs = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");

/** The rows of the table under a file's heading. */
function documented(file: string): string[] {
  const [, section = ""] = docs.split(`\n## ${file}\n`);
  const [own = ""] = section.split("\n## ");
  return own.split("\n").filter((line) => line.startsWith("| `"));
}

describe("docs/metrics.md", () => {
  it.each(allMetricsFiles.map(({ file }) => file))("describes every column of %s", (file) => {
    const { columns } = allMetricsFiles.find((each) => each.file === file)!;
    const lines = columns.map(
      ({ name, unit, meaning, emptyWhen }) =>
        `| \`${name}\` | ${unit} | ${meaning}${emptyWhen === undefined ? "" : ` Empty when ${emptyWhen}.`} |`,
    );
    expect(documented(file)).toEqual(lines);
  });

  it("says what a row of each file is", () => {
    for (const { rowPer } of allMetricsFiles) expect(docs).toContain(`One row per ${rowPer}.`);
  });

  it("has no section for a file that does not exist", () => {
    const headings = [...docs.matchAll(/^## (\w+\.csv)$/gm)].map(([, file]) => file);
    expect(headings).toEqual(allMetricsFiles.map(({ file }) => file));
  });
});

it("puts the unit into the name of every column with a unit of its own", () => {
  for (const { columns } of allMetricsFiles) {
    for (const { name, unit } of columns) expect(name.endsWith("_ns"), name).toBe(unit === "ns");
  }
});

it("refuses a file it does not hold", () => {
  expect(() => columnsOf("nothing.csv")).toThrow(RangeError);
});
