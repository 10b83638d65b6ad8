/**
 * Load of nodes' NICs, of the links to them and of the busiest hops, over time.
 *
 * Owns: summing hop_load.csv up by bin, and by groups of nodes where a report has them. Refuses to own: which hops are
 * the busiest (load.ts).
 */
import { binOf, filled, zeros } from "./bins.ts";
import type { ResultsFolder } from "./folder.ts";
import type { Bins, HopModel, HopTrack } from "./model.ts";
import type { Names } from "./names.ts";

export interface TrackPlaces {
  readonly bins: Bins;
  readonly nodes: Names;
  /** Nodes in a group. */
  readonly size: number;
  readonly hops: readonly HopModel[];
  readonly worst: readonly HopModel[];
}

/** Hops times bins of the busiest, one by one. */
const CELLS_MAX = 40_000;

const columns = [
  "hop",
  "window_start_ns",
  "window_ns",
  "packets",
  "drops",
  "utilisation",
  "queue_p99_ns",
];

/** One hop's, by bin. */
interface Sums {
  readonly packets: number[];
  readonly drops: number[];
  /** Share of a bin in which it was sending, and its longest wait; -1 where it has no finite rate. */
  readonly utilisation: number[];
  readonly queueP99Ns: number[];
}

/** None where they were not recorded. */
export async function readTracks(
  results: ResultsFolder,
  { bins, nodes, size, hops, worst }: TrackPlaces,
): Promise<HopTrack[]> {
  if (!results.manifest.files.includes("hop_load.csv")) return [];
  const shown = worst.slice(0, Math.max(20, Math.floor(CELLS_MAX / bins.startNs.length)));
  const ofNodes = (kind: string, name: (host: string) => string): Row[] => {
    const groups = grouped(nodes.list, size).map((own) => rowOf(own, name));
    const others = hops.filter((hop) => hop.kind === kind).map(({ hop }) => hop);
    const known = new Set(nodes.list.map(name));
    return [
      ...groups,
      ...others.flatMap((hop) => (known.has(hop) ? [] : [{ name: hop, hops: [hop] }])),
    ];
  };
  const titles: readonly (readonly [string, readonly Row[]])[] = [
    ["eth0 of each node, out", ofNodes("nic", (node) => `${node}/eth0`)],
    ["link to each node, in", ofNodes("switch", (node) => `switch/${node}`)],
    ["busiest hops of all", shown.map(({ hop }) => ({ name: hop, hops: [hop] }))],
  ];
  const wanted = new Set(titles.flatMap(([, rows]) => rows.flatMap((row) => row.hops)));
  const sums = await readSums(results, bins, wanted);
  return titles.map(([title, rows]) => trackOf(title, rows, sums, bins.startNs.length));
}

interface Row {
  readonly name: string;
  readonly hops: readonly string[];
}

function grouped(names: readonly string[], size: number): string[][] {
  const groups: string[][] = [];
  for (let from = 0; from < names.length; from += size) groups.push(names.slice(from, from + size));
  return groups;
}

function rowOf(hosts: readonly string[], name: (host: string) => string): Row {
  const [first = ""] = hosts;
  const title = hosts.length === 1 ? name(first) : `${first} to ${hosts.at(-1)}`;
  return { name: title, hops: hosts.map(name) };
}

async function readSums(
  results: ResultsFolder,
  bins: Bins,
  wanted: ReadonlySet<string>,
): Promise<Map<string, Sums>> {
  const { windowNs } = results.manifest.parameters;
  const sums = new Map<string, Sums>();
  const count = bins.startNs.length;
  await results.rows("hop_load.csv", columns, (cells) => {
    const [hop, start, length, packets, drops, utilisation, queueP99Ns] = cells as string[];
    if (!wanted.has(hop!)) return;
    const bin = binOf(bins, windowNs, Number(start));
    let own = sums.get(hop!);
    if (own === undefined) {
      const none = utilisation === "" ? -1 : 0;
      own = {
        packets: zeros(count),
        drops: zeros(count),
        utilisation: filled(count, none),
        queueP99Ns: filled(count, none),
      };
      sums.set(hop!, own);
    }
    own.packets[bin]! += Number(packets);
    own.drops[bin]! += Number(drops);
    if (utilisation === "") return;
    own.utilisation[bin]! += (Number(utilisation) * Number(length)) / bins.lengthNs[bin]!;
    own.queueP99Ns[bin] = Math.max(own.queueP99Ns[bin]!, Number(queueP99Ns));
  });
  return sums;
}

/** Of several hops in a row the highest of each figure, but packets and drops of all. */
function trackOf(
  title: string,
  rows: readonly Row[],
  sums: ReadonlyMap<string, Sums>,
  bins: number,
): HopTrack {
  const track = {
    utilisation: [] as number[],
    queueP99Ns: [] as number[],
    packets: [] as number[],
    drops: [] as number[],
  };
  for (const { hops } of rows) {
    const own = hops.flatMap((hop) => sums.get(hop) ?? []);
    for (let bin = 0; bin < bins; bin++) {
      const total = (of: "packets" | "drops"): number =>
        own.reduce((sum, each) => sum + each[of][bin]!, 0);
      const most = (of: "utilisation" | "queueP99Ns"): number =>
        own.reduce((highest, each) => Math.max(highest, each[of][bin]!), -1);
      const [packets, drops, utilisation] = [total("packets"), total("drops"), most("utilisation")];
      const isIdle = packets === 0 && drops === 0 && utilisation <= 0;
      track.packets.push(packets);
      track.drops.push(drops);
      track.utilisation.push(isIdle ? -2 : Number(utilisation.toPrecision(3)));
      track.queueP99Ns.push(isIdle ? -2 : most("queueP99Ns"));
    }
  }
  return { title, rows: rows.map(({ name }) => name), ...track };
}
