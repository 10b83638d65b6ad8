/** Figures and names as a person reads them. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { count, counted, duration, percentage, printable, ratio } from "../../src/output/format.ts";
import { replayCommand } from "../../src/output/replay.ts";
import { alignColumns, shortened, wrapped } from "../../src/output/text-table.ts";

describe("figures", () => {
  it.each([
    [0, "0"],
    [999, "999"],
    [1000, "1,000"],
    [1234567, "1,234,567"],
  ])("count(%i) is %s", (value, text) => expect(count(value)).toBe(text));

  it("puts a noun in the plural unless there is one", () => {
    expect([0, 1, 2].map((n) => counted(n, "node"))).toEqual(["0 nodes", "1 node", "2 nodes"]);
  });

  it.each([
    [0, 0, "-"],
    [0, 10, "0.0 %"],
    [1, 100_000, "<0.1 %"],
    [99_999, 100_000, ">99.9 %"],
    [1, 8, "12.5 %"],
    [10, 10, "100.0 %"],
  ])("percentage(%i, %i) is %s", (part, whole, text) => expect(percentage(part, whole)).toBe(text));

  it.each([
    [0, "0 ns"],
    [812, "812 ns"],
    [999, "999 ns"],
    [1000, "1.00 us"],
    [999_499, "999 us"],
    [999_600, "1.00 ms"],
    [1_250_000, "1.25 ms"],
    [93_440_000_000, "93.4 s"],
    [9_996_000_000, "10.0 s"],
    [3_600_000_000_000, "3,600 s"],
  ])("duration(%i) is %s", (ns, text) => expect(duration(ns)).toBe(text));

  it("shows what there is not as a dash", () => {
    expect([duration(null), ratio(null), ratio(1.5)]).toEqual(["-", "-", "1.50"]);
  });
});

describe("printable", () => {
  it("shows control and direction characters instead of obeying them", () => {
    expect(printable("a\u001B[31mb\u0007\u202Ec\r\n")).toBe(
      "a\\u{1b}[31mb\\u{7}\\u{202e}c\\u{d}\\u{a}",
    );
  });

  it("leaves ordinary text of any language alone", () => {
    expect(printable("default/nginx-é-服务")).toBe("default/nginx-é-服务");
  });

  it("never lets an escape character through", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        // eslint-disable-next-line no-control-regex
        expect(printable(text)).not.toMatch(/[\u0000-\u001F\u007F-\u009F]/);
      }),
      { seed: 1 },
    );
  });
});

describe("text tables", () => {
  it("align the first column left and the others right", () => {
    expect(
      alignColumns(
        [
          ["name", "n"],
          ["a", "10"],
          ["longer-name", "7"],
        ],
        80,
      ),
    ).toEqual(["name           n", "a             10", "longer-name    7"]);
  });

  it("shorten only the first column, in its middle, to fit the width", () => {
    const lines = alignColumns([["a-very-long-name-indeed", "1,234"]], 20);
    expect(lines).toEqual(["a-very…indeed  1,234"]);
    expect(lines[0]).toHaveLength(20);
  });

  it("cut no character in half", () => {
    expect(shortened("😀😀😀😀😀", 3)).toBe("😀…😀");
  });

  it("wrap at spaces and lose no word", () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{1,12}$/)),
        fc.integer({ min: 12, max: 40 }),
        (words, width) => {
          const lines = wrapped(words.join(" "), width);
          expect(lines.join(" ")).toBe(words.join(" "));
          expect(lines.every((line) => line.length <= width)).toBe(true);
        },
      ),
      { seed: 1 },
    );
  });
});

describe("replayCommand", () => {
  it("quotes what a shell would take apart", () => {
    const env = { GREETING: "it's $HOME" };
    expect(replayCommand({ file: "my dir/a.ts", seed: "7", duration: "30s", env })).toBe(
      `sim run 'my dir/a.ts' --seed 7 --duration 30s -e 'GREETING=it'\\''s $HOME'`,
    );
  });

  it("leaves plain words alone and leaves out what was not given", () => {
    expect(replayCommand({ file: "a.ts", seed: "1", env: {} })).toBe("sim run a.ts --seed 1");
  });
});
