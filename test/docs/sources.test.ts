/**
 * Whatever the source cites stands in docs/sources.md.
 *
 * Seen to fail: with a section renumbered there, and with "§77.7" in a profile.
 */
import { describe, expect, test } from "vitest";
import { sourceFiles } from "../tidy/source.ts";
import { document } from "./markdown.ts";

const sources = document("docs/sources.md").text;
const files = sourceFiles("src").map(({ path, text }) => ({
  path,
  // Comments on one line each, so that a citation may be broken.
  text: text.replace(/\n\s*\* ?/g, " "),
}));

/** Every citation of a kind as "file: what", and what it names. */
function citations(pattern: RegExp): { readonly where: string; readonly names: string[] }[] {
  return files.flatMap(({ path, text }) =>
    [...text.matchAll(pattern)].map(([whole, ...names]) => ({
      where: `${path}: ${whole}`,
      names: names.filter((name) => name !== undefined),
    })),
  );
}

/** Citations of which a name is not known. */
function dangling(pattern: RegExp, known: ReadonlySet<string>): string[] {
  const cited = citations(pattern);
  expect(cited.length).toBeGreaterThan(0);
  return cited
    .filter(({ names }) => names.some((name) => !known.has(name)))
    .map(({ where }) => where);
}

function headings(pattern: RegExp): Set<string> {
  return new Set([...sources.matchAll(pattern)].map(([, number]) => number!));
}

describe("docs/sources.md has every", () => {
  test("section of the timings that is cited", () => {
    expect(dangling(/§(\d+(?:\.\d+)?)/g, headings(/^#{3,4} §([\d.]+) /gm))).toEqual([]);
  });

  test("section of kube-proxy's rules that is cited", () => {
    const pattern = /rules of kube-proxy, sections? (\d+)(?: (?:to|and) (\d+))?/gi;
    expect(dangling(pattern, headings(/^### Section (\d+):/gm))).toEqual([]);
  });

  test("published measurement that a profile names", () => {
    const names = citations(/(\w+\.csv)/g).filter(({ where }) => where.includes("/profile.ts:"));
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter(({ names: [file] }) => !sources.includes(`\`${file}\``))).toEqual([]);
  });
});
