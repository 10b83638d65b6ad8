/**
 * kube_proxy.csv: what programming its rules costs each node, and what the rules cost first packets.
 *
 * Owns: counts, sums and maxima by node and IP family, and the fleet's histograms for the summary: a histogram for each of
 * 5,000 nodes would be too much. Refuses to own: lag (endpoint-update-lag.ts).
 */
import type { DurationNs, SimTimeNs } from "../../engine/index.ts";
import { Histogram } from "../../stats/index.ts";
import type { Directory } from "../directory.ts";
import { columnsOf } from "../metrics.ts";
import type { Recorder, RecordingContext, Row, Table } from "../recorder.ts";
import type { KubeProxyTotals, RunTotals } from "../totals.ts";
import { quantilesOf } from "./requests.ts";

const file = "kube_proxy.csv";

/** The proxier of one family on a node. */
interface NodeProxier {
  readonly node: number;
  readonly family: 4 | 6;
  syncs: number;
  fullSyncs: number;
  failedSyncs: number;
  syncNs: number;
  syncMaxNs: number;
  firstPackets: number;
  walkNs: number;
  walkMaxNs: number;
}

export class KubeProxies implements Recorder {
  readonly #directory: Directory;
  private readonly proxiers: NodeProxier[] = [];
  /** By node and family. */
  private readonly index: Record<4 | 6, NodeProxier[]> = { 4: [], 6: [] };
  private readonly syncs = new Histogram();
  private readonly walks = new Histogram();

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  proxierNamed(node: number, family: 4 | 6): void {
    const own: NodeProxier = {
      node,
      family,
      syncs: 0,
      fullSyncs: 0,
      failedSyncs: 0,
      syncNs: 0,
      syncMaxNs: 0,
      firstPackets: 0,
      walkNs: 0,
      walkMaxNs: 0,
    };
    this.proxiers.push(own);
    this.index[family][node] = own;
  }

  rulesWalked(node: number, walkNs: DurationNs, family: 4 | 6): void {
    const own = this.index[family][node]!;
    own.firstPackets++;
    own.walkNs += walkNs;
    if (walkNs > own.walkMaxNs) own.walkMaxNs = walkNs;
    this.walks.record(walkNs);
  }

  rulesSynced(
    node: number,
    startedAtNs: SimTimeNs,
    endedAtNs: SimTimeNs,
    full: 0 | 1,
    failed: 0 | 1,
    family: 4 | 6,
  ): void {
    const own = this.index[family][node]!;
    const tookNs = endedAtNs - startedAtNs;
    own.syncs++;
    own.fullSyncs += full;
    own.failedSyncs += failed;
    own.syncNs += tookNs;
    own.syncMaxNs = Math.max(own.syncMaxNs, tookNs);
    this.syncs.record(tookNs);
  }

  tables(): readonly Table[] {
    return [{ file, columns: columnsOf(file), rows: this.proxiers.map((own) => this.#row(own)) }];
  }

  totals({ endNs }: RecordingContext): Partial<RunTotals> {
    const { proxiers } = this;
    // Both families are one process.
    const syncNsOf: number[] = [];
    for (const { node, syncs, syncNs } of proxiers) {
      if (syncs > 0) syncNsOf[node] = (syncNsOf[node] ?? 0) + syncNs;
    }
    let busiest: KubeProxyTotals["busiest"] = null;
    for (const [node, syncNs] of syncNsOf.entries()) {
      if (syncNs === undefined || (busiest !== null && syncNs <= busiest.syncNs)) continue;
      busiest = { node: this.#directory.nodes[node]!, syncNs, share: syncNs / endNs };
    }
    const total = (of: (own: NodeProxier) => number): number =>
      proxiers.reduce((sum, own) => sum + of(own), 0);
    return {
      kubeProxy: {
        syncs: this.syncs.count,
        fullSyncs: total(({ fullSyncs }) => fullSyncs),
        failedSyncs: total(({ failedSyncs }) => failedSyncs),
        syncTime: quantilesOf(this.syncs),
        firstPackets: this.walks.count,
        walkTime: quantilesOf(this.walks),
        busiest,
      },
    };
  }

  #row(own: NodeProxier): Row {
    const { node, family, syncs, fullSyncs, failedSyncs, syncNs, syncMaxNs } = own;
    const { firstPackets, walkNs, walkMaxNs } = own;
    const synced = [syncs, fullSyncs, failedSyncs, syncNs, syncs === 0 ? null : syncMaxNs];
    const walked = [firstPackets, walkNs, firstPackets === 0 ? null : walkMaxNs];
    return [this.#directory.nodes[node]!, ...synced, ...walked, `IPv${family}`];
  }
}
