/**
 * `sim rules`, `sim trace` and `sim timeline`: run up to an instant, look, print.
 *
 * Owns: `--at`, and the order of these. Refuses to own: what is seen (inspect/), arguments (commands/).
 */
import type { SimTimeNs } from "../engine/index.ts";
import type { TimelineFormat, TraceFormat, TraceRequest } from "../inspect/index.ts";
import { replayOptions, shellCommand, subjectWords } from "../output/index.ts";
import { optionMistake, UserError } from "../scenario/mistakes.ts";
import type { ResolvedScenario } from "../scenario/resolved.ts";
import { DURATION_ALLOWED, formatDuration, parseDuration } from "../scenario/units.ts";
import { runInSlices } from "../library/slices.ts";
import type { Dependencies, Look, ScenarioOverrides } from "./dependencies.ts";
import { InternalFault } from "./faults.ts";
import type { Io } from "./io.ts";
import { Progress } from "./progress.ts";
import { overridesOf } from "./run.ts";

interface LookArguments extends ScenarioOverrides {
  readonly file: string;
  /** As typed; undefined for the start of the run. */
  readonly at?: string;
}

export interface RulesArguments extends LookArguments {
  readonly node: string;
  readonly family: 4 | 6;
}

export interface TraceArguments extends LookArguments, TraceRequest {
  readonly output: TraceFormat;
}

/** @throws UserError, Interrupted, InternalFault */
export async function rulesCommand(
  args: RulesArguments,
  io: Io,
  dependencies: Dependencies,
): Promise<void> {
  const { node, family } = args;
  const words = ["rules", ...subjectWords(args), "--node", node, "--family", String(family)];
  const lines = await lookedAt(args, words, io, dependencies, (run) => run.rules(node, family));
  io.stdout.write(`${lines.join("\n")}\n`);
}

export interface TimelineArguments extends LookArguments {
  readonly pod: string;
  readonly output: TimelineFormat;
}

/** To the end of the run, unless `at` says otherwise. @throws UserError, Interrupted, InternalFault */
export async function timelineCommand(
  args: TimelineArguments,
  io: Io,
  dependencies: Dependencies,
): Promise<void> {
  const { pod, output } = args;
  const words = ["timeline", ...subjectWords(args), "--pod", pod];
  const look = (run: Look): string => run.timeline(pod, output);
  io.stdout.write(await lookedAt(args, words, io, dependencies, look, "end"));
}

/** @throws UserError, Interrupted, InternalFault */
export async function traceCommand(
  args: TraceArguments,
  io: Io,
  dependencies: Dependencies,
): Promise<void> {
  const { from, to, family, output } = args;
  const words = ["trace", ...subjectWords(args), "--from", from, "--to", to];
  if (family !== undefined) words.push("--family", String(family));
  const request = family === undefined ? { from, to } : { from, to, family };
  const text = await lookedAt(args, words, io, dependencies, (run) => run.trace(request, output));
  io.stdout.write(text);
}

/**
 * @param words of the command, for who has to repeat it
 * @param otherwise how far to run where `at` does not say
 */
async function lookedAt<T>(
  args: LookArguments,
  words: readonly string[],
  io: Io,
  dependencies: Dependencies,
  look: (run: Look) => T,
  otherwise: "start" | "end" = "start",
): Promise<T> {
  const scenario = await dependencies.loadScenario(args.file, overridesOf(args));
  io.signal.throwIfAborted();
  const atNs =
    args.at === undefined && otherwise === "end"
      ? scenario.durationNs
      : instantOf(args.at, scenario);
  const progress = new Progress(io, false);
  let run: Look | undefined;
  try {
    run = await dependencies.look(scenario);
    await runInSlices(run, atNs, io, (state) => progress.update(state));
    progress.end();
    return look(run);
  } catch (error) {
    const replay = shellCommand(["sim", ...words, ...repeated(args, scenario)]);
    throw InternalFault.wrap(error, run?.nowNs ?? 0, replay, io.signal);
  } finally {
    progress.end();
  }
}

/** What the same run needs beside the command's own words. */
export function repeated(
  args: ScenarioOverrides & { readonly at?: string },
  { seed }: ResolvedScenario,
): string[] {
  const { at } = args;
  const options = replayOptions({ ...overridesOf(args), seed });
  return [...(at === undefined ? [] : ["--at", at]), ...options];
}

function instantOf(at: string | undefined, { durationNs }: ResolvedScenario): SimTimeNs {
  if (at === undefined) return 0;
  const parsed = parseDuration(at);
  const end = formatDuration(durationNs);
  const problem =
    "problem" in parsed
      ? parsed.problem
      : parsed.value > durationNs
        ? `after the end of the run at ${end}`
        : null;
  if (problem === null && "value" in parsed) return parsed.value;
  const found = `${JSON.stringify(at.slice(0, 40))} (${problem})`;
  throw new UserError([optionMistake("--at", found, `${DURATION_ALLOWED}, up to ${end}`)]);
}
