/**
 * The room's door: looking at a run without changing it.
 *
 * Owns: what the command line may import from inspect/.
 */
export { diffFolders, diffRuns } from "./diff/index.ts";
export {
  Explainer,
  explanationFormats,
  type ExplanationFormat,
  type Wanted,
} from "./explain/index.ts";
export { nodeRules } from "./nodeRules.ts";
export { PodLives, timelineFormats, timelineOf, type TimelineFormat } from "./timeline/index.ts";
export { traceFormats, type TraceFormat } from "./trace/formats.ts";
export { traceFirstPacket, type TraceRequest } from "./trace/probe.ts";
