/**
 * The command that repeats a run.
 *
 * Owns: writing it so that a POSIX shell reads back exactly what was given.
 */

export interface Replay {
  /** Path as the user gave it; null for a scenario built in code, which no command repeats. */
  readonly file: string | null;
  readonly seed: string;
  /** As given with --duration; undefined when the scenario's own held. */
  readonly duration?: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** As given with --threshold. */
  readonly thresholds?: readonly string[] | undefined;
}

export function replayCommand(replay: Replay): string {
  const words = ["sim", "run", replay.file ?? "SCENARIO", "--seed", replay.seed];
  if (replay.duration !== undefined) words.push("--duration", replay.duration);
  for (const [key, value] of Object.entries(replay.env)) words.push("-e", `${key}=${value}`);
  for (const text of replay.thresholds ?? []) words.push("--threshold", text);
  return shellCommand(words);
}

/** Words as a POSIX shell reads them back. */
export function shellCommand(words: readonly string[]): string {
  return words.map(shellQuoted).join(" ");
}

function shellQuoted(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
