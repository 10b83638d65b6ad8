/**
 * What the commands need of the rooms below, as functions that tests can replace.
 *
 * Owns: the contract between the command line and scenario/.
 */
import type { Answer, AnswerOptions } from "../answers/index.ts";
import type { SimTimeNs } from "../engine/index.ts";
import type {
  ExplanationFormat,
  TimelineFormat,
  TraceFormat,
  TraceRequest,
  Wanted,
} from "../inspect/index.ts";
import type { ProgressState, RunInPieces } from "../library/slices.ts";
import type { Observer } from "../observe/index.ts";
import type { Summary } from "../output/index.ts";
import type { ResolvedScenario } from "../scenario/resolved.ts";
import type { DrawnFigure, FigureFormat, FigureKindName } from "../plot/index.ts";
import type { Instrument, InstrumentOptions } from "../telemetry/index.ts";

export type Run = RunInPieces;

/** A run that is stopped on its way and looked at; it writes no results. */
export interface Look extends Run {
  /** Lines of what a node has programmed now. @throws UserError for a node that is not there */
  rules(node: string, family: 4 | 6): readonly string[];
  /** Sends one packet and follows it. @throws UserError for places that are not there */
  trace(request: TraceRequest, format: TraceFormat): string;
  /** The lives so far of the pods that match. @throws UserError when there was none */
  timeline(pods: string, format: TimelineFormat): string;
}

/** Two runs of one scenario, from which a request is explained. */
export interface Explaining {
  /** To be run to its end first. */
  readonly search: Run;
  /** Then this one, until that time; null: once is enough. @throws UserError when there was no such request */
  again(): { readonly run: Run; readonly untilNs: SimTimeNs } | null;
  explain(format: ExplanationFormat): string;
}

/** Overrides from the command line, as typed. */
export interface ScenarioOverrides {
  readonly env: Readonly<Record<string, string>>;
  readonly seed?: string;
  readonly duration?: string;
  readonly thresholds?: readonly string[];
  /** Manifests instead of a scenario file; the file is then only what they are called. */
  readonly filename?: readonly string[];
  readonly rates?: readonly string[];
  readonly resets?: readonly string[];
  readonly nodes?: number;
  readonly zones?: number;
  readonly traffic?: string;
}

export interface ListedScenario {
  readonly name: string;
  readonly file: string;
  /** What it asks. */
  readonly question: string;
}

/** A part of the replications of one run. */
export interface ReplicationRequest {
  readonly file: string;
  readonly overrides: ScenarioOverrides;
  readonly replications: number;
  readonly jobs: number;
  /** Folder in which each replication gets its own, once there is one: threads start meanwhile. */
  readonly folder: Promise<string>;
}

/** What an import makes of somebody's manifests. */
export interface ImportedScenario {
  /** Of the scenario, given the name of the manifest beside it; and of that manifest. */
  readonly scenarioText: (manifest: string) => string;
  readonly manifestText: () => string;
  /** What was taken, assumed, changed and ignored: lines, not escaped. */
  readonly report: readonly string[];
}

export interface Template {
  readonly name: string;
  readonly scenario: string;
  readonly manifest: string;
}

export interface Dependencies {
  readonly version: string;
  /** Rejects with a UserError that holds every mistake found. */
  readonly loadScenario: (file: string, overrides: ScenarioOverrides) => Promise<ResolvedScenario>;
  readonly compile: (
    scenario: ResolvedScenario,
    observers: readonly Observer[],
    replication: number,
    instruments?: readonly Instrument[],
  ) => Run | Promise<Run>;
  /** What watches a run for other tools. @throws UserError with every mistake in the options */
  readonly instruments: (
    options: InstrumentOptions,
    scenario: ResolvedScenario,
  ) => Promise<readonly Instrument[]>;
  /**
   * Runs replications on `jobs` threads, each into folder.join(its number); all of them or none.
   * @param done called as each is done, in any order
   * @returns their summaries, in their order
   */
  readonly replicate: (
    request: ReplicationRequest,
    signal: AbortSignal,
    done: () => void,
  ) => Promise<readonly Summary[]>;
  /**
   * Answers a question with runs on `jobs` threads.
   * @param done called as each run is done
   */
  readonly answer: (
    question: string,
    options: AnswerOptions,
    jobs: number,
    signal: AbortSignal,
    done: () => void,
  ) => Promise<Answer>;
  readonly look: (scenario: ResolvedScenario) => Promise<Look>;
  readonly explain: (scenario: ResolvedScenario, wanted: Wanted) => Promise<Explaining>;
  /** A step of the search for each look at it; in the end lines about where the two part, or null. */
  readonly diffRuns: (
    a: ResolvedScenario,
    b: ResolvedScenario,
  ) => Promise<Generator<ProgressState, readonly string[] | null>>;
  /** Lines about the first difference of two folders; null: none. undefined: they are not results. */
  readonly diffFolders: (a: string, b: string) => Promise<readonly string[] | null | undefined>;
  /** The file that a person looks at, from a folder of results. */
  readonly report: {
    /** Finds out whether it could be written. @throws ResultsError */
    readonly check: (file: string, dir: string) => Promise<void>;
    /** @returns its size in bytes. @throws ResultsError */
    readonly write: (dir: string, file: string) => Promise<number>;
  };
  /** Figures of a results folder. @throws UserError for what is none */
  readonly plot: (
    folder: string,
    kinds: readonly FigureKindName[],
    format: FigureFormat,
  ) => Promise<readonly DrawnFigure[]>;
  /** Runs a command line in a process of its own, whose talk is on this one's stderr. @returns its exit code */
  readonly runFresh: (words: readonly string[], signal: AbortSignal) => Promise<number>;
  /** Reads manifests. @throws UserError for what is none */
  readonly importCluster: (paths: readonly string[], traffic?: string) => Promise<ImportedScenario>;
  /** The scenario that a first one begins as. */
  readonly template: () => Promise<Template>;
  /** The scenarios that ship with podstorm. */
  readonly listScenarios: () => Promise<readonly ListedScenario[]>;
}
