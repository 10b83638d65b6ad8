/** The summary's formats: each is read back by what reads such files, and no name from outside breaks it. */
import { parse } from "csv-parse/sync";
import { describe, expect, it } from "vitest";
import { summaryFormats, viewOf, type Summary } from "../../src/output/index.ts";
import { syntheticSummary } from "./synthetic-results.ts";

const options = {
  width: 80,
  colour: false,
  resultsDir: "results/synthetic",
  replay: "sim run synthetic.ts --seed 1",
};
const asked = { operator: "<", limit: 1, confidence: null } as const;
const thresholds: Summary["thresholds"] = [
  { threshold: "requests.count>5", passed: true, figure: 7, unit: "count", ...asked },
  { threshold: "requests_failed.rate<1%", passed: false, figure: 1 / 7, unit: "share", ...asked },
];
const hostile = '</testcase>&"\u0000\u001B]0;x\u0007|*`<b>\n=1+1';

describe("-o json", () => {
  it("is summary.json", () => {
    const summary = syntheticSummary({ thresholds });
    expect(JSON.parse(summaryFormats.json(viewOf(summary)))).toEqual(summary);
  });
});

describe("-o csv", () => {
  const rows = (summary: Summary) =>
    parse(summaryFormats.csv(viewOf(summary), options), { columns: true }) as {
      figure: string;
      value: string;
    }[];

  it("has a row for every figure of the summary, under a name of its own", () => {
    const summary = syntheticSummary({ thresholds });
    const names = rows(summary).map(({ figure }) => figure);
    expect(new Set(names).size).toBe(names.length);
    const leaves = (value: unknown): number =>
      typeof value === "object" && value !== null
        ? Object.values(value).reduce((sum: number, each) => sum + leaves(each), 0)
        : 1;
    expect(names).toHaveLength(leaves(summary));
    expect(rows(summary)).toContainEqual({ figure: "requests.failed", value: "1" });
    expect(rows(summary)).toContainEqual({
      figure: "thresholds[requests_failed.rate<1%].passed",
      value: "false",
    });
  });

  it("lets no name run as a formula", () => {
    const [row] = rows(syntheticSummary({ scenario: "=1+1" }));
    expect(row).toEqual({ figure: "scenario", value: "'=1+1" });
  });
});

describe("-o junit", () => {
  /** What is left of a text when every element and entity that XML knows is taken out. */
  const rest = (xml: string) =>
    xml
      .replace(/^<\?xml[^?]*\?>/, "")
      .replaceAll(/<\/?[a-z-]+( [a-z]+="[^"<&]*(&(amp|lt|gt|quot|#10);[^"<&]*)*")*\/?>/g, "")
      .replaceAll(/&(amp|lt|gt|quot|#10);/g, "");

  it("has a test case per threshold and one for the laws, with their failures", () => {
    const xml = summaryFormats.junit(viewOf(syntheticSummary({ thresholds })), options);
    expect(xml).toContain('tests="3" failures="1" errors="0"');
    expect(xml.match(/<testcase /g)).toHaveLength(3);
    expect(xml).toContain('<failure message="requests_failed.rate&lt;1%: 14.29 %"/>');
  });

  it("says which law was broken", () => {
    const brokenLaws = [{ law: "reach", entity: "node-1", atNs: 5, detail: "ClusterIP" }];
    const summary = { ...syntheticSummary(), brokenLaws };
    const xml = summaryFormats.junit(viewOf(summary), options);
    expect(xml).toContain("the routing laws hold: reach: node-1 at 5 ns: ClusterIP");
  });

  it("is well-formed whatever the names are", () => {
    const summary = syntheticSummary({
      scenario: hostile,
      thresholds: [{ threshold: hostile, passed: false, figure: null, unit: "ns", ...asked }],
    });
    const xml = summaryFormats.junit(viewOf(summary), { ...options, replay: hostile });
    expect(rest(xml)).not.toMatch(/[<>&]/);
    expect(xml).not.toMatch(/[^\P{Cc}\n]/u);
  });
});

describe("-o markdown", () => {
  it("has the sections as tables, with a cell for each column in every row", () => {
    const markdown = summaryFormats.markdown(viewOf(syntheticSummary({ thresholds })), options);
    expect(markdown).toContain("| ✗ requests\\_failed.rate&lt;1% | 14.29 % |");
    const tables = markdown.split("\n\n").filter((block) => block.startsWith("|"));
    expect(tables.length).toBeGreaterThan(3);
    for (const table of tables) {
      const widths = table.split("\n").map((row) => row.split(/(?<!\\)\|/).length);
      expect(new Set(widths).size, table).toBe(1);
    }
  });

  it("reads no name as markup", () => {
    const summary = syntheticSummary({
      thresholds: [{ threshold: hostile, passed: true, figure: 1, unit: "count", ...asked }],
    });
    const markdown = summaryFormats.markdown(viewOf(summary), options);
    expect(markdown).not.toContain("<b>");
    expect(markdown).not.toMatch(/[^\P{Cc}\n]/u);
    const row = markdown.split("\n").find((line) => line.includes("✓"));
    expect(row).toContain("\\|\\*\\`&lt;b\\>");
  });

  it("holds backquotes of a command in a longer fence", () => {
    const markdown = summaryFormats.markdown(viewOf(syntheticSummary()), {
      ...options,
      replay: "a `b` c",
    });
    expect(markdown).toContain("Again: `` a `b` c ``\n");
  });
});
