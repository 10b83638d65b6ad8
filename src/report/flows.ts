/**
 * Who sent connections where, over time: the record that `--report` asks for.
 *
 * Owns: reading connection_flows.csv, and putting windows and nodes together as the rest of a report does.
 */
import { binOf } from "./bins.ts";
import type { ResultsFolder } from "./folder.ts";
import { newFlows, pushFlow } from "./load.ts";
import type { Bins, FlowColumns } from "./model.ts";
import type { Names } from "./names.ts";

export interface FlowPlaces {
  readonly bins: Bins;
  readonly nodes: Names;
  /** Nodes in a group. */
  readonly size: number;
  readonly services: Names;
}

const columns = [
  "window_start_ns",
  "service",
  "node",
  "endpoint_node",
  "connections",
  "stale_connections",
];

/** null: they were not recorded. */
export async function readFlows(
  results: ResultsFolder,
  { bins, nodes, size, services }: FlowPlaces,
): Promise<FlowColumns | null> {
  if (!results.manifest.files.includes("connection_flows.csv")) return null;
  const { windowNs } = results.manifest.parameters;
  const flows = newFlows(true);
  const sums = new Map<string, [number, number, number, number, number, number]>();
  const group = (node: string): number => {
    const place = nodes.find(node);
    return place < 0 ? -1 : Math.floor(place / size);
  };
  await results.rows("connection_flows.csv", columns, (cells) => {
    const [start, service, node, endpointNode, connections, stale] = cells as string[];
    const [bin, from, to] = [
      binOf(bins, windowNs, Number(start)),
      group(node!),
      group(endpointNode!),
    ];
    const key = `${bin} ${from} ${to} ${service}`;
    const known = sums.get(key) ?? [bin, from, to, services.at(service!), 0, 0];
    known[4] += Number(connections);
    known[5] += Number(stale);
    sums.set(key, known);
  });
  for (const flow of [...sums.values()].sort((a, b) => a[0] - b[0])) pushFlow(flows, flow);
  return flows;
}
