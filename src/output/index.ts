/**
 * The room's door: summaries, manifests and results folders.
 *
 * Owns: what other rooms may import from output/.
 */
export { cellsOf } from "./csv.ts";
export { conclude, type Conclusion } from "./conclusion.ts";
export { asResultsError, ResultsError } from "./errors.ts";
export {
  checkResultsFolder,
  digestOf,
  jsonText,
  writeResults,
  type Results,
  type ResultsDigest,
} from "./folder.ts";
export { count, counted, duration, figureText, printable, ratio } from "./format.ts";
export { causeInWords } from "./headline.ts";
export { partialPath, removeLeftovers } from "./leftovers.ts";
export { openResults } from "./opened.ts";
export { checkFiles, writeFile } from "./files.ts";
export { manifest, type ManifestInput, type WallClock } from "./manifest.ts";
export { notModelled } from "./not-modelled.ts";
export { combine, replicationTables, type ReplicatedSummary } from "./replications.ts";
export { replicationsManifest, viewOfReplications } from "./replications-view.ts";
export { replayCommand, replayOptions, shellCommand, subjectWords, type Replay } from "./replay.ts";
export { summarise, type Summary, type SummaryInput } from "./summary.ts";
export { summaryFormats, type SummaryFormatName } from "./formats/index.ts";
export { renderSection, renderView, styleOf, type TextOptions } from "./summary-text.ts";
export type { Section } from "./summary-sections.ts";
export { markdownCode, markdownSection, markdownText } from "./formats/markdown.ts";
export { viewOf, type SummaryView } from "./view.ts";
export {
  checkThresholds,
  type FigureUnit,
  type Measured,
  type ThresholdResult,
} from "./thresholds.ts";
export { indentedText, wrapped } from "./text-table.ts";
