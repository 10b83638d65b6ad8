/**
 * The table of questions: one line each. To add one: write its file here and add its line.
 *
 * Owns: which there are.
 */
import type { Question } from "../contract.ts";
import { coldPods } from "./cold-pods.ts";
import { etp } from "./etp.ts";
import { keepaliveSkew } from "./keepalive-skew.ts";
import { maxsurge } from "./maxsurge.ts";
import { minsync } from "./minsync.ts";
import { nodeLoss } from "./node-loss.ts";
import { nodeportHop } from "./nodeport-hop.ts";
import { prestop } from "./prestop.ts";
import { proxyMode } from "./proxy-mode.ts";

export const questions = {
  prestop,
  maxsurge,
  "proxy-mode": proxyMode,
  minsync,
  "keepalive-skew": keepaliveSkew,
  "cold-pods": coldPods,
  etp,
  "nodeport-hop": nodeportHop,
  "node-loss": nodeLoss,
} as const satisfies Readonly<Record<string, Question>>;

export type QuestionName = keyof typeof questions;
