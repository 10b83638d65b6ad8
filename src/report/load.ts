/**
 * Load: of each endpoint over time, how even it was, and of hops.
 *
 * Owns: summing endpoint_load.csv, load_skew.csv and hops.csv up, and how much of them a report holds.
 */
import { binOf, binsOf, zeros } from "./bins.ts";
import type { Endpoints } from "./cluster.ts";
import { numberOf } from "./csv.ts";
import type { ResultsFolder } from "./folder.ts";
import {
  skewIndices,
  type Bins,
  type FlowColumns,
  type HopModel,
  type LoadModel,
  type SkewIndex,
} from "./model.ts";

/** Endpoints times bins. */
const CELLS_MAX = 240_000;
const ENDPOINTS_MAX = 3_000;
const BINS_MAX = 300;
const SERVICES_MAX = 40;
export const HOPS_MAX = 400;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface EndpointRows {
  readonly load: Pick<LoadModel, "bins" | "endpoint" | "requests" | "inFlight" | "stale">;
  /** New connections by endpoint and bin. */
  readonly connections: readonly number[];
  readonly endpoints: number;
}

const loadColumns = [
  "service",
  "endpoint",
  "pod",
  "node",
  "window_start_ns",
  "window_ns",
  "requests",
  "connections",
  "in_flight_mean",
  "stale_connections",
];

/** Sums by endpoint; a list grows as endpoints are met. */
class Sums {
  readonly #bins: number;
  readonly #rows: (number[] | undefined)[] = [];

  constructor(bins: number) {
    this.#bins = bins;
  }

  add(row: number, bin: number, value: number): void {
    const own = (this.#rows[row] ??= zeros(this.#bins));
    own[bin]! += value;
  }

  total(row: number): number {
    return (this.#rows[row] ?? []).reduce((sum, each) => sum + each, 0);
  }

  of(rows: readonly number[]): number[] {
    return rows.flatMap((row) => this.#rows[row] ?? zeros(this.#bins));
  }
}

export async function readEndpointLoad(
  results: ResultsFolder,
  endpoints: Endpoints,
): Promise<EndpointRows> {
  const { durationNs, windowNs } = results.manifest.parameters;
  const services = Math.max(1, results.summary.skew.length);
  const known = results.summary.skew.reduce((sum, each) => sum + each.endpointsMax, 0);
  const fitting = Math.floor(CELLS_MAX / Math.max(known, services));
  const bins = binsOf(durationNs, windowNs, Math.max(30, Math.min(BINS_MAX, fitting)));
  const [requests, connections, inFlight, stale] = Array.from(
    { length: 4 },
    () => new Sums(bins.startNs.length),
  ) as [Sums, Sums, Sums, Sums];
  await results.rows("endpoint_load.csv", loadColumns, (cells) => {
    const [service, address, pod, node, start, length, ...figures] = cells as string[];
    const row = endpoints.at(service!, address!);
    const endpoint = endpoints.list[row]!;
    endpoint.pod = pod!;
    endpoint.node = node!;
    const bin = binOf(bins, windowNs, Number(start));
    requests.add(row, bin, Number(figures[0]));
    connections.add(row, bin, Number(figures[1]));
    inFlight.add(row, bin, (Number(figures[2]) * Number(length)) / bins.lengthNs[bin]!);
    stale.add(row, bin, Number(figures[3]));
  });
  const all = endpoints.list.map((_, row) => row);
  const shown = busiest(all, requests);
  const rounded = inFlight.of(shown).map((mean) => Number(mean.toPrecision(3)));
  return {
    load: {
      bins,
      endpoint: shown,
      requests: requests.of(shown),
      inFlight: rounded,
      stale: stale.of(shown),
    },
    connections: connections.of(all),
    endpoints: all.length,
  };
}

/** In their own order, where there are more than a report holds. */
function busiest(all: readonly number[], requests: Sums): readonly number[] {
  if (all.length <= ENDPOINTS_MAX) return all;
  const byLoad = all.toSorted((a, b) => requests.total(b) - requests.total(a));
  return byLoad.slice(0, ENDPOINTS_MAX).sort((a, b) => a - b);
}

/** Without a record of who chose: what came to each node. */
export function arrivals(
  { load: { bins }, connections }: EndpointRows,
  nodeOf: readonly { readonly node: number; readonly service: number }[],
): FlowColumns {
  const flows = newFlows(false);
  const count = bins.startNs.length;
  const sums = new Map<string, [bin: number, node: number, service: number, sum: number]>();
  for (const [i, sum] of connections.entries()) {
    if (sum === 0) continue;
    const { node, service } = nodeOf[Math.floor(i / count)]!;
    const key = `${i % count} ${node} ${service}`;
    const known = sums.get(key);
    if (known === undefined) sums.set(key, [i % count, node, service, sum]);
    else known[3] += sum;
  }
  for (const [bin, node, service, sum] of [...sums.values()].sort((a, b) => a[0] - b[0])) {
    pushFlow(flows, [bin, -1, node, service, sum, 0]);
  }
  return flows;
}

export type GrowingFlows = Mutable<{
  [K in Exclude<keyof FlowColumns, "recorded">]: number[];
}> & { readonly recorded: boolean };

export function newFlows(recorded: boolean): GrowingFlows {
  return { recorded, bin: [], from: [], to: [], service: [], connections: [], stale: [] };
}

export function pushFlow(
  flows: GrowingFlows,
  [bin, from, to, service, connections, stale]: readonly [
    number,
    number,
    number,
    number,
    number,
    number,
  ],
): void {
  flows.bin.push(bin);
  flows.from.push(from);
  flows.to.push(to);
  flows.service.push(service);
  flows.connections.push(connections);
  flows.stale.push(stale);
}

/** Of the Services with the most requests. Windows in a bin count by their requests. */
export async function readSkew(
  results: ResultsFolder,
  endpoints: Endpoints,
  bins: Bins,
): Promise<LoadModel["skew"]> {
  const { windowNs } = results.manifest.parameters;
  const wanted = results.summary.skew
    .toSorted((a, b) => b.requests - a.requests)
    .slice(0, SERVICES_MAX)
    .map(({ service }) => service);
  const length = bins.startNs.length;
  const sums = new Map(
    wanted.map((name) => [
      name,
      { weights: zeros(length), weighted: skewIndices.map(() => zeros(length)) },
    ]),
  );
  const columns = ["service", "window_start_ns", "requests", ...skewIndices];
  await results.rows("load_skew.csv", columns, ([service, start, requests, ...values]) => {
    const own = sums.get(service!);
    if (own === undefined || values[0] === "") return;
    const bin = binOf(bins, windowNs, Number(start));
    own.weights[bin]! += Number(requests);
    for (const [i, value] of values.entries()) {
      own.weighted[i]![bin]! += Number(value) * Number(requests);
    }
  });
  return [...sums].map(([service, { weights, weighted }]) => {
    const means = skewIndices.map((name, i): [SkewIndex, (number | null)[]] => [
      name,
      weights.map((weight, bin) =>
        weight === 0 ? null : Number((weighted[i]![bin]! / weight).toPrecision(5)),
      ),
    ]);
    return {
      service: endpoints.services.at(service),
      indices: Object.fromEntries(means) as Record<SkewIndex, (number | null)[]>,
    };
  });
}

const hopColumns = [
  "hop",
  "kind",
  "packets",
  "bytes",
  "drops",
  "utilisation",
  "queue_p99_ns",
] as const;

/** One of each, with the drops of all causes. */
export async function readHops(results: ResultsFolder): Promise<HopModel[]> {
  const hops = new Map<string, Mutable<HopModel>>();
  await results.rows("hops.csv", hopColumns, (cells) => {
    const [hop, kind, packets, bytes, drops, utilisation, queueP99Ns] = cells as string[];
    const known = hops.get(hop!);
    if (known !== undefined) {
      known.drops += Number(drops);
      return;
    }
    hops.set(hop!, {
      hop: hop!,
      kind: kind!,
      packets: Number(packets),
      bytes: Number(bytes),
      drops: Number(drops),
      utilisation: numberOf(utilisation),
      queueP99Ns: numberOf(queueP99Ns),
    });
  });
  return [...hops.values()];
}

/** Those that anything was to be seen at first. */
export function worstHops(hops: readonly HopModel[]): HopModel[] {
  const rank = (hop: HopModel): number => hop.utilisation ?? -1;
  return hops
    .filter(({ packets, drops }) => packets > 0 || drops > 0)
    .sort((a, b) => b.drops - a.drops || rank(b) - rank(a) || b.packets - a.packets)
    .slice(0, HOPS_MAX);
}
