/**
 * The summary as GitHub-flavoured Markdown: for a pull request's comment or a job's summary.
 *
 * Owns: the look, and that no name from outside is read as markup.
 */
import { printable } from "../format.ts";
import type { Section } from "../summary-sections.ts";
import type { SummaryFormat } from "./contract.ts";

export const markdown: SummaryFormat = (view, { resultsDir, replay }) => {
  const [verdict = "", ...others] = view.sentences;
  const prints = view.fingerprints.map(([name, value]) => `${name} ${markdownCode(value)}`);
  const lines = [
    `**${markdownText(verdict)}**`,
    "",
    ...others.flatMap((sentence) => [markdownText(sentence), ""]),
    markdownText(view.title),
    ...view.sections.flatMap(markdownSection),
    "",
    `Fingerprints: ${prints.join(", ")}  `,
    `Results: ${markdownCode(printable(resultsDir))}  `,
    `Again: ${markdownCode(printable(replay))}`,
  ];
  return `${lines.join("\n")}\n`;
};

/** Lines, an empty one first. */
export function markdownSection({ title, head, rows, notes = [] }: Section): string[] {
  const columns = Math.max(1 + head.length, ...rows.map((row) => row.length));
  const cells = (row: readonly string[]) =>
    `| ${Array.from({ length: columns }, (_, i) => cell(row[i] ?? "")).join(" | ")} |`;
  const rule = `| --- |${" ---: |".repeat(columns - 1)}`;
  const table = rows.length === 0 ? [] : ["", cells([title, ...head]), rule, ...rows.map(cells)];
  const heading = rows.length === 0 ? ["", `**${markdownText([title, ...head].join(": "))}**`] : [];
  return [...heading, ...table, ...notes.flatMap((note) => ["", markdownText(note)])];
}

/** Leading spaces set a row in, as in the text. */
function cell(content: string): string {
  const indent = content.length - content.trimStart().length;
  return "&emsp;".repeat(indent / 2) + markdownText(content.trimStart());
}

/** Every character that Markdown or HTML could take for more than itself. */
export function markdownText(content: string): string {
  return content
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(/[\\`*_{}[\]()#+\-.!|~>@]/g, "\\$&")
    .replaceAll("\\.", ".")
    .replaceAll("\\-", "-");
}

/** In as many backquotes as the content does not hold. */
export function markdownCode(content: string): string {
  const longest = Math.max(0, ...(content.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  const pad = longest > 0 ? " " : "";
  return `${fence}${pad}${content}${pad}${fence}`;
}
