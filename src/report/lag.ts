/**
 * Endpoint-update lag: how often it was how long, what it was made of, and where.
 *
 * Owns: the distribution by kind of change and the heat map's cells. Refuses to own: the changes (cluster.ts); the
 * stages' means, which are the summary's.
 */
import type { Summary } from "../output/index.ts";
import { filled } from "./bins.ts";
import type { Changes, Endpoints } from "./cluster.ts";
import { changeKinds, type LagModel } from "./model.ts";

const STEPS = 160;
/** Columns of the heat map. */
const COLUMNS_MAX = 240;

export function lagOf(
  changes: Changes,
  endpoints: Endpoints,
  groups: readonly number[],
  nodes: number,
  summary: Summary,
): LagModel {
  const sorted = changeKinds.map((_, kind) => {
    const lags = changes.lagNs.flatMap((all, i) => (changes.kind[i] === kind ? all : []));
    return Float64Array.from(lags.filter((lagNs) => lagNs >= 0)).sort();
  });
  const atNs = stepsOf(sorted);
  const kinds = changeKinds.flatMap((kind, i) => {
    const totals = summary.lag.byKind.find(({ change }) => change === kind);
    if (totals === undefined || totals.changes === 0) return [];
    return {
      kind,
      changes: totals.changes,
      programmed: totals.programmed,
      stages: totals.stages ?? [],
      share: shares(sorted[i]!, atNs),
    };
  });
  return { kinds, atNs, ...heatMap(changes, endpoints, groups, nodes) };
}

/** From the shortest to the longest lag, each a constant factor after the one before. */
function stepsOf(sorted: readonly Float64Array[]): number[] {
  const some = sorted.filter((lags) => lags.length > 0);
  if (some.length === 0) return [];
  const least = Math.max(1, Math.min(...some.map((lags) => lags[0]!)));
  const most = Math.max(least, ...some.map((lags) => lags.at(-1)!));
  const factor = (most / least) ** (1 / STEPS);
  const steps = Array.from({ length: STEPS }, (_, i) => Math.round(least * factor ** i));
  return [...new Set([...steps, most])];
}

function shares(sorted: Float64Array, atNs: readonly number[]): number[] {
  let held = 0;
  return atNs.map((limit) => {
    while (held < sorted.length && sorted[held]! <= limit) held++;
    return sorted.length === 0 ? 0 : held / sorted.length;
  });
}

function heatMap(
  changes: Changes,
  { list }: Endpoints,
  groups: readonly number[],
  nodes: number,
): Pick<LagModel, "columns" | "cells"> {
  const total = changes.atNs.length;
  const together = Math.max(1, Math.ceil(total / COLUMNS_MAX));
  const columns: LagModel["columns"][number][] = [];
  for (let from = 0; from < total; from += together) {
    const kind = changeKinds[changes.kind[from]!]!;
    const label =
      together === 1
        ? `${kind} ${list[changes.endpoint[from]!]!.address}`
        : `changes ${from + 1} to ${Math.min(total, from + together)}`;
    columns.push({ label, atNs: changes.atNs[from]! });
  }
  const cells = filled(nodes * columns.length, -2);
  for (let change = 0; change < total; change++) {
    const column = Math.floor(change / together);
    for (let node = 0; node < nodes; node++) {
      const place = node * columns.length + column;
      const lagNs = groups[change * nodes + node] ?? -1;
      if (lagNs > cells[place]!) cells[place] = lagNs;
    }
  }
  return { columns, cells };
}
