/** What `-o` of `sim trace` takes: one line each. */
import { traceDot } from "./dot.ts";
import { traceMermaid } from "./mermaid.ts";
import type { Trace } from "./record.ts";
import { traceText } from "./text.ts";

export const traceFormats = {
  text: traceText,
  json: (trace: Trace) => `${JSON.stringify(trace, null, 2)}\n`,
  mermaid: traceMermaid,
  dot: traceDot,
} satisfies Readonly<Record<string, (trace: Trace) => string>>;

export type TraceFormat = keyof typeof traceFormats;
