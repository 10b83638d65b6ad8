/**
 * `sim run --replications N`: the same experiment with other draws, several times, and intervals of its figures.
 *
 * Owns: the order of steps and the results folder of the whole. Refuses to own: threads (threads.ts) and one
 * replication (run.ts).
 */
import { mkdir, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import {
  checkResultsFolder,
  combine,
  partialPath,
  replayOptions,
  replicationsManifest,
  replicationTables,
  shellCommand,
  subjectWords,
  summaryFormats,
  type Summary,
  viewOfReplications,
  writeResults,
} from "../output/index.ts";
import { optionMistake, UserError } from "../scenario/mistakes.ts";
import type { ResolvedScenario } from "../scenario/resolved.ts";
import type { Dependencies, ScenarioOverrides } from "./dependencies.ts";
import { ExitCode, wantsColour, type ExitCodeValue, type Io } from "./io.ts";
import {
  annotate,
  overridesOf,
  refuseStdin,
  reportLaws,
  reportThresholds,
  tellAssumed,
  type RunArguments,
} from "./run.ts";

export interface ReplicationsArguments extends RunArguments {
  /** 2 or more. */
  readonly replications: number;
  /** Threads; undefined: one for each core. */
  readonly jobs?: number;
}

/** @throws UserError, ResultsError, Interrupted, InternalFault */
export async function replicationsCommand(
  args: ReplicationsArguments,
  io: Io,
  dependencies: Dependencies,
): Promise<ExitCodeValue> {
  const { file, replications, jobs = availableParallelism() } = args;
  // stdin is read once; each thread would have to.
  refuseStdin(args, "a file, with --replications");
  refuseInstruments(args);
  const overrides = overridesOf(args);
  const prepared = prepare(args, overrides, io, dependencies);
  const folder = prepared.then((made) => made.folder);
  // Where the threads fail first, nobody waits for it.
  folder.catch(() => {});
  const request = { file, overrides, replications, jobs, folder };
  try {
    const summaries = await dependencies.replicate(request, io.signal, counter(io, args));
    return await conclude(args, summaries, await prepared, io, dependencies);
  } finally {
    const made = await prepared.catch(() => null);
    if (made !== null) await rm(made.folder, { recursive: true, force: true });
  }
}

interface Prepared {
  readonly scenario: ResolvedScenario;
  readonly dir: string;
  /** Beside `dir`, so that the replications' folders can be renamed into it. */
  readonly folder: string;
}

/** What can be wrong is found before the first replication; the threads start meanwhile. */
async function prepare(
  args: ReplicationsArguments,
  overrides: ScenarioOverrides,
  io: Io,
  dependencies: Dependencies,
): Promise<Prepared> {
  const scenario = await dependencies.loadScenario(args.file, overrides);
  io.signal.throwIfAborted();
  const dir = args.out ?? `results/${scenario.name}`;
  await checkResultsFolder(dir);
  if (!args.quiet) tellAssumed(scenario, io);
  const folder = partialPath(resolve(dir));
  await mkdir(folder, { recursive: true });
  return { scenario, dir, folder };
}

/** Writes what the replications come to, and says it. */
async function conclude(
  args: ReplicationsArguments,
  summaries: readonly Summary[],
  { scenario, dir, folder }: Prepared,
  io: Io,
  dependencies: Dependencies,
): Promise<ExitCodeValue> {
  const combined = combine(summaries);
  const options = { ...args, seed: scenario.seed };
  const words = ["sim", "run", ...subjectWords(args), ...replayOptions(options)];
  const replay = shellCommand([...words, "--replications", String(args.replications)]);
  const manifest = replicationsManifest(combined, replay, dependencies.version);
  const { fingerprint } = await writeResults(
    dir,
    {
      tables: replicationTables(summaries, combined),
      folders: summaries.map((_, i) => join(folder, `replication-${i}`)),
      documents: (digest) => ({ "summary.json": combined, "manifest.json": manifest(digest) }),
    },
    io.signal,
  );
  if (!args.quiet) {
    const view = viewOfReplications(combined, summaries, fingerprint);
    const width = io.stdout.columns ?? 80;
    const colour = wantsColour(io.stdout, io.env);
    io.stdout.write(summaryFormats[args.output](view, { width, colour, resultsDir: dir, replay }));
  }
  const brokenLaws = summaries.flatMap((summary) => summary.brokenLaws);
  const judged = { thresholds: combined.thresholds, brokenLaws };
  if (io.env["GITHUB_ACTIONS"] === "true") annotate(judged, args.file, io);
  const laws = reportLaws(judged, io, replay);
  return laws === ExitCode.done ? reportThresholds(judged, io) : laws;
}

/** @throws UserError for what belongs to a single run: here the files would be written over each other */
function refuseInstruments(args: ReplicationsArguments): void {
  const { metrics, trace, pcap, report, live } = args;
  const files = {
    "--metrics": metrics,
    "--trace": trace,
    "--pcap": pcap,
    "--report": report,
    "--live": live,
  };
  const asked = Object.entries(files).filter(([, path]) => path !== undefined);
  if (asked.length === 0) return;
  const allowed = "one of them, with --replication I instead of --replications";
  throw new UserError(asked.map(([name]) => optionMistake(name, "several runs", allowed)));
}

/** One line on a terminal, which counts. */
function counter(io: Io, { quiet, replications }: ReplicationsArguments): () => void {
  let done = 0;
  return () => {
    done++;
    if (quiet || io.stderr.isTTY !== true) return;
    const line = done < replications ? `${done} of ${replications} replications` : "";
    io.stderr.write(`\r${line}\u001B[K`);
  };
}
