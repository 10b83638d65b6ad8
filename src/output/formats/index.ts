/**
 * The table of formats: one line each. To add one: write its file here and add its line.
 *
 * Owns: which formats there are, by the word of `-o`.
 */
import { jsonText } from "../folder.ts";
import { renderView } from "../summary-text.ts";
import type { SummaryFormat } from "./contract.ts";
import { csv } from "./csv.ts";
import { junit } from "./junit.ts";
import { markdown } from "./markdown.ts";

export const summaryFormats = {
  table: renderView,
  /** The bytes of summary.json. */
  json: ({ data }) => jsonText(data),
  csv,
  markdown,
  junit,
} as const satisfies Readonly<Record<string, SummaryFormat>>;

export type SummaryFormatName = keyof typeof summaryFormats;
