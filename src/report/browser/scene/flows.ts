/**
 * Connections between nodes, by bin.
 *
 * Owns: which of them are drawn. Refuses to own: how (scene.ts).
 */
import type { Report } from "../../model.ts";

/** Connections of one bin, the stale and the many first. */
export interface Flow {
  readonly from: number;
  readonly to: number;
  readonly connections: number;
  readonly stale: number;
}

export const FLOWS_MAX = 160;

/** By bin, Services together: what a frame looks up. */
export function flowsByBin({ cluster: { flows }, load }: Report): Flow[][] {
  const byBin: Map<string, { from: number; to: number; connections: number; stale: number }>[] =
    load.bins.startNs.map(() => new Map());
  for (const [i, bin] of flows.bin.entries()) {
    const [from, to] = [flows.from[i]!, flows.to[i]!];
    const key = `${from} ${to}`;
    const known = byBin[bin]!.get(key);
    const [connections, stale] = [flows.connections[i]!, flows.stale[i]!];
    if (known === undefined) byBin[bin]!.set(key, { from, to, connections, stale });
    else {
      known.connections += connections;
      known.stale += stale;
    }
  }
  return byBin.map((all) =>
    [...all.values()]
      .filter(({ to }) => to >= 0)
      .sort((a, b) => b.stale - a.stale || b.connections - a.connections)
      .slice(0, FLOWS_MAX),
  );
}
