/** A cluster with DNS, run to its end: every lookup and query of its clients, and their requests. */
import {
  lookupResultNames,
  outcomeNames,
  queryResultNames,
} from "../../src/observe/observations.ts";
import type { BrokenLaw } from "../../src/observe/report.ts";
import { compile, type Run } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles } from "../scenario/files.ts";

export interface Timed {
  readonly result: string;
  readonly startNs: number;
  readonly endNs: number;
}

export interface DnsRun {
  readonly run: Run;
  readonly lookups: readonly Timed[];
  readonly queries: readonly Timed[];
  readonly requests: readonly (Timed & { readonly stale: number })[];
  readonly lookupsStarted: number;
  readonly queriesSent: number;
  /** Connections that clients made by an address from DNS: to endpoints, and those to ones that had gone. */
  readonly dialled: { readonly all: number; readonly stale: number };
  readonly brokenLaws: readonly BrokenLaw[];
  readonly drops: Readonly<Record<string, number>>;
}

/**
 * @param fields of the scenario, without `duration`
 * @param manifest read as web.yaml where the fields name it
 * @param meddle is handed the run before it begins
 */
export async function runDns(
  fields: string,
  duration = "20s",
  manifest = "",
  meddle: (run: Run) => void = () => {},
): Promise<DnsRun> {
  const text = `import { dnsOutage, lookup, openLoop, pods, resetPods } from "podstorm";
export default { duration: "${duration}", ${fields} } as any;`;
  const files = { "scenario.ts": text, "web.yaml": manifest };
  const scenario = await loadFiles(files, { profile: defaultProfile });
  const lookups: Timed[] = [];
  const queries: Timed[] = [];
  const requests: (Timed & { stale: number })[] = [];
  const begun = { lookups: 0, queries: 0 };
  const dialled = { all: 0, stale: 0 };
  const run = compile(scenario, [
    {
      lookupStarted: () => void begun.lookups++,
      lookupEnded: (_client, result, startNs, endNs) =>
        void lookups.push({ result: lookupResultNames[result]!, startNs, endNs }),
      dnsQuerySent: () => void begun.queries++,
      dnsQueryEnded: (_client, result, startNs, endNs) =>
        void queries.push({ result: queryResultNames[result]!, startNs, endNs }),
      connectionDialled: (_node, _endpoint, _atNs, stale) => {
        dialled.all++;
        dialled.stale += stale;
      },
      requestEnded: (_client, _service, outcome, startNs, endNs, _attempts, stale) =>
        void requests.push({ result: outcomeNames[outcome]!, startNs, endNs, stale }),
    },
  ]);
  meddle(run);
  run.runUntil(scenario.durationNs);
  const drops: Record<string, number> = {};
  for (const causes of run.transport.network.drops.values()) {
    for (const [cause, count] of causes) drops[cause] = (drops[cause] ?? 0) + count;
  }
  const { brokenLaws } = run.finish();
  const sums = { dialled, lookupsStarted: begun.lookups, queriesSent: begun.queries };
  return { run, lookups, queries, requests, ...sums, drops, brokenLaws };
}

export function results(all: readonly Timed[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { result } of all) found[result] = (found[result] ?? 0) + 1;
  return found;
}
