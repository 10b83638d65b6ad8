/** What became of the requests of a run, tries included, and where its nodes sent them. */
import { outcomeNames, type Observer } from "../../src/observe/observations.ts";
import type { RunEnd } from "../../src/observe/report.ts";
import { compile, type Run } from "../../src/scenario/compile.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";

export class Tally implements Observer {
  served = 0;
  failed = 0;
  /** Tries that came to nothing, also those that a retry made good. */
  failedTries = 0;
  /** New connections to endpoints that had already gone. */
  staleConnections = 0;
  lastFailureNs = 0;
  readonly causes = new Map<string, number>();

  requestEnded(
    _client: number,
    _service: number,
    outcome: number,
    _startedAtNs: number,
    endedAtNs: number,
    attempts: number,
  ): void {
    this.failedTries += attempts - 1;
    if (outcome === 0) {
      this.served++;
      return;
    }
    this.failedTries++;
    this.failed++;
    this.lastFailureNs = endedAtNs;
    const cause = outcomeNames[outcome]!;
    this.causes.set(cause, (this.causes.get(cause) ?? 0) + 1);
  }

  connectionRouted(_node: number, _endpoint: number, _atNs: number, stale: number): void {
    this.staleConnections += stale;
  }
}

/** Runs a scenario to its end. */
export function tallied(
  scenario: ResolvedScenario,
  observers: readonly Observer[] = [],
): { readonly tally: Tally; readonly run: Run; readonly end: RunEnd } {
  const tally = new Tally();
  const run = compile(scenario, [tally, ...observers]);
  run.runUntil(scenario.durationNs);
  const end = run.finish();
  if (end.brokenLaws.length > 0) throw new Error(JSON.stringify(end.brokenLaws));
  return { tally, run, end };
}
