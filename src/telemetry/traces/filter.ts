/**
 * `--trace-filter`: which requests a trace may show.
 *
 * Owns: the words and what each means. Several filters all have to hold.
 */
import type { DurationNs, SimTimeNs } from "../../engine/index.ts";
import { Outcome, outcomeNames, type OutcomeCode } from "../../observe/index.ts";
import { nearest, optionMistake, type Mistake } from "../../scenario/mistakes.ts";
import { parseDuration } from "../../scenario/units.ts";

/** A request that has ended. */
export interface EndedRequest {
  /** In order of arrival over all clients, from 0: as failed_requests.csv has it. */
  readonly number: number;
  readonly client: string;
  /** "namespace/name". */
  readonly service: string;
  readonly outcome: OutcomeCode;
  readonly startedAtNs: SimTimeNs;
  readonly endedAtNs: SimTimeNs;
  readonly attempts: number;
  /** Its last try went over a connection to an endpoint that was no longer usable. */
  readonly isStale: boolean;
}

export type RequestFilter = (request: EndedRequest) => boolean;

const words: Readonly<Record<string, RequestFilter>> = {
  failed: ({ outcome }) => outcome !== Outcome.served,
  retried: ({ attempts }) => attempts > 1,
  stale: ({ isStale }) => isStale,
  ...Object.fromEntries(
    outcomeNames.map((name) => [name, ({ outcome }: EndedRequest) => outcome === Outcome[name]]),
  ),
};

const comparisons: Readonly<Record<string, (text: string) => RequestFilter | string>> = {
  "slow>": (text) =>
    withDuration(
      text,
      (limitNs) =>
        ({ startedAtNs, endedAtNs }) =>
          endedAtNs - startedAtNs > limitNs,
    ),
  "since=": (text) =>
    withDuration(
      text,
      (sinceNs) =>
        ({ endedAtNs }) =>
          endedAtNs >= sinceNs,
    ),
  "until=": (text) =>
    withDuration(
      text,
      (untilNs) =>
        ({ startedAtNs }) =>
          startedAtNs <= untilNs,
    ),
  "client=": (text) => (text === "" ? "a name is missing" : ({ client }) => client === text),
  "service=": (text) => {
    const whole = text.includes("/") ? text : `default/${text}`;
    return text === "" ? "a name is missing" : ({ service }) => service === whole;
  },
  "request=": (text) =>
    /^\d{1,15}$/.test(text) ? ({ number }) => number === Number(text) : "not a whole number",
};

export const FILTER_ALLOWED = `${[...Object.keys(words), ...Object.keys(comparisons).map((each) => `${each}...`)].join(", ")}`;

/** @param texts as typed; what is wrong with them goes to `mistakes` */
export function requestFilter(texts: readonly string[], mistakes: Mistake[]): RequestFilter {
  const filters = texts.map((text) => parsed(text, mistakes));
  return (request) => filters.every((filter) => filter(request));
}

function parsed(text: string, mistakes: Mistake[]): RequestFilter {
  const word = Object.hasOwn(words, text) ? words[text] : undefined;
  if (word !== undefined) return word;
  const start = Object.keys(comparisons).find((each) => text.startsWith(each));
  const found = start === undefined ? null : comparisons[start]!(text.slice(start.length));
  if (typeof found === "function") return found;
  const shown = JSON.stringify(text.slice(0, 80));
  const problem = found === null ? shown : `${shown} (${found})`;
  const meant = found === null ? nearest(text, Object.keys(words)) : null;
  mistakes.push(optionMistake("--trace-filter", problem, FILTER_ALLOWED, meant));
  return () => false;
}

function withDuration(
  text: string,
  make: (durationNs: DurationNs) => RequestFilter,
): RequestFilter | string {
  const duration = parseDuration(text);
  return "problem" in duration ? duration.problem : make(duration.value);
}
