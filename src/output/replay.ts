/**
 * The command that repeats a run.
 *
 * Owns: writing it so that a POSIX shell reads back exactly what was given.
 */

export interface Replay extends ReplayOptions {
  /** Path as the user gave it; null for a scenario built in code, which no command repeats. */
  readonly file: string | null;
  readonly seed: string;
}

export interface ReplayOptions {
  /** undefined when the scenario's own holds. */
  readonly seed?: string | undefined;
  /** As given with --duration; undefined when the scenario's own held. */
  readonly duration?: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** Which repetition; undefined for the first. */
  readonly replication?: number | undefined;
  /** As given with --threshold. */
  readonly thresholds?: readonly string[] | undefined;
  /** Manifests instead of a scenario: as given with -f. */
  readonly filename?: readonly string[] | undefined;
  /** As given with --rate, --reset, --nodes and --zones. */
  readonly rates?: readonly string[] | undefined;
  readonly resets?: readonly string[] | undefined;
  readonly nodes?: number | undefined;
  readonly zones?: number | undefined;
  /** As given with --traffic. */
  readonly traffic?: string | undefined;
}

export function replayCommand(replay: Replay): string {
  return shellCommand(["sim", "run", ...subjectWords(replay), ...replayOptions(replay)]);
}

/** What is run, as words of a command line: a scenario, or manifests. */
export function subjectWords({ file, filename }: Pick<Replay, "file" | "filename">): string[] {
  return filename?.flatMap((each) => ["-f", each]) ?? [file ?? "SCENARIO"];
}

/** The options that change a scenario, as words of a command line. */
export function replayOptions(options: ReplayOptions): string[] {
  const { seed, duration, replication = 0, env, thresholds, nodes, zones } = options;
  return [
    ...(seed === undefined ? [] : ["--seed", seed]),
    ...(duration === undefined ? [] : ["--duration", duration]),
    ...(replication === 0 ? [] : ["--replication", String(replication)]),
    ...Object.entries(env).flatMap(([key, value]) => ["-e", `${key}=${value}`]),
    ...(thresholds ?? []).flatMap((text) => ["--threshold", text]),
    ...(options.rates ?? []).flatMap((text) => ["--rate", text]),
    ...(options.resets ?? []).flatMap((text) => ["--reset", text]),
    ...(nodes === undefined ? [] : ["--nodes", String(nodes)]),
    ...(zones === undefined ? [] : ["--zones", String(zones)]),
    ...(options.traffic === undefined ? [] : ["--traffic", options.traffic]),
  ];
}

/** Words as a POSIX shell reads them back. */
export function shellCommand(words: readonly string[]): string {
  return words.map(shellQuoted).join(" ");
}

function shellQuoted(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
