/**
 * From a results folder to what a report shows.
 *
 * Owns: the order of reading, and saying what is shown less finely than the results have it. Pure but for reading:
 * the same folder gives the same report.
 */
import { allMetricsFiles } from "../observe/index.ts";
import { count } from "../output/index.ts";
import { binsOf } from "./bins.ts";
import {
  clusterOf,
  Endpoints,
  groupSize,
  PODS_MAX,
  readChanges,
  readLives,
  readNodes,
} from "./cluster.ts";
import { failuresOf, readFailures, readStages } from "./failures.ts";
import { readFlows } from "./flows.ts";
import { openFolder, type ResultsFolder } from "./folder.ts";
import { readTracks } from "./hopTracks.ts";
import { lagOf } from "./lag.ts";
import { arrivals, HOPS_MAX, readEndpointLoad, readHops, readSkew, worstHops } from "./load.ts";
import { readMarks } from "./marks.ts";
import type { Bins, ClusterModel, FailureModel, Report } from "./model.ts";
import { readTraffic } from "./traffic.ts";
import { figureTables, verdictOf } from "./verdict.ts";

const BINS_MAX = 600;

/** @throws ResultsError for a folder that is none of one run */
export async function buildReport(dir: string): Promise<Report> {
  const results = openFolder(dir);
  const { manifest, summary } = results;
  const { durationNs, windowNs } = manifest.parameters;
  const bins = binsOf(durationNs, windowNs, BINS_MAX);
  const traffic = await readTraffic(results, bins);
  const { cluster, parts, load, lag, pods } = await readCluster(results);
  const failures = await readAllFailures(results, parts);
  return {
    scenario: manifest.scenario,
    description: manifest.description,
    seed: manifest.seed,
    durationNs,
    windowNs,
    versions: {
      podstorm: manifest.versions.podstorm,
      kubernetes: manifest.versions.kubernetes,
    },
    fingerprints: manifest.fingerprints,
    replay: manifest.replay,
    verdict: verdictOf(summary, failures),
    sections: figureTables(summary),
    bins,
    ...traffic,
    marks: await readMarks(results, durationNs),
    cluster,
    lag,
    load,
    failures,
    definitions: definitions(),
    ignored: manifest.ignored.map(({ object, place, reason }) => `${object} (${place}): ${reason}`),
    notModelled: manifest.notModelled,
    aggregated: aggregated(bins, load.bins, cluster, failures, {
      changes: parts.changes.atNs.length,
      columns: lag.columns.length,
      endpoints: parts.endpoints.list.length,
      shown: load.endpoint.length,
      hops: parts.hops.length,
      services: summary.skew.length,
      skew: load.skew.length,
      pods,
    }),
  };
}

async function readCluster(results: ResultsFolder) {
  const endpoints = new Endpoints();
  const nodes = await readNodes(results);
  const changes = await readChanges(results, endpoints, nodes);
  const rows = await readEndpointLoad(results, endpoints);
  const hops = await readHops(results);
  const lives = await readLives(results);
  const size = groupSize(nodes.list.length, changes.atNs.length);
  const clients = results.manifest.parameters.clients.map(({ name }) => name);
  const parts = { nodes, endpoints, changes, hops, lives, size, clients };
  const cluster = clusterOf(parts);
  const { bins } = rows.load;
  const flows =
    (await readFlows(results, { bins, nodes, size, services: endpoints.services })) ??
    arrivals(rows, cluster.endpoints);
  const lag = lagOf(
    changes,
    endpoints,
    cluster.changes.lagNs,
    cluster.nodes.length,
    results.summary,
  );
  const skew = await readSkew(results, endpoints, bins);
  const drops = results.summary.drops.map(({ cause, packets, worstHop }) => ({
    cause,
    packets,
    worstHop,
  }));
  const worst = worstHops(hops);
  const tracks = await readTracks(results, { bins, nodes, size, hops, worst });
  const load = { ...rows.load, skew, hops: worst, tracks, drops };
  const pods = cluster.pods.slice(0, PODS_MAX);
  return { parts, load, lag, pods: cluster.pods.length, cluster: { ...cluster, pods, flows } };
}

async function readAllFailures(
  results: ResultsFolder,
  parts: Parameters<typeof clusterOf>[0],
): Promise<FailureModel> {
  const rows = await readFailures(results, parts.changes, parts.endpoints);
  const stages = await readStages(results, parts, rows);
  return failuresOf(results, rows, { ...parts, stages });
}

/** What every column means, as docs/metrics.md has it. */
function definitions(): Record<string, string> {
  return Object.fromEntries(
    allMetricsFiles.flatMap(({ file, columns }) =>
      columns.map(({ name, meaning }) => [`${file}:${name}`, meaning]),
    ),
  );
}

interface Counts {
  readonly changes: number;
  readonly columns: number;
  readonly endpoints: number;
  readonly shown: number;
  readonly hops: number;
  readonly services: number;
  readonly skew: number;
  readonly pods: number;
}

/** Sentences for whoever reads the figures. */
function aggregated(
  bins: Bins,
  loadBins: Bins,
  { nodes }: ClusterModel,
  { request, total }: FailureModel,
  counts: Counts,
): string[] {
  const said: string[] = [];
  const say = (isSo: boolean, text: string): void => void (isSo && said.push(text));
  const size = nodes[0]?.count ?? 1;
  const { windows } = bins;
  say(
    windows > 1,
    `Traffic: ${windows} metrics windows are one point; of latency quantiles the highest is shown.`,
  );
  say(
    loadBins.windows > 1,
    `Load: ${loadBins.windows} metrics windows are one cell; skew is their mean, weighted by requests.`,
  );
  say(size > 1, `Nodes: ${size} in a row are one; it learns of a change with the last of them.`);
  say(
    counts.columns < counts.changes,
    `Heat map: ${count(counts.changes)} endpoint changes in ${counts.columns} columns, each with its longest lag.`,
  );
  say(
    counts.shown < counts.endpoints,
    `Load per endpoint: the ${count(counts.shown)} busiest of ${count(counts.endpoints)} endpoints.`,
  );
  say(
    counts.skew < counts.services,
    `Skew: the ${counts.skew} Services with the most requests, of ${count(counts.services)}.`,
  );
  say(counts.pods > PODS_MAX, `Pods: ${count(PODS_MAX)} of ${count(counts.pods)} are drawn.`);
  say(counts.hops > HOPS_MAX, `Hops: the ${HOPS_MAX} busiest of ${count(counts.hops)}.`);
  say(
    request.length < total,
    `Failed requests: the first ${count(request.length)} of ${count(total)} one by one.`,
  );
  return said;
}
