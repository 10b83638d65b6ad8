/**
 * Options that several commands have, and how their values are read.
 *
 * Owns: what they are called and what is refused at once. Refuses to own: the commands (commands/).
 */
import { InvalidArgumentError, Option, type Command } from "commander";
import { DURATION_ALLOWED, parseDuration } from "../scenario/units.ts";

export interface ScenarioOptions {
  readonly seed?: string;
  readonly duration?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly filename?: readonly string[];
  readonly rate?: readonly string[];
  readonly reset?: readonly string[];
  readonly nodes?: number;
  readonly zones?: number;
  readonly traffic?: string;
  readonly timeout?: number;
}

export const TRAFFIC =
  "measured traffic: k6 options, CSV of timestamp,rps, Prometheus range JSON, or an access log of nginx or Envoy";

/** The first format is the one without the option. */
export function outputOption(description: string, formats: readonly string[]): Option {
  return new Option("-o, --output <format>", description).choices(formats).default(formats[0]);
}

/** A command about a scenario, with the options that change it. */
export function scenarioCommand(program: Command, name: string): Command {
  const command = program.command(name).argument("[file]", "scenario: a TypeScript file");
  return scenarioOptions(manifestsOption(command));
}

/** Manifests in place of a scenario. */
export function manifestsOption(command: Command): Command {
  return command.option(
    "-f, --filename <path>",
    "instead of a scenario: manifests, as a file, a folder or - for stdin; may be repeated",
    gathered,
  );
}

/** The options that change a scenario. */
export function scenarioOptions(command: Command): Command {
  command
    .option("--seed <n>", "seed of every random draw, instead of the scenario's", nonEmpty)
    .option(
      "--duration <d>",
      'simulated time, as "90s" or "5m", instead of the scenario\'s',
      nonEmpty,
    )
    .option("-e, --env <key=value>", "a value that the scenario reads; may be repeated", keyValue)
    .option("--rate <n>", "requests per second, as 500, or of one client, as web=500", gathered)
    .option(
      "--reset <workload>",
      "reset pods of a workload, as deploy/web or deploy/web,how=sigkill,at=20s,count=1",
      gathered,
    )
    .option("--traffic <file>", TRAFFIC, nonEmpty)
    .option("--nodes <n>", "nodes, instead of the scenario's", wholeNumber(1, 15_000))
    .option("--zones <n>", "zones, instead of the scenario's", wholeNumber(1, 1000));
  return timeoutOption(command);
}

/** It is seen before the command's own action (program.ts). */
export function timeoutOption(command: Command): Command {
  return command.option(
    "--timeout <d>",
    'give up after so much time by the clock on the wall, as "5m"',
    wallMs,
  );
}

/** Files for other tools. */
export function instrumentOptions(command: Command): Command {
  return command
    .option(
      "--metrics <file>",
      "write OpenMetrics, as a Prometheus would have scraped the run",
      nonEmpty,
    )
    .option(
      "--metrics-every <d>",
      "from one scrape to the next (default: the metrics window)",
      nonEmpty,
    )
    .option(
      "--trace <file>",
      "write a sample of requests as spans: for Perfetto, or OTLP if it ends in .otlp.json; may be repeated",
      gathered,
    )
    .option(
      "--trace-filter <f>",
      "of these requests: failed, slow>100ms, client=web, refused, ...; may be repeated, all have to hold",
      gathered,
    )
    .option("--trace-limit <n>", "so many at most (default: 1000)", wholeNumber(1, 100_000))
    .option(
      "--pcap <interface=file>",
      "write what a capture there would hold, as node-1:eth0=out.pcap; may be repeated",
      gathered,
    );
}

/** What a command is about, and what changes it. */
export function subjectOf<T extends ScenarioOptions>(
  file: string | undefined,
  { filename, ...options }: T,
  command: Command,
) {
  if (file === undefined && filename === undefined) {
    command.error("error: missing required argument 'file': a scenario, or -f with manifests");
  }
  if (file !== undefined && filename !== undefined) {
    command.error("error: a scenario and -f: one of the two");
  }
  return {
    ...changesOf(options),
    file: file ?? filename!.join(" "),
    ...(filename !== undefined && { filename }),
  };
}

/** What changes a scenario, as loading calls it. */
export function changesOf<T extends Omit<ScenarioOptions, "filename">>({
  env = {},
  rate,
  reset,
  ...rest
}: T) {
  return {
    ...rest,
    env,
    ...(rate !== undefined && { rates: rate }),
    ...(reset !== undefined && { resets: reset }),
  };
}

export function nonEmpty(value: string): string {
  if (value === "") throw new InvalidArgumentError("It is empty.");
  return value;
}

export function wholeNumber(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (/^\d+$/.test(value) && number >= least && number <= most) return number;
    throw new InvalidArgumentError(`Allowed: a whole number from ${least} to ${most}.`);
  };
}

export function positiveNumber(most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (/^\d+(\.\d+)?$/.test(value) && number > 0 && number <= most) return number;
    throw new InvalidArgumentError(`Allowed: a number above 0, up to ${most}.`);
  };
}

/** "99.9%", or 0.999. */
export function aShare(value: string): number {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(value);
  const share = match === null ? NaN : Number(match[1]) / (match[2] === "%" ? 100 : 1);
  if (share > 0 && share < 1) return share;
  throw new InvalidArgumentError("Allowed: between 0% and 100%, as 99.9%.");
}

/** A duration, in milliseconds of wall time. */
function wallMs(text: string): number {
  const parsed = parseDuration(text);
  if ("problem" in parsed)
    throw new InvalidArgumentError(`${parsed.problem}. Allowed: ${DURATION_ALLOWED}.`);
  const limitMs = parsed.value / 1e6;
  if (limitMs >= 1 && limitMs <= LONGEST_TIMER_MS) return limitMs;
  throw new InvalidArgumentError("Allowed: from 1ms to 24 days.");
}

/** What setTimeout can wait: 2^31 - 1 ms. */
const LONGEST_TIMER_MS = 2_147_483_647 - 1000;

/** One of a list, gathered: commander's own check is for options that are given once. */
export function oneOf<T extends string>(
  allowed: readonly T[],
): (value: string, earlier?: readonly T[]) => readonly T[] {
  return (value, earlier = []) => {
    const found = allowed.find((each) => each === value);
    if (found !== undefined) return earlier.includes(found) ? earlier : [...earlier, found];
    throw new InvalidArgumentError(`Allowed choices are ${allowed.join(", ")}.`);
  };
}

export function gathered(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}

export function keyValue(
  value: string,
  earlier: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const equals = value.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError("Allowed: KEY=VALUE.");
  // Through entries, so that a key such as __proto__ is only ever a key.
  const entries = Object.entries(earlier);
  return Object.fromEntries([...entries, [value.slice(0, equals), value.slice(equals + 1)]]);
}
