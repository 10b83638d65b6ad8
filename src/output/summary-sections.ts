/**
 * What a summary says, as titled tables: the same for a terminal, Markdown and whatever else draws them.
 *
 * Owns: the order of what a person wants to know, and its words. Refuses to own: the figures (summary.ts)
 * and the look (summary-text.ts, formats/).
 */
import type { ClientTotals, DurationQuantiles } from "../observe/index.ts";
import { saidOnce } from "../scenario/alike.ts";
import { count, counted, duration, measured, percentage, printable, ratio } from "./format.ts";
import type { Summary } from "./summary.ts";
import type { TextRow } from "./text-table.ts";

/** A titled table: `head` names the columns to the right of the title. */
export interface Section {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly TextRow[];
  readonly notes?: readonly string[];
  readonly alarm?: boolean;
}

/** Those that the run has something to say on. */
export function summarySections(summary: Summary): Section[] {
  const sections = [
    brokenLaws(summary),
    thresholds(summary),
    requests(summary),
    latency(summary),
    calls(summary),
    routes(summary),
    dns(summary),
    faults(summary),
    endpointUpdates(summary),
    lagStages(summary),
    fleet(summary),
    networkProgramming(summary),
    kubeProxy(summary),
    staleRouting(summary),
    skew(summary),
    drops(summary),
    targetChanges(summary),
    failedStarts(summary),
    ignored(summary),
  ];
  return sections.filter((section) => section !== null);
}

function brokenLaws(summary: Summary): Section | null {
  if (summary.brokenLaws.length === 0) return null;
  const rows = summary.brokenLaws.map(({ law, entity, atNs, detail }) => [
    printable(`${law}: ${entity} at ${duration(atNs)} (${atNs} ns): ${detail}`),
  ]);
  return { title: "Broken laws", head: [], rows, alarm: true };
}

/** In k6's manner: a tick or a cross, and the figure beside what was asked for. */
function thresholds(summary: Summary): Section | null {
  if (summary.thresholds.length === 0) return null;
  const rows = summary.thresholds.map(({ threshold, passed, figure, unit }) => [
    `${passed ? "✓" : "✗"} ${printable(threshold)}`,
    figure === null ? "nothing to measure" : measured(figure, unit),
  ]);
  const alarm = summary.thresholds.some(({ passed }) => !passed);
  return { title: "Thresholds", head: [""], rows, alarm };
}

function requests(summary: Summary): Section {
  const clients = summary.clients.filter(({ isCall }) => isCall !== true);
  const rows = clients.flatMap((client) => clientRows(client));
  if (clients.length > 1) {
    const all = summary.requests;
    const byOutcome = all.byOutcome.filter(({ count }) => count > 0);
    rows.unshift(...outcomeRows("all clients", all.started, byOutcome));
  }
  const notes = [];
  if (summary.requests.retries > 0) {
    notes.push(`Clients tried again ${counted(summary.requests.retries, "time")}.`);
  }
  return { title: "Requests", head: ["count", "share"], rows, notes };
}

function clientRows(client: ClientTotals): TextRow[] {
  const byOutcome = [...client.byOutcome].filter(({ count }) => count > 0);
  return outcomeRows(clientName(client), client.started, byOutcome);
}

function outcomeRows(
  name: string,
  started: number,
  byOutcome: readonly { readonly outcome: string; readonly count: number }[],
): TextRow[] {
  const ended = byOutcome.reduce((sum, each) => sum + each.count, 0);
  const rows: TextRow[] = [[name, count(started), ""]];
  for (const { outcome, count: ending } of byOutcome) {
    rows.push([`  ${outcome.replaceAll("_", " ")}`, count(ending), percentage(ending, ended)]);
  }
  if (started > ended) rows.push(["  still in flight at the end", count(started - ended), ""]);
  return rows;
}

function clientName({ client, service }: ClientTotals): string {
  return `${printable(client)} to ${printable(service)}`;
}

const quantileHead = ["p50", "p90", "p99", "max"];

function quantileCells(quantiles: DurationQuantiles | null): string[] {
  if (quantiles === null) return ["-", "-", "-", "-"];
  const { p50Ns, p90Ns, p99Ns, maxNs } = quantiles;
  return [p50Ns, p90Ns, p99Ns, maxNs].map((ns) => duration(ns));
}

function latency(summary: Summary): Section | null {
  const served = summary.clients.filter(
    (client) => client.servedLatency !== null && client.isCall !== true,
  );
  if (served.length === 0) return null;
  const rows = served.map((client) =>
    [clientName(client)].concat(quantileCells(client.servedLatency)),
  );
  return { title: "Latency of served requests", head: quantileHead, rows };
}

/** What servers ask others: each row is a caller and what it calls. */
function calls({ clients }: Summary): Section | null {
  const all = clients.filter(({ isCall }) => isCall === true);
  if (all.length === 0) return null;
  const rows = all.map(({ client, started, byOutcome, servedLatency }) => {
    const ended = byOutcome.reduce((sum, each) => sum + each.count, 0);
    const served = byOutcome.find(({ outcome }) => outcome === "served")?.count ?? 0;
    const [p50 = "-", , p99 = "-"] = quantileCells(servedLatency);
    return [printable(client), count(started), percentage(ended - served, ended), p50, p99];
  });
  return { title: "Calls of servers", head: ["count", "failed", "p50", "p99"], rows };
}

/** Only where connections go to endpoints of Services. */
function routes({ routes: all }: Summary): Section | null {
  const clients = all.filter(({ isCall }) => isCall !== true);
  if (clients.length === 0) return null;
  const hasZones = clients.some(({ toOtherZone }) => toOtherZone !== null);
  const rows = clients.map(
    ({ client, answered, toOtherNode, toOtherZone, masqueraded, sourcesSeen, moved }) => [
      printable(client),
      count(answered),
      percentage(toOtherNode, answered),
      ...(hasZones ? [toOtherZone === null ? "-" : percentage(toOtherZone, answered)] : []),
      percentage(masqueraded, answered),
      count(sourcesSeen),
      percentage(moved, answered),
    ],
  );
  const zoneHead = hasZones ? ["other zone"] : [];
  return {
    title: "Connections",
    head: ["answered", "other node", ...zoneHead, "SNAT", "sources", "moved"],
    rows,
  };
}

function dns({ dns: clients }: Summary): Section | null {
  if (clients === undefined) return null;
  const rows = clients.flatMap((client): TextRow[] => {
    const failed = client.lookups.filter(({ result, count }) => result !== "answered" && count > 0);
    return [
      [
        printable(client.client),
        count(client.lookupsStarted),
        count(client.queriesSent),
        ...quantileCells(client.answeredLatency),
      ],
      ...failed.map((each) => [`  ${each.result.replaceAll("_", " ")}`, count(each.count)]),
      ...client.queries
        .filter((each) => each.count > 0)
        .map((each) => [`  ${each.result.replaceAll("_", " ")}`, "", count(each.count)]),
    ];
  });
  return { title: "DNS", head: ["lookups", "queries", ...quantileHead], rows };
}

function faults(summary: Summary): Section | null {
  if (summary.faults.length === 0) return null;
  const rows = summary.faults.map(({ fault, object, count: times, firstNs, lastNs }) => [
    printable(object === null ? fault.replaceAll("_", " ") : `${fault} ${object}`),
    object === null ? count(times) : "",
    duration(firstNs),
    lastNs === null ? "the end" : duration(lastNs),
  ]);
  return { title: "Faults", head: ["count", "from", "until"], rows };
}

function endpointUpdates({ lag }: Summary): Section | null {
  if (lag.changes === 0) return null;
  const rows: TextRow[] = changedKinds(lag).map((kind) =>
    [`${kind.change}, to each node`, count(kind.changes)].concat(quantileCells(kind.lag)),
  );
  return {
    title: "Endpoint updates",
    head: ["changes", ...quantileHead],
    rows,
    notes: [neverProgrammed(lag)],
  };
}

function changedKinds({ byKind }: Summary["lag"]): Summary["lag"]["byKind"] {
  return byKind.filter(({ changes }) => changes > 0);
}

/** Which step of an update costs: the means add up to the mean lag. */
function lagStages({ lag }: Summary): Section | null {
  const kinds = changedKinds(lag).filter(({ programmed }) => programmed > 0);
  if (kinds.length === 0) return null;
  const means = ({ stages }: (typeof kinds)[number]): (number | null)[] =>
    stages.map(({ meanNs }) => meanNs);
  const columns = kinds.map(means);
  // A stage that nothing took, or that took no time, is no step to look at.
  const shown = kinds[0]!.stages.flatMap(({ stage }, i) =>
    columns.some((column) => (column[i] ?? 0) > 0) ? [{ stage, i }] : [],
  );
  const rows = kinds.map((kind) => {
    const own = means(kind);
    return [kind.change, ...shown.map(({ i }) => duration(own[i] ?? null))];
  });
  return {
    title: "Lag by stage",
    head: shown.map(({ stage }) => stage),
    rows,
    notes: ["Means, which add up to the mean lag."],
  };
}

/** How long after a change a share of all nodes agreed: the median change, and the slowest to reach all of them. */
function fleet({ lag }: Summary): Section | null {
  const kinds = changedKinds(lag);
  if (kinds.length === 0) return null;
  const shares = kinds[0]!.convergence.map(({ share }) => `${Math.round(share * 100)} %`);
  const rows = kinds.map(({ change, convergence }) => [
    change,
    ...convergence.map(({ medianNs }) => duration(medianNs)),
    duration(convergence.at(-1)!.maxNs),
    count(convergence.at(-1)!.reached),
  ]);
  return {
    title: "Nodes agree",
    head: [...shares, "slowest", "reached all"],
    rows,
    notes: [`Medians of changes, until that share of ${counted(lag.nodes, "node")} held one.`],
  };
}

function neverProgrammed({ superseded, pending, nodes, changes }: Summary["lag"]): string {
  const all = `of ${count(nodes * changes)} updates (changes times nodes)`;
  if (superseded + pending === 0) return `Every one ${all} was programmed.`;
  return (
    `Never programmed, ${all}: ${count(superseded)} overtaken by another change of the same ` +
    `endpoint, ${count(pending)} not known to their node at the end.`
  );
}

/** What rules cost: those who write them, and the packets that walk them. */
function kubeProxy({ kubeProxy: own }: Summary): Section | null {
  const rows: TextRow[] = [];
  if (own.syncs > 0) rows.push(["syncs", count(own.syncs), ...quantileCells(own.syncTime)]);
  if (own.firstPackets > 0) {
    const cells = quantileCells(own.walkTime);
    rows.push(["first packets in the rules", count(own.firstPackets), ...cells]);
  }
  if (rows.length === 0) return null;
  const notes: string[] = [];
  if (own.busiest !== null) {
    const { node, share } = own.busiest;
    notes.push(`Most time in syncs: ${percentage(share, 1)} of the run, ${printable(node)}.`);
  }
  if (own.failedSyncs > 0) notes.push(`${counted(own.failedSyncs, "sync")} failed.`);
  return { title: "kube-proxy", head: ["count", ...quantileHead], rows, notes };
}

/** What the SLI is, and what whoever looks at kube-proxy's metric would take it for. */
function networkProgramming({ networkProgrammingLatency: both }: Summary): Section | null {
  if (both === undefined) return null;
  const { sli, kubeProxyMetric } = both;
  const rowOf = (name: string, { samples, p50Ns, p99Ns }: typeof sli): TextRow => [
    name,
    count(samples),
    duration(p50Ns),
    duration(p99Ns),
  ];
  return {
    title: "network_programming_latency",
    head: ["samples", "p50", "p99"],
    rows: [
      rowOf("by the SLI's definition", sli),
      rowOf("as kube-proxy's metric shows it", kubeProxyMetric),
    ],
  };
}

/** Only where connections go to Services. */
function staleRouting({ stale, staleOutcomes, requests }: Summary): Section | null {
  if (stale.connections === 0 && requests.staleRouted === 0) return null;
  return {
    title: "Stale routing",
    head: ["count", "no longer usable", "share", "failed"],
    rows: [
      [
        "new connections",
        count(stale.connections),
        count(stale.staleConnections),
        percentage(stale.staleConnections, stale.connections),
        "",
      ],
      ...staleOutcomes
        .filter((each) => each.count > 0)
        .map(({ outcome, count: of }) => [
          `  ${outcome}`,
          "",
          count(of),
          percentage(of, stale.staleConnections),
          "",
        ]),
      [
        "requests",
        count(requests.ended),
        count(requests.staleRouted),
        percentage(requests.staleRouted, requests.ended),
        count(requests.staleRoutedFailed),
      ],
    ],
  };
}

function skew({ skew: services }: Summary): Section | null {
  if (services.length === 0) return null;
  const rows = services.map((each) => [
    printable(each.service),
    count(each.requests),
    each.endpointsMin === each.endpointsMax
      ? count(each.endpointsMax)
      : `${count(each.endpointsMin)}-${count(each.endpointsMax)}`,
    ratio(each.maxOverMean),
    ratio(each.cv),
    ratio(each.jain),
    ratio(each.gini),
  ]);
  const notes = services.flatMap(({ service, worst }) =>
    // Of one pod there is nothing to be uneven with.
    worst === null || worst.maxOverMean === 1
      ? []
      : [
          `Most uneven window of ${printable(service)}: max/mean ${ratio(worst.maxOverMean)}, from ${duration(worst.windowStartNs)}.`,
        ],
  );
  return {
    title: "Load skew, mean of windows",
    head: ["requests", "pods", "max/mean", "cv", "jain", "gini"],
    rows,
    notes,
  };
}

function drops({ drops: causes }: Summary): Section {
  if (causes.length === 0) return { title: "Dropped packets", head: ["none"], rows: [] };
  const rows = causes.map(({ cause, packets, hops, worstHop, worstHopPackets }) => [
    cause.replaceAll("_", " "),
    count(packets),
    count(hops),
    `${printable(worstHop)} (${count(worstHopPackets)})`,
  ]);
  return { title: "Dropped packets", head: ["packets", "hops", "most at"], rows };
}

/** More than these are for events.csv. */
const MOST_TARGET_CHANGES = 10;

function targetChanges({ targetChanges: changes }: Summary): Section | null {
  if (changes.length === 0) return null;
  const rows = changes
    .slice(0, MOST_TARGET_CHANGES)
    .map(({ object, atNs, healthy, service }) => [
      `${printable(object)} for ${printable(service)}`,
      healthy ? "in" : "out",
      duration(atNs),
    ]);
  const rest = changes.length - rows.length;
  const notes = rest > 0 ? [`And ${count(rest)} more, in events.csv.`] : [];
  return { title: "Load balancer targets", head: ["", "at"], rows, notes };
}

function failedStarts(summary: Summary): Section | null {
  if (summary.failedStarts.length === 0) return null;
  const notes = summary.failedStarts.map(({ object, atNs, error }) =>
    printable(`${object} at ${duration(atNs)}: ${error}`),
  );
  return { title: "Failed to start", head: [], rows: [], notes };
}

function ignored(summary: Summary): Section | null {
  if (summary.ignored.length === 0) return null;
  // summary.json has each of them.
  const said = summary.ignored.map(({ object, place, reason }) => ({
    object,
    place,
    text: reason,
  }));
  const notes = saidOnce(said).map(printable);
  return { title: "Read and ignored", head: [], rows: [], notes };
}
