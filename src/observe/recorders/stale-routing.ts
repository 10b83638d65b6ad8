/**
 * stale_routing.csv: for each endpoint that ceased to be usable, which nodes still sent it new connections, and what
 * became of them.
 *
 * Owns: those counts, one set for each time that an endpoint ceased and each node that sent it one. Refuses to own:
 * when a node learnt of it (endpoint-update-lag.ts).
 */
import type { SimTimeNs } from "../../engine/index.ts";
import type { Directory } from "../directory.ts";
import { columnsOf } from "../metrics.ts";
import { Outcome, outcomeNames, type OutcomeCode } from "../observations.ts";
import type { Recorder, Row, Table } from "../recorder.ts";
import type { ChangeKind, RunTotals } from "../totals.ts";

const file = "stale_routing.csv";

/** How a connection can end that went out: without a local port, or without an address, there was none. */
export const staleFates = outcomeNames.filter(
  (name) => name !== "no_local_port" && name !== "unresolved" && name !== "upstream_failed",
);
const fateCodes = staleFates.map((name) => Outcome[name]);

interface Sent {
  /** As the node's rules decided. */
  connections: number;
  firstNs: SimTimeNs | null;
  lastNs: SimTimeNs | null;
  /** By outcome. */
  readonly ended: number[];
}

/** One time that an endpoint ceased to be usable. */
interface Departure {
  readonly endpoint: number;
  readonly change: ChangeKind;
  readonly atNs: SimTimeNs;
  readonly byNode: Map<number, Sent>;
}

export class StaleRouting implements Recorder {
  readonly #directory: Directory;
  private readonly departures: Departure[] = [];
  /** By endpoint: its last one. */
  private readonly last: (Departure | undefined)[] = [];

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  endpointChanged(
    _id: number,
    _service: string,
    _address: string,
    change: ChangeKind,
    atNs: SimTimeNs,
    usable: 0 | 1,
    endpoint: number,
  ): void {
    if (usable === 1) return;
    const departure = { endpoint, change, atNs, byNode: new Map() };
    this.departures.push(departure);
    this.last[endpoint] = departure;
  }

  connectionRouted(node: number, endpoint: number, atNs: SimTimeNs, stale: number): void {
    if (stale === 0) return;
    const sent = this.#sent(node, endpoint);
    if (sent === null) return;
    sent.connections++;
    sent.firstNs ??= atNs;
    sent.lastNs = atNs;
  }

  staleConnectionEnded(node: number, endpoint: number, outcome: OutcomeCode): void {
    const sent = this.#sent(node, endpoint);
    // Its own part the pod has done; what failed was behind it.
    const fate = outcome === Outcome.upstream_failed ? Outcome.served : outcome;
    if (sent !== null) sent.ended[fate]!++;
  }

  tables(): readonly Table[] {
    return [{ file, columns: columnsOf(file), rows: { [Symbol.iterator]: () => this.#rows() } }];
  }

  totals(): Partial<RunTotals> {
    const counts = staleFates.map(() => 0);
    let others = 0;
    for (const { byNode } of this.departures) {
      for (const sent of byNode.values()) {
        const fates = fatesOf(sent);
        for (const [i, count] of fates.entries()) counts[i]! += count;
        others += othersOf(sent, fates);
      }
    }
    const staleOutcomes = staleFates.map((outcome, i) => ({
      outcome: outcome as string,
      count: counts[i]!,
    }));
    return { staleOutcomes: [...staleOutcomes, { outcome: "other", count: others }] };
  }

  #sent(node: number, endpoint: number): Sent | null {
    const departure = this.last[endpoint];
    if (departure === undefined) return null;
    let sent = departure.byNode.get(node);
    if (sent === undefined) {
      sent = { connections: 0, firstNs: null, lastNs: null, ended: outcomeNames.map(() => 0) };
      departure.byNode.set(node, sent);
    }
    return sent;
  }

  *#rows(): Generator<Row> {
    for (const { endpoint, change, atNs, byNode } of this.departures) {
      const { service, address, pod } = this.#directory.endpoint(endpoint);
      const names = [this.#directory.service(service), address, pod, change, atNs];
      if (byNode.size === 0) {
        yield [...names, null, 0, null, null, ...staleFates.map(() => 0), 0];
      }
      for (const [node, sent] of [...byNode].sort(([a], [b]) => a - b)) {
        const { firstNs, lastNs } = sent;
        const fates = fatesOf(sent);
        const others = othersOf(sent, fates);
        yield [
          ...names,
          this.#directory.nodes[node] ?? "outside the cluster",
          fates.reduce((sum, each) => sum + each, others),
          firstNs === null ? null : firstNs - atNs,
          lastNs === null ? null : lastNs - atNs,
          ...fates,
          others,
        ];
      }
    }
  }
}

function fatesOf({ ended }: Sent): number[] {
  return fateCodes.map((code) => ended[code]!);
}

/** Routed, and no client's request told what became of it. */
function othersOf({ connections }: Sent, fates: readonly number[]): number {
  return Math.max(0, connections - fates.reduce((sum, each) => sum + each, 0));
}
