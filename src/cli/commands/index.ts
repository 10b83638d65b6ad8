/** The commands, in the order in which help lists them. */
import type { CommandLine } from "./contract.ts";
import { addAnswer } from "./answer.ts";
import { addCompletion } from "./completion.ts";
import { addDiff } from "./diff.ts";
import { addExplain } from "./explain.ts";
import { addImport } from "./import.ts";
import { addInit } from "./init.ts";
import { addList } from "./list.ts";
import { addPlot } from "./plot.ts";
import { addReport } from "./report.ts";
import { addRules } from "./rules.ts";
import { addRun } from "./run.ts";
import { addTimeline } from "./timeline.ts";
import { addTrace } from "./trace.ts";
import { addVerify } from "./verify.ts";

export type { CommandLine } from "./contract.ts";

export const commands: readonly ((line: CommandLine) => void)[] = [
  addRun,
  addTrace,
  addRules,
  addTimeline,
  addExplain,
  addAnswer,
  addReport,
  addImport,
  addInit,
  addVerify,
  addDiff,
  addPlot,
  addList,
  addCompletion,
];
