/**
 * What a format of the summary is: how `sim run -o FORMAT` prints it. index.ts lists them.
 *
 * Owns: the contract only.
 */
import type { TextOptions } from "../summary-text.ts";
import type { SummaryView } from "../view.ts";

/** @returns whole text, ending in a line break */
export type SummaryFormat = (view: SummaryView, options: TextOptions) => string;
