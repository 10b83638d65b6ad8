/**
 * The first sentences of a summary: what happened, in words.
 *
 * Owns: the wording. Refuses to own: figures (summary.ts) and layout (summary-text.ts).
 */
import type { OutcomeName } from "../observe/index.ts";
import { count, counted, duration, percentage, printable } from "./format.ts";
import type { Summary } from "./summary.ts";

export interface Headline {
  readonly verdict: "good" | "bad" | "neutral";
  /** The verdict first; each ends in a full stop. */
  readonly sentences: readonly string[];
}

/** After a number of requests. */
export const causeInWords: Readonly<Record<Exclude<OutcomeName, "served">, string>> = {
  refused: "refused",
  unreachable: "found no way to the host",
  reset: "reset",
  closed: "closed before the answer",
  timeout: "timed out",
  overloaded: "turned away by a full server",
  no_local_port: "had no free local port",
  misrouted: "reached another application",
  unresolved: "got no address from DNS",
  upstream_failed: "answered by a server whose own call had failed",
};

export function headline(summary: Summary): Headline {
  const sentences = [
    ...broken(summary),
    requestSentence(summary),
    ...dnsSentences(summary),
    ...routingSentences(summary),
  ];
  return { verdict: verdict(summary), sentences };
}

function verdict(summary: Summary): Headline["verdict"] {
  const { brokenLaws, requests } = summary;
  if (brokenLaws.length > 0 || requests.failed > 0) return "bad";
  return requests.served > 0 && queriesTimedOut(summary) === 0 ? "good" : "neutral";
}

function queriesTimedOut({ dns = [] }: Summary): number {
  const counts = dns.flatMap(({ queries }) => queries.filter(({ result }) => result === "timeout"));
  return counts.reduce((all, { count: each }) => all + each, 0);
}

/** Each of them cost its resolver's time-out, though the request may have been served in the end. */
function dnsSentences(summary: Summary): string[] {
  const timedOut = queriesTimedOut(summary);
  if (timedOut === 0) return [];
  const sent = (summary.dns ?? []).reduce((all, { queriesSent }) => all + queriesSent, 0);
  return [`${count(timedOut)} of ${count(sent)} DNS queries timed out.`];
}

function broken({ brokenLaws }: Summary): string[] {
  if (brokenLaws.length === 0) return [];
  const laws =
    brokenLaws.length === 1 ? "a routing law was" : `${brokenLaws.length} routing laws were`;
  return [`FAILED: ${laws} broken. This is a fault in podstorm; do not trust the figures below.`];
}

function requestSentence({ requests }: Summary): string {
  const { ended, failed, inFlight } = requests;
  if (ended === 0) {
    return inFlight === 0
      ? "No request was made."
      : `No request ended; ${counted(inFlight, "request")} still in flight.`;
  }
  if (failed === 0) {
    return ended === 1
      ? "The one request was served."
      : `All ${count(ended)} requests were served.`;
  }
  const causes = requests.byOutcome.flatMap(({ outcome, count: number }) =>
    outcome === "served" ? [] : [`${count(number)} ${causeInWords[outcome]}`],
  );
  const share = percentage(failed, ended);
  return `${count(failed)} of ${count(ended)} requests failed (${share}): ${causes.join(", ")}.`;
}

function routingSentences({ stale, lag }: Summary): string[] {
  const sentences: string[] = [];
  if (stale.longest !== null) {
    const { node, pod, afterNs, atNs } = stale.longest;
    const when =
      afterNs === null ? `at ${duration(atNs)}` : `${duration(afterNs)} after it ceased to be`;
    sentences.push(
      `${count(stale.staleConnections)} of ${counted(stale.connections, "new connection")} went to ` +
        `pods that were no longer usable (not ready, told to go or gone); ${printable(node)} still sent one to ${printable(pod)} ${when}.`,
    );
  } else if (lag.changes > 0 && stale.connections > 0) {
    sentences.push("No new connection went to a pod that was no longer usable.");
  }
  if (lag.slowestRemoval !== null) {
    const { node, lagNs } = lag.slowestRemoval;
    sentences.push(
      `The slowest node to drop an endpoint, ${printable(node)}, took ${duration(lagNs)}.`,
    );
  }
  return sentences;
}
