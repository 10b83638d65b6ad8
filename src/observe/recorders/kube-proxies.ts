/**
 * kube_proxy.csv: what programming its rules costs each node, and what the rules cost first packets.
 *
 * Owns: counts, sums and maxima by node, and the fleet's histograms for the summary: a histogram for each of
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

interface NodeProxy {
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
  private readonly byNode: NodeProxy[] = [];
  private readonly syncs = new Histogram();
  private readonly walks = new Histogram();

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  nodeNamed(node: number): void {
    this.byNode[node] = {
      syncs: 0,
      fullSyncs: 0,
      failedSyncs: 0,
      syncNs: 0,
      syncMaxNs: 0,
      firstPackets: 0,
      walkNs: 0,
      walkMaxNs: 0,
    };
  }

  rulesWalked(node: number, walkNs: DurationNs): void {
    const own = this.byNode[node]!;
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
  ): void {
    const own = this.byNode[node]!;
    const tookNs = endedAtNs - startedAtNs;
    own.syncs++;
    own.fullSyncs += full;
    own.failedSyncs += failed;
    own.syncNs += tookNs;
    own.syncMaxNs = Math.max(own.syncMaxNs, tookNs);
    this.syncs.record(tookNs);
  }

  tables(): readonly Table[] {
    return [
      { file, columns: columnsOf(file), rows: this.byNode.map((own, i) => this.#row(own, i)) },
    ];
  }

  totals({ endNs }: RecordingContext): Partial<RunTotals> {
    const { byNode } = this;
    let busiest: KubeProxyTotals["busiest"] = null;
    for (const [node, { syncs, syncNs }] of byNode.entries()) {
      if (syncs === 0 || (busiest !== null && syncNs <= busiest.syncNs)) continue;
      busiest = { node: this.#directory.nodes[node]!, syncNs, share: syncNs / endNs };
    }
    const total = (of: (own: NodeProxy) => number): number =>
      byNode.reduce((sum, own) => sum + of(own), 0);
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

  #row(own: NodeProxy, node: number): Row {
    const { syncs, fullSyncs, failedSyncs, syncNs, syncMaxNs } = own;
    const { firstPackets, walkNs, walkMaxNs } = own;
    const synced = [syncs, fullSyncs, failedSyncs, syncNs, syncs === 0 ? null : syncMaxNs];
    const walked = [firstPackets, walkNs, firstPackets === 0 ? null : walkMaxNs];
    return [this.#directory.nodes[node]!, ...synced, ...walked];
  }
}
