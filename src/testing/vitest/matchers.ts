/**
 * What a run is expected to do, as functions that say whether it did and, if not, what it did instead.
 *
 * Owns: the matchers' meaning and their messages. Refuses to own: how Vitest calls them (index.ts).
 */
import { duration as durationText } from "../../output/format.ts";
import { ReplicationsResult, RunResult } from "../../library/result.ts";
import { parseDuration } from "../../scenario/units.ts";
import type { Duration } from "../../scenario/language/scenario.ts";

export interface Judgement {
  readonly pass: boolean;
  readonly message: () => string;
}

/** null: it did. Else what it did instead. */
type Complaint = string | null;

const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;

/** @throws TypeError for what is no result of `run` or `runReplications` */
function judge(received: unknown, wish: string, complaintOf: (run: RunResult) => Complaint) {
  const runs = runsOf(received);
  for (const [index, run] of runs.entries()) {
    const complaint = complaintOf(run);
    if (complaint === null) continue;
    const which = runs.length === 1 ? "" : `replication ${index}: `;
    const replay = run.replay === null ? "" : `\nTo replay it: ${run.replay}`;
    const message = () => `expected ${wish}; ${which}${complaint}${replay}`;
    return { pass: false, message };
  }
  return { pass: true, message: () => `expected not ${wish}` };
}

function runsOf(received: unknown): readonly RunResult[] {
  if (received instanceof RunResult) return [received];
  if (received instanceof ReplicationsResult) return received.runs;
  throw new TypeError(
    "expect() wants what run() or runReplications() resolves to; is there an await?",
  );
}

function nanoseconds(text: string): number {
  const parsed = parseDuration(text);
  if ("value" in parsed) return parsed.value;
  throw new TypeError(`${JSON.stringify(text)} is no duration: ${parsed.problem}`);
}

export function toLoseAtMost(received: unknown, share: number): Judgement {
  if (!(share >= 0 && share <= 1)) throw new TypeError(`${share} is no share: from 0 to 1`);
  const wish = share === 0 ? "to lose no request" : `to lose at most ${percent(share)} of requests`;
  return judge(received, wish, ({ requests }) => {
    const { ended, failed, byOutcome } = requests;
    if (ended === 0) return "no request ended";
    if (failed <= share * ended) return null;
    const causes = byOutcome
      .filter(({ outcome }) => outcome !== "served")
      .map(({ outcome, count }) => `${count} ${outcome}`);
    return `${failed} of ${ended} failed: ${causes.join(", ")}`;
  });
}

export function toConvergeWithin(received: unknown, limit: Duration): Judgement {
  const limitNs = nanoseconds(limit);
  return judge(received, `every node to follow each change within ${limit}`, ({ summary }) => {
    const { changes, pending, convergence } = summary.lag;
    if (changes === 0) return "no endpoint changed";
    if (pending > 0) return `${pending} changes were not programmed by a node when the run ended`;
    const all = convergence.find(({ share }) => share === 1);
    const worstNs = all?.maxNs ?? null;
    if (worstNs === null) return "no change reached every node";
    return worstNs <= limitNs ? null : `the slowest change took ${durationText(worstNs)}`;
  });
}

/** @param percentile above 0 and at most 100 */
export function toAnswerWithin(
  received: unknown,
  limit: Duration,
  { percentile = 99 }: { readonly percentile?: number } = {},
): Judgement {
  const limitNs = nanoseconds(limit);
  const figure = `request_duration.p(${percentile})`;
  return judge(received, `p(${percentile}) of answers within ${limit}`, (run) => {
    const foundNs = run.figure(figure);
    if (foundNs === null) return "no request was served";
    return foundNs <= limitNs ? null : `it is ${durationText(foundNs)}`;
  });
}

export function toKeepTo(received: unknown, threshold: string): Judgement {
  return judge(received, `to keep to ${threshold}`, (run) => {
    const { passed, figure } = run.judge(threshold);
    if (passed) return null;
    return figure === null ? "nothing of that happened" : `the figure is ${figure}`;
  });
}

export function toSpreadLoadWithin(received: unknown, maxOverMean: number): Judgement {
  const wish = `no endpoint to bear more than ${maxOverMean} times its part`;
  return judge(received, wish, ({ summary }) => {
    const loaded = summary.skew.filter((each) => each.maxOverMean !== null);
    if (loaded.length === 0) return "no endpoint was asked";
    const over = loaded.find((each) => each.maxOverMean! > maxOverMean);
    if (over === undefined) return null;
    return `${over.service}: ${over.maxOverMean!.toFixed(2)} times, on average over its windows`;
  });
}

export function toOpenNoStaleConnections(received: unknown): Judgement {
  return judge(received, "no connection to an endpoint that was gone", ({ summary }) => {
    const { connections, staleConnections, longest } = summary.stale;
    if (connections === 0) return "no connection was opened";
    if (staleConnections === 0) return null;
    const last = longest === null ? "" : `, one by ${longest.node} to ${longest.pod}`;
    const after =
      longest?.afterNs == null ? "" : `, ${durationText(longest.afterNs)} after it went`;
    return `${staleConnections} of ${connections} were${last}${after}`;
  });
}

export function toKeepTheLaws(received: unknown): Judgement {
  return judge(received, "no routing law to be broken", ({ brokenLaws: [first] }) => {
    if (first === undefined) return null;
    return `${first.law}: ${first.entity} at ${first.atNs} ns: ${first.detail}`;
  });
}
