/**
 * endpoint_update_lag.csv: how long after each endpoint change each node's rules held it, and which step took how
 * long; fleet_convergence.csv: how long until a share of all nodes did.
 *
 * Owns: the rows of both and the lag totals. Refuses to own: collecting the times (../changes.ts).
 */
import type { DurationNs } from "../../engine/index.ts";
import { lagStages, type ChangeRecord, type Changes } from "../changes.ts";
import type { Directory } from "../directory.ts";
import { columnsOf } from "../metrics.ts";
import { quantile, rank } from "../quantiles.ts";
import type { Recorder, Row, Table } from "../recorder.ts";
import type {
  ChangeKind,
  ChangeKindTotals,
  ConvergenceTotals,
  DurationQuantiles,
  LagTotals,
  RunTotals,
} from "../totals.ts";

const file = "endpoint_update_lag.csv";
const fleetFile = "fleet_convergence.csv";
const changeKinds: readonly ChangeKind[] = ["added", "removed", "condition"];
const shares = [0.5, 0.9, 0.99, 1];

export class EndpointUpdateLag implements Recorder {
  readonly #changes: Changes;
  readonly #directory: Directory;

  constructor(changes: Changes, directory: Directory) {
    this.#changes = changes;
    this.#directory = directory;
  }

  tables(): readonly Table[] {
    return [
      { file, columns: columnsOf(file), rows: { [Symbol.iterator]: () => this.#rows() } },
      {
        file: fleetFile,
        columns: columnsOf(fleetFile),
        rows: { [Symbol.iterator]: () => this.#fleetRows() },
      },
    ];
  }

  *#rows(): Generator<Row> {
    for (const [id, record] of this.#programmable()) {
      const { service, endpoint, change, changedAtNs } = record;
      for (const [index, node] of this.#directory.nodes.entries()) {
        const atNs = this.#changes.programmedAtNs(id, index);
        const lagNs = atNs === null ? null : atNs - changedAtNs;
        const stages = this.#changes.stagesNs(id, index);
        yield [service, endpoint, change, node, changedAtNs, atNs, lagNs, ...stages];
      }
    }
  }

  /** Those that nodes' rules can hold. */
  *#programmable(): Generator<[number, ChangeRecord]> {
    for (const [id, record] of this.#changes.records.entries()) {
      if (!record.viaDns) yield [id, record];
    }
  }

  *#fleetRows(): Generator<Row> {
    const nodes = this.#directory.nodes.length;
    for (const [id, { service, endpoint, change, changedAtNs }] of this.#programmable()) {
      const lags = this.#sortedLags(id);
      const until = shares.map((share) => lags[rank(share, nodes)] ?? null);
      yield [service, endpoint, change, changedAtNs, nodes, lags.length, ...until];
    }
  }

  totals(): Partial<RunTotals> {
    const { nodes } = this.#directory;
    const lags = new Map<number, Float64Array>();
    for (const [id] of this.#programmable()) lags.set(id, this.#sortedLags(id));
    const all = [...lags.values()];
    const lag: LagTotals = {
      nodes: nodes.length,
      changes: lags.size,
      byKind: changeKinds.map((kind) => this.#kindTotals(kind, lags)),
      convergence: shares.map((share) => convergence(share, all, nodes.length)),
      ...this.#unprogrammed(),
      slowestRemoval: this.#slowestRemoval(),
    };
    return { lag };
  }

  #sortedLags(id: number): Float64Array {
    const lags = [];
    const { changedAtNs } = this.#changes.records[id]!;
    for (let node = 0; node < this.#directory.nodes.length; node++) {
      const atNs = this.#changes.programmedAtNs(id, node);
      if (atNs !== null) lags.push(atNs - changedAtNs);
    }
    return Float64Array.from(lags).sort();
  }

  #kindTotals(kind: ChangeKind, lags: ReadonlyMap<number, Float64Array>): ChangeKindTotals {
    const ofKind = [...lags].flatMap(([id, each]) =>
      this.#changes.records[id]!.change === kind ? [each] : [],
    );
    const all = new Float64Array(ofKind.reduce((sum, each) => sum + each.length, 0));
    let offset = 0;
    for (const each of ofKind) {
      all.set(each, offset);
      offset += each.length;
    }
    all.sort();
    return {
      change: kind,
      changes: ofKind.length,
      programmed: all.length,
      lag: quantiles(all),
      convergence: shares.map((share) => convergence(share, ofKind, this.#directory.nodes.length)),
      stages: this.#stageMeans(kind, all.length),
    };
  }

  /** What each stage took, over all pairs of change and node; without it counts as zero, so that they add up. */
  #stageMeans(kind: ChangeKind, pairs: number): ChangeKindTotals["stages"] {
    const sums: (number | null)[] = lagStages.map(() => null);
    for (const [id, { change }] of this.#changes.records.entries()) {
      if (change !== kind) continue;
      for (let node = 0; node < this.#directory.nodes.length; node++) {
        for (const [i, tookNs] of this.#changes.stagesNs(id, node).entries()) {
          if (tookNs !== null) sums[i] = (sums[i] ?? 0) + tookNs;
        }
      }
    }
    return sums.map((sumNs, i) => {
      const meanNs = sumNs === null ? null : Math.round(sumNs / pairs);
      return { stage: lagStages[i]!, meanNs };
    });
  }

  /** Of each endpoint and node: what the node never programmed, and whether it missed anything by that. */
  #unprogrammed(): { readonly superseded: number; readonly pending: number } {
    const byEndpoint = new Map<string, number[]>();
    for (const [id, { service, endpoint }] of this.#programmable()) {
      const key = `${service} ${endpoint}`;
      const ids = byEndpoint.get(key);
      if (ids === undefined) byEndpoint.set(key, [id]);
      else ids.push(id);
    }
    let superseded = 0;
    let pending = 0;
    for (const ids of byEndpoint.values()) {
      for (let node = 0; node < this.#directory.nodes.length; node++) {
        const last = ids.findLastIndex((id) => this.#changes.programmedAtNs(id, node) !== null);
        const missing = ids.filter((id) => this.#changes.programmedAtNs(id, node) === null).length;
        const later = this.#holdsTruth(ids, last) ? 0 : ids.length - 1 - last;
        superseded += missing - later;
        pending += later;
      }
    }
    return { superseded, pending };
  }

  /** Whether a node whose last programmed change is `ids[last]`, -1 for none, holds what the newest left. */
  #holdsTruth(ids: readonly number[], last: number): boolean {
    const { records } = this.#changes;
    // What it held before the first change: the opposite.
    const held = last === -1 ? !records[ids[0]!]!.usable : records[ids[last]!]!.usable;
    return held === records[ids.at(-1)!]!.usable;
  }

  #slowestRemoval(): LagTotals["slowestRemoval"] {
    let slowest: LagTotals["slowestRemoval"] = null;
    for (const [
      id,
      { service, endpoint, change, changedAtNs },
    ] of this.#changes.records.entries()) {
      if (change !== "removed") continue;
      for (const [index, node] of this.#directory.nodes.entries()) {
        const atNs = this.#changes.programmedAtNs(id, index);
        if (atNs === null || (slowest !== null && atNs - changedAtNs <= slowest.lagNs)) continue;
        slowest = { node, service, endpoint, lagNs: atNs - changedAtNs };
      }
    }
    return slowest;
  }
}

function quantiles(sorted: Float64Array): DurationQuantiles | null {
  if (sorted.length === 0) return null;
  return {
    p50Ns: quantile(sorted, 0.5),
    p90Ns: quantile(sorted, 0.9),
    p99Ns: quantile(sorted, 0.99),
    maxNs: sorted[sorted.length - 1]!,
  };
}

function convergence(
  share: number,
  lags: readonly Float64Array[],
  nodes: number,
): ConvergenceTotals {
  const times: DurationNs[] = [];
  for (const sorted of lags) {
    const time = sorted[rank(share, nodes)];
    if (time !== undefined) times.push(time);
  }
  const sorted = Float64Array.from(times).sort();
  return {
    share,
    reached: sorted.length,
    medianNs: sorted.length > 0 ? quantile(sorted, 0.5) : null,
    maxNs: sorted.length > 0 ? sorted[sorted.length - 1]! : null,
  };
}
