/**
 * The summary as JUnit XML: one test case per threshold, and one for the routing laws.
 *
 * Owns: the elements, by the schema that CI systems read (testsuites, testsuite, testcase, failure).
 */
import { measured, printable } from "../format.ts";
import { headline } from "../headline.ts";
import type { Summary } from "../summary.ts";
import type { SummaryFormat } from "./contract.ts";

interface Case {
  readonly name: string;
  /** null where it passed. */
  readonly failure: string | null;
}

export const junit: SummaryFormat = (summary, { replay }) => {
  const suite = `podstorm ${summary.scenario}`;
  const cases = [...summary.thresholds.map(thresholdCase), lawCase(summary)];
  const failures = cases.filter(({ failure }) => failure !== null).length;
  const counts = `tests="${cases.length}" failures="${failures}" errors="0"`;
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="podstorm" ${counts}>`,
    `  <testsuite name="${escaped(suite)}" ${counts} skipped="0">`,
    ...cases.flatMap((each) => caseLines(each, suite).map((line) => `    ${line}`)),
    `    <system-out>${escaped([...headline(summary).sentences, replay].join("\n"))}</system-out>`,
    "  </testsuite>",
    "</testsuites>",
  ];
  return `${lines.join("\n")}\n`;
};

function thresholdCase({ threshold, passed, figure, unit }: Summary["thresholds"][number]): Case {
  const found = figure === null ? "there was nothing to measure" : measured(figure, unit);
  return { name: threshold, failure: passed ? null : found };
}

function lawCase({ brokenLaws }: Summary): Case {
  const broken = brokenLaws.map(
    ({ law, entity, atNs, detail }) => `${law}: ${entity} at ${atNs} ns: ${detail}`,
  );
  return { name: "the routing laws hold", failure: broken.length === 0 ? null : broken.join("\n") };
}

function caseLines({ name, failure }: Case, suite: string): string[] {
  const attributes = `classname="${escaped(suite)}" name="${escaped(name)}"`;
  if (failure === null) return [`<testcase ${attributes}/>`];
  return [
    `<testcase ${attributes}>`,
    `  <failure message="${escaped(`${name}: ${failure}`)}"/>`,
    "</testcase>",
  ];
}

/** XML has no way to write most control characters at all: they are shown, as on a terminal. */
function escaped(text: string): string {
  return text
    .split("\n")
    .map(printable)
    .join("\n")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("\n", "&#10;");
}
