/**
 * endpoint_load.csv: what each endpoint got in each window, and the stale connections of the run.
 *
 * Owns: the file's rows, and the stale connection that came longest after its endpoint ceased to be usable.
 * Refuses to own: counting per window (../endpoint-windows.ts).
 */
import type { SimTimeNs } from "../../engine/index.ts";
import type { Changes } from "../changes.ts";
import type { Directory } from "../directory.ts";
import type { EndpointWindows } from "../endpoint-windows.ts";
import { columnsOf } from "../metrics.ts";
import type { Recorder, Row, Table } from "../recorder.ts";
import type { RunTotals, StaleTotals } from "../totals.ts";

const file = "endpoint_load.csv";

interface LastStale {
  readonly node: number;
  readonly atNs: SimTimeNs;
}

export class EndpointLoad implements Recorder {
  readonly #windows: EndpointWindows;
  readonly #changes: Changes;
  readonly #directory: Directory;
  /** By endpoint: its last stale connection is the one that came longest after that. */
  readonly #lastStale = new Map<number, LastStale>();
  private connections = 0;
  private staleConnections = 0;

  constructor(windows: EndpointWindows, changes: Changes, directory: Directory) {
    this.#windows = windows;
    this.#changes = changes;
    this.#directory = directory;
  }

  connectionRouted(node: number, endpoint: number, atNs: SimTimeNs, staleRouted: number): void {
    this.connections++;
    if (staleRouted === 0) return;
    this.staleConnections++;
    this.#lastStale.set(endpoint, { node, atNs });
  }

  connectionDialled(node: number, endpoint: number, atNs: SimTimeNs, staleRouted: number): void {
    this.connectionRouted(node, endpoint, atNs, staleRouted);
  }

  tables(): readonly Table[] {
    return [{ file, columns: columnsOf(file), rows: { [Symbol.iterator]: () => this.#rows() } }];
  }

  *#rows(): Generator<Row> {
    for (const { startNs, windowNs, rows } of this.#windows.windows()) {
      for (const row of rows) {
        const { service, address, pod, node } = this.#directory.endpoint(row.endpoint);
        yield [
          this.#directory.service(service),
          address,
          pod,
          node,
          startNs,
          windowNs,
          row.requests,
          row.connections,
          row.inFlightMean,
          row.staleConnections,
        ];
      }
    }
  }

  totals(): Partial<RunTotals> {
    const stale: StaleTotals = {
      connections: this.connections,
      staleConnections: this.staleConnections,
      longest: this.#longestStale(),
    };
    return { stale };
  }

  #longestStale(): StaleTotals["longest"] {
    let longest: StaleTotals["longest"] = null;
    for (const [endpoint, { node, atNs }] of this.#lastStale) {
      const name = this.#directory.endpoint(endpoint);
      const service = this.#directory.service(name.service);
      const goneAtNs = this.#goneAtNs(service, name.address, atNs);
      const afterNs = goneAtNs === null ? null : atNs - goneAtNs;
      if (longest !== null && (afterNs ?? -1) <= (longest.afterNs ?? -1)) continue;
      const nodeName = this.#directory.nodes[node] ?? "outside the cluster";
      const { address, pod } = name;
      longest = { node: nodeName, service, endpoint: address, pod, atNs, afterNs };
    }
    return longest;
  }

  /**
   * When the endpoint last ceased to be usable before `atNs`: the oldest change since it was last usable, as it may
   * become unready first and be removed later.
   */
  #goneAtNs(service: string, address: string, atNs: SimTimeNs): SimTimeNs | null {
    let goneAtNs: SimTimeNs | null = null;
    for (const change of this.#changes.records) {
      if (change.service !== service || change.endpoint !== address) continue;
      if (change.changedAtNs > atNs) continue;
      if (change.usable) goneAtNs = null;
      else goneAtNs ??= change.changedAtNs;
    }
    return goneAtNs;
  }
}
