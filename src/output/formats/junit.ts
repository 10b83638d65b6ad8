/**
 * The summary as JUnit XML: one test case per threshold, and one for the routing laws.
 *
 * Owns: the elements, by the schema that CI systems read (testsuites, testsuite, testcase, failure).
 */
import { printable } from "../format.ts";
import type { Case } from "../view.ts";
import type { SummaryFormat } from "./contract.ts";

export const junit: SummaryFormat = ({ scenario, sentences, cases }, { replay }) => {
  const suite = `podstorm ${scenario}`;
  const failures = cases.filter(({ failure }) => failure !== null).length;
  const counts = `tests="${cases.length}" failures="${failures}" errors="0"`;
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="podstorm" ${counts}>`,
    `  <testsuite name="${escaped(suite)}" ${counts} skipped="0">`,
    ...cases.flatMap((each) => caseLines(each, suite).map((line) => `    ${line}`)),
    `    <system-out>${escaped([...sentences, replay].join("\n"))}</system-out>`,
    "  </testsuite>",
    "</testsuites>",
  ];
  return `${lines.join("\n")}\n`;
};

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
