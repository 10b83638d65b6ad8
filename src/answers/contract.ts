/**
 * What a question of `sim answer` is. index.ts lists them.
 *
 * Owns: the contract: what is varied, what happens in a run, which figures are read from it, and what the answer says.
 * Refuses to own: the runs (trial.ts), and finding settings with them (lab.ts).
 */
import type { Observer } from "../observe/index.ts";
import type { FigureUnit, Section } from "../output/index.ts";
import type { RunResult } from "../library/result.ts";
import type { ResolvedScenario } from "../scenario/index.ts";
import type { Draft, Target } from "./draft.ts";
import type { Lab } from "./lab.ts";
import type { Settings } from "./settings.ts";

/** What is read from one run, in base units; null: nothing of that happened. */
export type Measures = Readonly<Record<string, number | null>>;

/** Watches a run, so that it need not go on when there is nothing more to see. */
export interface Watch extends Observer {
  /** When the run may end; null: not known yet. */
  endNs(): number | null;
}

/** A figure over replications. */
export interface Figure {
  readonly name: string;
  readonly unit: FigureUnit;
  readonly mean: number | null;
  /** Student's t over replications; null where there is none. */
  readonly low: number | null;
  readonly high: number | null;
}

/** What was found out under some settings. */
export interface Finding {
  /** One sentence. */
  readonly sentence: string;
  /** The answer's own figure first; then those that explain it. */
  readonly figures: readonly [Figure, ...Figure[]];
  /** What was compared on the way. */
  readonly tables: readonly Section[];
}

/** Something that may be otherwise in somebody's cluster. */
export interface Change {
  readonly title: string;
  readonly settings: Settings;
}

export interface Question {
  /** What the command calls it. */
  readonly name: string;
  /** As somebody would ask it. */
  readonly asks: string;
  /** What happens in a run, for a reader. */
  readonly does: (target: Target, goal: number) => string;
  /** It looks for a setting that reaches what the asker wants: this share of 1 where he does not say. */
  readonly goal?: number;
  /** Services besides the one of the built-in cluster, where their number is what is asked about. */
  readonly fillsWith?: number;
  /** Simulated time of a run where nobody says; with a watch: at most. */
  readonly duration: string;
  /** Writes who calls and what happens into the experiment. */
  readonly prepare: (draft: Draft) => void;
  /** Absent: a run lasts as long as `duration` says. */
  readonly watch?: (scenario: ResolvedScenario, target: Target) => Watch;
  readonly measure: (run: RunResult, target: Target, watch: Watch | null) => Measures;
  /** Settings that a run of the answer has where the cluster says nothing else. */
  readonly find: (lab: Lab, settings: Settings) => Promise<Finding>;
  /** What may matter: each is tried, and the two that change the figure most are told. */
  readonly changes: (target: Target) => readonly Change[];
  readonly assumes: (target: Target) => readonly string[];
  /** What it does not know. */
  readonly unknown: readonly string[];
}
