/** The figures that `sim plot --kind` draws: one line each. */
import type { FigureKind } from "../figure.ts";
import { lag } from "./lag.ts";
import { latency } from "./latency.ts";
import { skew } from "./skew.ts";
import { timeline } from "./timeline.ts";

export const figureKinds = { lag, skew, latency, timeline } satisfies Readonly<
  Record<string, FigureKind>
>;

export type FigureKindName = keyof typeof figureKinds;
