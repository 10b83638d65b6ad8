/**
 * What a format of the summary is: how `sim run -o FORMAT` prints it. index.ts lists them.
 *
 * Owns: the contract only.
 */
import type { TextOptions } from "../summary-text.ts";
import type { Summary } from "../summary.ts";

/** @returns whole text, ending in a line break */
export type SummaryFormat = (summary: Summary, options: TextOptions) => string;
