/**
 * A question about a cluster, answered by runs.
 *
 * Owns: the order of steps: the cluster, the answer as it is, then each change that may matter. Refuses to own: what is
 * asked (questions/), where trials run (its runner), and how it is printed (formats.ts).
 */
import { replayOptions, shellCommand, type Section } from "../output/index.ts";
import { nearest, optionMistake, UserError, type Mistake } from "../scenario/index.ts";
import { clusterOf, type ClusterOptions } from "./cluster.ts";
import type { Figure, Question } from "./contract.ts";
import { Lab, type Runner } from "./lab.ts";
import { questions, type QuestionName } from "./questions/index.ts";
import type { Settings } from "./settings.ts";
import type { TrialBase } from "./trial.ts";

export interface AnswerOptions extends ClusterOptions {
  /** Simulated time of each run, as "60s"; default: as long as there is something to see. */
  readonly duration?: string | undefined;
  /** Default "1". */
  readonly seed?: string | number | undefined;
  /** Of every setting that is tried, 2 or more; default 8. */
  readonly replications?: number | undefined;
  /** Of intervals, as a share of 1; default 0.95. */
  readonly confidence?: number | undefined;
  /** What is to be reached, where a question looks for the setting that does: a share of 1. */
  readonly goal?: number | undefined;
}

/** The answer with something otherwise. */
export interface Matter {
  readonly change: string;
  readonly settings: Settings;
  /** The answer's own figure then. */
  readonly figure: Figure;
  /** One of the two that change the figure most. */
  readonly isMost: boolean;
}

export interface Answer {
  readonly question: QuestionName;
  readonly asks: string;
  /** What was read. */
  readonly source: string;
  /** What happened in the runs. */
  readonly does: string;
  readonly workload: string;
  readonly rate: number;
  readonly seed: string;
  readonly replications: number;
  readonly confidence: number;
  readonly sentence: string;
  /** The answer's own first. */
  readonly figures: readonly [Figure, ...Figure[]];
  readonly tables: readonly Section[];
  readonly matters: readonly Matter[];
  readonly assumed: readonly string[];
  readonly unknown: readonly string[];
  /** What gives this very answer. */
  readonly command: string;
}

const REPLICATIONS = 8;
const CONFIDENCE = 0.95;
const TOLD = 2;

/** @param start makes what runs trials. @throws UserError for a question or a Deployment that there is not */
export async function answerBy(
  name: string,
  options: AnswerOptions,
  start: (base: TrialBase) => Runner,
): Promise<Answer> {
  const { seed = "1", replications = REPLICATIONS, confidence = CONFIDENCE, duration } = options;
  checkOptions(name, options);
  const question: Question = questions[name as QuestionName];
  const { subject, source, assumed } = clusterOf(options, question.fillsWith ?? 0);
  const { target } = subject;
  const base = { question: name as QuestionName, subject, seed: String(seed), duration };
  const lab = new Lab({ target, replications, confidence, goal: options.goal }, start(base));
  const finding = await question.find(lab, {});
  const [figure] = finding.figures;
  const tried: Omit<Matter, "isMost">[] = [];
  for (const { title, settings } of question.changes(target)) {
    const other = await question.find(lab, settings);
    tried.push({ change: title, settings, figure: other.figures[0] });
  }
  const byEffect = tried.toSorted((a, b) => effect(b.figure, figure) - effect(a.figure, figure));
  const most = new Set(byEffect.slice(0, TOLD));
  return {
    question: base.question,
    asks: question.asks,
    source,
    does: question.does(target, options.goal ?? question.goal ?? 1),
    workload: target.workload,
    rate: subject.rate,
    seed: base.seed,
    replications,
    confidence,
    sentence: finding.sentence,
    figures: finding.figures,
    tables: finding.tables,
    matters: byEffect.map((each) => ({ ...each, isMost: most.has(each) })),
    assumed: [...assumed, ...question.assumes(target)],
    unknown: question.unknown,
    command: commandOf(name, options, { deploy: deployOf(subject.target), rate: subject.rate }),
  };
}

/** Of two, the one that changes the figure more; one without a figure is beyond all. */
function effect({ mean }: Figure, { mean: asIs }: Figure): number {
  if (mean === asIs) return 0;
  return mean === null || asIs === null ? Infinity : Math.abs(mean - asIs);
}

function deployOf({ namespace, name }: { namespace: string; name: string }): string {
  return namespace === "default" ? name : `${namespace}/${name}`;
}

function commandOf(
  name: string,
  options: AnswerOptions,
  { deploy, rate }: { readonly deploy: string; readonly rate: number },
): string {
  const { filename = [], nodes, zones, services, duration, seed = "1", confidence, goal } = options;
  const { replications = REPLICATIONS } = options;
  return shellCommand([
    "sim",
    "answer",
    name,
    ...filename.flatMap((each) => ["-f", each]),
    "--deploy",
    deploy,
    ...replayOptions({
      env: {},
      rates: [String(rate)],
      seed: String(seed),
      duration,
      nodes,
      zones,
    }),
    ...(services === undefined ? [] : ["--services", String(services)]),
    "--replications",
    String(replications),
    ...(confidence === undefined ? [] : ["--confidence", share(confidence)]),
    ...(goal === undefined ? [] : ["--goal", share(goal)]),
  ]);
}

function share(value: number): string {
  return `${Number((value * 100).toPrecision(10))}%`;
}

function checkOptions(name: string, options: AnswerOptions): void {
  const mistakes: Mistake[] = [];
  const names = Object.keys(questions);
  if (!Object.hasOwn(questions, name)) {
    const allowed = `one of ${names.join(", ")}`;
    mistakes.push(optionMistake(name, "no such question", allowed, nearest(name, names)));
  }
  const { replications = REPLICATIONS, rate, confidence = CONFIDENCE, goal = 0.5 } = options;
  if (!Number.isSafeInteger(replications) || replications < 2) {
    mistakes.push(optionMistake("replications", String(replications), "a whole number from 2"));
  }
  if (rate !== undefined && !(rate > 0 && rate <= 1e6)) {
    mistakes.push(optionMistake("rate", String(rate), "requests per second, up to 1000000"));
  }
  for (const [option, value] of Object.entries({ confidence, goal })) {
    if (!(value > 0 && value < 1)) {
      mistakes.push(optionMistake(option, share(value), "a share between 0 % and 100 %"));
    }
  }
  const question: Question | undefined = questions[name as QuestionName];
  if (options.goal !== undefined && question !== undefined && question.goal === undefined) {
    mistakes.push(optionMistake("goal", `${name} looks for no setting that reaches one`, "none"));
  }
  if (mistakes.length > 0) throw new UserError(mistakes);
}
