/**
 * `sim run`: load, compile, run, write, sum up.
 *
 * Owns: the order of these. Refuses to own: arguments (commands/), slices (slices.ts), and what errors
 * look like (faults.ts).
 */
import { Recording, type RunEnd } from "../observe/index.ts";
import {
  checkFiles,
  checkResultsFolder,
  conclude,
  manifest,
  figureText,
  printable,
  summaryFormats,
  replayCommand,
  viewOf,
  writeFile,
  writeResults,
  type Summary,
  type SummaryFormatName,
} from "../output/index.ts";
import { optionMistake, UserError } from "../scenario/mistakes.ts";
import type { ResolvedScenario } from "../scenario/resolved.ts";
import type { Instrument, InstrumentOptions } from "../telemetry/index.ts";
import { runInSlices } from "../library/slices.ts";
import type { Dependencies, Run, ScenarioOverrides } from "./dependencies.ts";
import { InternalFault } from "./faults.ts";
import { ExitCode, wantsColour, type ExitCodeValue, type Io, type RunIo } from "./io.ts";
import { FailureCount } from "./live/watch.ts";
import { PlainProgress, Progress, type ProgressView } from "./progress.ts";
import { tellReport } from "./report.ts";

export interface RunArguments extends ScenarioOverrides, InstrumentOptions {
  readonly file: string;
  readonly out?: string;
  readonly quiet: boolean;
  readonly output: SummaryFormatName;
  /** Which repetition, from 0. */
  readonly replication?: number;
  /** Draws a dashboard. */
  readonly live?: true;
  /** File that shows it; then it is also recorded who sent connections where. */
  readonly report?: string;
}

/** A finished run, before it is written. */
interface Finished {
  readonly scenario: ResolvedScenario;
  readonly recording: Recording;
  readonly run: Run;
  readonly end: RunEnd;
  readonly startedAt: Date;
  readonly seconds: number;
}

/**
 * Runs a scenario and writes its results.
 * @throws UserError, ResultsError, Interrupted, InternalFault
 */
export async function runCommand(
  args: RunArguments,
  io: Io,
  dependencies: Dependencies,
): Promise<ExitCodeValue> {
  const scenario = await dependencies.loadScenario(args.file, overridesOf(args));
  io.signal.throwIfAborted();
  const dir = args.out ?? `results/${scenario.name}`;
  const instruments = await instrumentsOf(args, scenario, dependencies);
  await checkResultsFolder(dir);
  if (args.report !== undefined) await dependencies.report.check(args.report, dir);
  if (!args.quiet) tellAssumed(scenario, io);

  const { summary, replay } = await runInto(dir, scenario, args, io, dependencies, instruments);
  for (const instrument of instruments) await writeFiles(instrument, args, io, replay);
  if (!args.quiet) {
    const width = io.stdout.columns ?? 80;
    const colour = wantsColour(io.stdout, io.env);
    const options = { width, colour, resultsDir: dir, replay };
    io.stdout.write(summaryFormats[args.output](viewOf(summary), options));
  }
  if (args.report !== undefined) {
    await tellReport(dir, args.report, args.quiet ? null : io, dependencies);
  }
  if (io.env["GITHUB_ACTIONS"] === "true") annotate(summary, args.file, io);
  const laws = reportLaws(summary, io, replay);
  return laws === ExitCode.done ? reportThresholds(summary, io) : laws;
}

/** @throws UserError, ResultsError for files that cannot be written */
async function instrumentsOf(
  args: RunArguments,
  scenario: ResolvedScenario,
  dependencies: Dependencies,
): Promise<readonly Instrument[]> {
  const instruments = await dependencies.instruments(args, scenario);
  checkFiles(instruments.flatMap(({ paths }) => paths));
  return instruments;
}

/** What an instrument leaves, after a second run where it needs one. */
async function writeFiles(
  instrument: Instrument,
  args: RunArguments,
  io: Io,
  replay: string,
): Promise<void> {
  const progress = new Progress(io, args.quiet);
  const again = instrument.again?.() ?? null;
  try {
    if (again !== null) {
      await runInSlices(again.run, again.untilNs, io, (state) => progress.update(state));
    }
    progress.end();
    for (const path of instrument.paths) await writeFile(path, instrument.content(path), io.signal);
  } catch (error) {
    throw InternalFault.wrap(error, again?.run.nowNs ?? 0, replay, io.signal);
  } finally {
    progress.end();
  }
}

/** Runs a scenario that is loaded, and writes its results to `dir`. @throws as runCommand */
export async function runInto(
  dir: string,
  scenario: ResolvedScenario,
  args: RunArguments,
  io: RunIo,
  dependencies: Pick<Dependencies, "compile" | "version">,
  instruments: readonly Instrument[] = [],
): Promise<{ readonly summary: Summary; readonly replay: string }> {
  const replay = replayOf(args, scenario);
  const finished = await simulate(args, scenario, io, dependencies, replay, instruments);
  const summary = await write(dir, finished, io, dependencies, replay);
  return { summary, replay };
}

export function overridesOf(given: ScenarioOverrides): ScenarioOverrides {
  const { env, seed, duration, thresholds, filename, rates, resets, nodes, zones, traffic } = given;
  return {
    env,
    ...(thresholds !== undefined && { thresholds }),
    ...(seed !== undefined && { seed }),
    ...(duration !== undefined && { duration }),
    ...(filename !== undefined && { filename }),
    ...(rates !== undefined && { rates }),
    ...(resets !== undefined && { resets }),
    ...(nodes !== undefined && { nodes }),
    ...(zones !== undefined && { zones }),
    ...(traffic !== undefined && { traffic }),
  };
}

/** @throws UserError for manifests from stdin, where they would have to be read more than once */
export function refuseStdin({ filename }: ScenarioOverrides, allowed: string): void {
  if (filename?.includes("-") !== true) return;
  const found = "stdin, which can be read once only";
  throw new UserError([optionMistake("-f -", found, allowed)]);
}

/** What nobody said and was assumed is said. */
export function tellAssumed({ assumed = [] }: ResolvedScenario, io: Io): void {
  for (const each of assumed) io.stderr.write(`assumed: ${printable(each)}\n`);
}

function replayOf(args: RunArguments, scenario: ResolvedScenario): string {
  const { file, replication } = args;
  return replayCommand({ ...overridesOf(args), file, seed: scenario.seed, replication });
}

/** What is drawn while the run goes on. */
async function progressOf(
  { live, quiet }: RunArguments,
  scenario: ResolvedScenario,
  io: RunIo,
): Promise<ProgressView> {
  const bar = new Progress(io, quiet, new FailureCount());
  if (live !== true || quiet) return bar;
  const { canDraw, LiveDashboard } = await import("./live/dashboard.ts");
  if (canDraw(io)) return new LiveDashboard(io, scenario);
  return io.stderr.isTTY === true ? bar : new PlainProgress(io);
}

async function simulate(
  args: RunArguments,
  scenario: ResolvedScenario,
  io: RunIo,
  dependencies: Pick<Dependencies, "compile">,
  replay: string,
  instruments: readonly Instrument[],
): Promise<Finished> {
  const recording = new Recording(args.report === undefined ? [] : ["flows", "hopLoad"]);
  const progress = await progressOf(args, scenario, io);
  const startedAt = io.date();
  const startedMs = io.nowMs();
  let run: Run | undefined;
  try {
    const replication = args.replication ?? 0;
    const observers = [...recording.observers, ...progress.observers];
    run = await dependencies.compile(scenario, observers, replication, instruments);
    await runInSlices(run, run.durationNs, io, (state) => progress.update(state));
    const end = run.finish();
    const seconds = (io.nowMs() - startedMs) / 1000;
    return { scenario, recording, run, end, startedAt, seconds };
  } catch (error) {
    throw InternalFault.wrap(error, run?.nowNs ?? 0, replay, io.signal);
  } finally {
    progress.end();
  }
}

async function write(
  dir: string,
  finished: Finished,
  io: RunIo,
  dependencies: Pick<Dependencies, "version">,
  replay: string,
): Promise<Summary> {
  const { scenario, recording, run, end, startedAt, seconds } = finished;
  const { eventsProcessed } = run.sim;
  const { tables, requested, summary } = conclude(scenario, recording, end, run.durationNs);
  const wallClock = {
    startedAt: startedAt.toISOString(),
    seconds,
    eventsPerSecond: seconds > 0 ? Math.round(eventsProcessed / seconds) : 0,
    nodeVersion: process.version,
    platform: `${process.platform} ${process.arch}`,
  };
  const manifestInput = {
    scenario,
    podstormVersion: dependencies.version,
    replay,
    end,
    eventsProcessed,
    wallClock,
  };
  const results = {
    tables,
    requested,
    documents: (digest: Parameters<typeof manifest>[1]) => ({
      "summary.json": summary(digest.fingerprint),
      ...(scenario.drawnFaults === undefined ? {} : { "faults.json": scenario.drawnFaults }),
      "manifest.json": manifest(manifestInput, digest),
    }),
  };
  const digest = await writeResults(dir, results, io.signal);
  return summary(digest.fingerprint);
}

/** What GitHub Actions shows beside the changed files: workflow commands, which it reads from stderr too. */
export function annotate(
  { thresholds, brokenLaws }: Pick<Summary, "thresholds" | "brokenLaws">,
  file: string,
  io: Io,
): void {
  const found = [
    ...brokenLaws.map(({ law, entity, detail }) => ["broken law", `${law}: ${entity}: ${detail}`]),
    ...thresholds.flatMap(({ threshold, passed, figure, unit }) =>
      passed ? [] : [["threshold not kept to", `${threshold}: ${figureText(figure, unit)}`]],
    ),
  ];
  for (const [title = "", message = ""] of found) {
    const properties = `file=${commandText(file, true)},title=${commandText(title, true)}`;
    io.stderr.write(`::error ${properties}::${commandText(message, false)}\n`);
  }
}

/** As @actions/core escapes them. */
function commandText(text: string, isProperty: boolean): string {
  const data = text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
  return isProperty ? data.replaceAll(":", "%3A").replaceAll(",", "%2C") : data;
}

export function reportThresholds(
  { thresholds }: Pick<Summary, "thresholds">,
  io: Io,
): ExitCodeValue {
  const crossed = thresholds.filter(({ passed }) => !passed);
  for (const { threshold, figure, unit } of crossed) {
    const found = figureText(figure, unit);
    io.stderr.write(`threshold not kept to: ${printable(threshold)}: ${found}\n`);
  }
  return crossed.length === 0 ? ExitCode.done : ExitCode.thresholdCrossed;
}

/** The results of a run that broke a law are written, for whoever looks for the fault. */
export function reportLaws(
  summary: Pick<Summary, "brokenLaws">,
  io: Io,
  replay: string,
): ExitCodeValue {
  for (const { law, entity, atNs, detail } of summary.brokenLaws) {
    io.stderr.write(`broken law: ${law}: ${entity} at ${atNs} ns: ${detail}\n`);
  }
  if (summary.brokenLaws.length === 0) return ExitCode.done;
  io.stderr.write(`FAILED: this is a fault in podstorm. To replay it: ${replay}\n`);
  return ExitCode.fault;
}
