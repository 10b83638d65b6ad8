/**
 * The summary of a run as data: summary.json, and what the terminal's summary is drawn from.
 *
 * Owns: turning totals into the figures that people act on. Pure: the same run gives the same summary,
 * with no wall-clock fact and no path in it. Refuses to own: drawing it (summary-text.ts).
 */
import type { DurationNs } from "../engine/index.ts";
import type { BrokenLaw, OutcomeName, RunEnd, RunTotals } from "../observe/index.ts";
import type { ThresholdResult } from "./thresholds.ts";

export interface OutcomeCount {
  readonly outcome: OutcomeName;
  readonly count: number;
  /** Of the requests that ended, 0..1. */
  readonly share: number;
}

export interface IgnoredObject {
  readonly object: string;
  /** "file:line". */
  readonly place: string;
  readonly reason: string;
}

export interface Summary extends RunTotals {
  readonly scenario: string;
  readonly seed: string;
  readonly durationNs: DurationNs;
  readonly requests: {
    readonly started: number;
    readonly ended: number;
    readonly inFlight: number;
    readonly served: number;
    readonly failed: number;
    /** Those that occurred; served first, then causes of failure by count. */
    readonly byOutcome: readonly OutcomeCount[];
    readonly retries: number;
    readonly staleRouted: number;
    readonly staleRoutedFailed: number;
  };
  readonly brokenLaws: readonly BrokenLaw[];
  /** In the order of the scenario, then of the command. */
  readonly thresholds: readonly ThresholdResult[];
  /** Objects of the manifests that have no effect, each with the reason. */
  readonly ignored: readonly IgnoredObject[];
  readonly fingerprints: { readonly events: string; readonly results: string };
}

export interface SummaryInput {
  readonly scenario: string;
  readonly seed: string;
  /** Simulated time that was run. */
  readonly durationNs: DurationNs;
  readonly totals: RunTotals;
  readonly thresholds: readonly ThresholdResult[];
  readonly ignored: readonly IgnoredObject[];
  readonly end: RunEnd;
  readonly resultsFingerprint: string;
}

export function summarise(input: SummaryInput): Summary {
  const { totals, end } = input;
  // What a server asks others is part of the request that it answers.
  const clients = totals.clients.filter(({ isCall }) => isCall !== true);
  const byOutcome = outcomes(clients);
  const started = sum(clients.map((client) => client.started));
  const ended = sum(byOutcome.map(({ count }) => count));
  const served = byOutcome.find(({ outcome }) => outcome === "served")?.count ?? 0;
  return {
    scenario: input.scenario,
    seed: input.seed,
    durationNs: input.durationNs,
    requests: {
      started,
      ended,
      inFlight: started - ended,
      served,
      failed: ended - served,
      byOutcome,
      retries: sum(clients.map((client) => client.retries)),
      staleRouted: sum(clients.map((client) => client.staleRouted)),
      staleRoutedFailed: sum(clients.map((client) => client.staleRoutedFailed)),
    },
    ...totals,
    brokenLaws: end.brokenLaws,
    thresholds: input.thresholds,
    ignored: input.ignored,
    fingerprints: { events: end.eventFingerprint, results: input.resultsFingerprint },
  };
}

function outcomes(clients: RunTotals["clients"]): OutcomeCount[] {
  const counts = new Map<OutcomeName, number>();
  for (const { byOutcome } of clients) {
    for (const { outcome, count } of byOutcome) {
      counts.set(outcome, (counts.get(outcome) ?? 0) + count);
    }
  }
  const ended = sum([...counts.values()]);
  return [...counts]
    .filter(([, count]) => count > 0)
    .map(([outcome, count]) => ({ outcome, count, share: count / ended }))
    .sort(
      (a, b) =>
        Number(b.outcome === "served") - Number(a.outcome === "served") || b.count - a.count,
    );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
