/**
 * One run of an experiment, and what was read from it.
 *
 * Owns: from a question, a cluster and settings to a run's figures; and when a run is over. Refuses to own: which runs
 * are made (lab.ts), and on which threads (cli/).
 */
import { seconds } from "../engine/index.ts";
import { RunResult } from "../library/result.ts";
import { runInSlices } from "../library/slices.ts";
import type { StopSignal } from "../library/options.ts";
import { Recording } from "../observe/index.ts";
import { conclude } from "../output/index.ts";
import { compile } from "../scenario/compile.ts";
import { loadDefinition, type ResolvedScenario } from "../scenario/index.ts";
import type { Measures, Question, Watch } from "./contract.ts";
import { draftOf, type Subject } from "./draft.ts";
import { questions, type QuestionName } from "./questions/index.ts";
import { applySettings, type Settings } from "./settings.ts";

/** What all runs of an answer have in common. Plain data: it is sent to threads. */
export interface TrialBase {
  readonly question: QuestionName;
  readonly subject: Subject;
  readonly seed: string;
  /** Of every run, as text; undefined: as long as there is something to see. */
  readonly duration?: string | undefined;
}

/** Few answers look at windows, and each costs something for every Service. */
const WINDOW = "1m";
/** How often it is looked whether a run is over. */
const LOOK_NS = seconds(1);

/** Runs trials, one after the other; of settings that come again nothing is read again. */
export class Trials {
  readonly #base: TrialBase;
  readonly #signal: StopSignal;
  #known: { readonly key: string; readonly scenario: ResolvedScenario } | null = null;

  constructor(base: TrialBase, signal: StopSignal) {
    this.#base = base;
    this.#signal = signal;
  }

  /** @throws UserError for settings that the cluster cannot have; Error for a routing law that was broken */
  async run(settings: Settings, replication: number): Promise<Measures> {
    const { subject, duration } = this.#base;
    const question: Question = questions[this.#base.question];
    const scenario = this.#scenario(question, settings);
    const watch = question.watch?.(scenario, subject.target) ?? null;
    const endsEarly = duration === undefined;
    const run = await simulate(scenario, watch, endsEarly, replication, this.#signal);
    const [broken] = run.brokenLaws;
    if (broken !== undefined) {
      const { law, entity, atNs, detail } = broken;
      const where = `answer ${question.name}, ${JSON.stringify(settings)}, replication ${replication}`;
      throw new Error(
        `a routing law was broken: ${law}: ${entity} at ${atNs} ns: ${detail} (${where})`,
      );
    }
    return question.measure(run, subject.target, watch);
  }

  #scenario(question: Question, settings: Settings): ResolvedScenario {
    const key = JSON.stringify(settings);
    if (this.#known?.key !== key) this.#known = { key, scenario: this.#load(question, settings) };
    return this.#known.scenario;
  }

  #load(question: Question, settings: Settings): ResolvedScenario {
    const { subject, seed, duration } = this.#base;
    const draft = draftOf(subject);
    draft.scenario.duration = question.duration as "1s";
    draft.scenario.window = WINDOW;
    question.prepare(draft);
    applySettings(draft, { services: subject.target.filler, ...settings });
    const { scenario, objects } = draft;
    return loadDefinition(scenario, { name: question.name, objects, seed, duration });
  }
}

async function simulate(
  scenario: ResolvedScenario,
  watch: Watch | null,
  endsEarly: boolean,
  replication: number,
  signal: StopSignal,
): Promise<RunResult> {
  const recording = new Recording();
  const observers = watch === null ? recording.observers : [...recording.observers, watch];
  const run = compile(scenario, observers, replication);
  const outside = {
    signal,
    nowMs: () => performance.now(),
    breathe: () => new Promise<void>((resolve) => setImmediate(resolve)),
  };
  const endNs = () => Math.min(run.durationNs, (endsEarly ? watch?.endNs() : null) ?? Infinity);
  while (run.nowNs < endNs()) {
    const untilNs = Math.min(endNs(), run.nowNs + LOOK_NS);
    await runInSlices(run, untilNs, outside, () => {});
  }
  const conclusion = conclude(scenario, recording, run.finish(), run.nowNs);
  // Nobody compares fingerprints of trials: hashing every table would cost as much as reading it.
  return new RunResult(conclusion.summary(""), conclusion, null);
}
