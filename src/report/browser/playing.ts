/**
 * What a replay looks things up in, made once.
 *
 * Owns: connections and rates by bin, the instants at which anything changes, and the one to begin with.
 */
import { Beliefs } from "../belief.ts";
import type { Report } from "../model.ts";
import { flowsByBin, type Flow } from "./scene/flows.ts";
import { Links } from "./scene/links.ts";

export interface Playing {
  readonly cluster: Report["cluster"];
  readonly beliefs: Beliefs;
  readonly flows: readonly (readonly Flow[])[];
  readonly rates: readonly (readonly number[])[];
  readonly links: Links;
  readonly times: readonly number[];
}

export function playingOf(report: Report): Playing {
  const { cluster, load } = report;
  const beliefs = new Beliefs(cluster);
  const rates = load.bins.startNs.map(() => cluster.services.map(() => 0));
  const { bin, service, connections } = cluster.flows;
  for (const [i, each] of bin.entries()) {
    rates[each]![service[i]!]! += connections[i]! / ((load.bins.lengthNs[each] ?? 1) / 1e9);
  }
  const times = [...new Set(beliefs.timesNs)].filter((ns) => ns <= report.durationNs);
  return {
    cluster,
    beliefs,
    flows: flowsByBin(report),
    rates,
    links: new Links(load, cluster.nodes.length),
    times,
  };
}

/** When most is wrong: what a report is opened for. */
export function worstOf({ cluster, times }: Playing): number {
  const beliefs = new Beliefs(cluster);
  let [worst, most] = [times[0] ?? 0, 0];
  for (const ns of times) {
    beliefs.seek(ns);
    const wrong = beliefs.stale.reduce((sum, each) => sum + each, 0);
    if (wrong > most) [worst, most] = [ns, wrong];
  }
  return worst;
}

export function binAt({ startNs }: Report["load"]["bins"], atNs: number): number {
  const width = startNs.length > 1 ? startNs[1]! : Infinity;
  return Math.min(startNs.length - 1, Math.floor(atNs / width));
}
