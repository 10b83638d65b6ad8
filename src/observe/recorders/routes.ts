/**
 * routes.csv and sources.csv: which way clients' connections went, and from whom servers saw them come.
 *
 * Owns: counts by deciding node and endpoint's node, and by address; only of connections that brought an
 * answer, as what a server saw of others nobody knows. Refuses to own: what each endpoint got (endpoint-load.ts).
 */
import type { Directory } from "../directory.ts";
import { columnsOf } from "../metrics.ts";
import type { Recorder, Row, Table } from "../recorder.ts";
import type { RouteTotals, RunTotals } from "../totals.ts";

const routesFile = "routes.csv";
const sourcesFile = "sources.csv";

interface Count {
  connections: number;
  masqueraded: number;
}

/** Connections from one address of a client under one address that servers saw. */
interface Seen {
  connections: number;
  moved: number;
  readonly endpoints: Set<number>;
}

/** One address of a client: where its last connection went, and as whom servers saw it. */
interface Source {
  endpoint: number;
  readonly seen: Map<number, Seen>;
}

/** What one client asked of one Service. */
interface Pair {
  readonly client: number;
  readonly service: number;
  /** By the node that chose, then by endpoint. */
  readonly byNode: Map<number, Map<number, Count>>;
  readonly sources: Map<number, Source>;
}

export class Routes implements Recorder {
  readonly #directory: Directory;
  /** By client, then by Service. */
  private readonly byClient: (Pair | undefined)[][] = [];

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  connectionAnswered(
    client: number,
    service: number,
    node: number,
    endpoint: number,
    source: number,
    seenAs: number,
  ): void {
    const pair = this.byClient[client]?.[service] ?? this.#newPair(client, service);
    const way = countOf(pair, node, endpoint);
    way.connections++;
    if (source !== seenAs) way.masqueraded++;
    let from = pair.sources.get(source);
    if (from === undefined) pair.sources.set(source, (from = { endpoint, seen: new Map() }));
    let seen = from.seen.get(seenAs);
    if (seen === undefined) {
      from.seen.set(seenAs, (seen = { connections: 0, moved: 0, endpoints: new Set() }));
    }
    seen.connections++;
    seen.endpoints.add(endpoint);
    if (from.endpoint !== endpoint) seen.moved++;
    from.endpoint = endpoint;
  }

  tables(): readonly Table[] {
    return [
      {
        file: routesFile,
        columns: columnsOf(routesFile),
        rows: { [Symbol.iterator]: () => this.#routeRows() },
      },
      {
        file: sourcesFile,
        columns: columnsOf(sourcesFile),
        rows: { [Symbol.iterator]: () => this.#sourceRows() },
      },
    ];
  }

  totals(): Partial<RunTotals> {
    return { routes: [...this.#pairs()].map((pair) => this.#totalsOf(pair)) };
  }

  *#routeRows(): Generator<Row> {
    const { nodes, zones } = this.#directory;
    for (const pair of this.#pairs()) {
      for (const [node, endpoints] of pair.byNode) {
        for (const [to, { connections, masqueraded }] of this.#byEndpointNode(endpoints)) {
          yield [
            this.#directory.client(pair.client),
            this.#directory.service(pair.service),
            nodes[node] ?? null,
            zones[node] ?? null,
            nodes[to]!,
            zones[to] ?? null,
            connections,
            masqueraded,
          ];
        }
      }
    }
  }

  *#sourceRows(): Generator<Row> {
    const { addresses } = this.#directory;
    for (const { client, service, sources } of this.#pairs()) {
      for (const [source, { seen }] of sources) {
        for (const [seenAs, { connections, endpoints, moved }] of seen) {
          yield [
            this.#directory.client(client),
            this.#directory.service(service),
            addresses[source]!,
            addresses[seenAs]!,
            connections,
            endpoints.size,
            moved,
          ];
        }
      }
    }
  }

  #totalsOf({ client, service, byNode, sources }: Pair): RouteTotals {
    const { zones } = this.#directory;
    const hasZones = zones.length > 0 && zones.every((zone) => zone !== null);
    let [answered, toOtherNode, toOtherZone, masqueraded, moved] = [0, 0, 0, 0, 0];
    for (const [node, endpoints] of byNode) {
      for (const [to, way] of this.#byEndpointNode(endpoints)) {
        answered += way.connections;
        masqueraded += way.masqueraded;
        if (to !== node) toOtherNode += way.connections;
        if (zones[to] !== zones[node]) toOtherZone += way.connections;
      }
    }
    const sourcesSeen = new Set<number>();
    for (const { seen } of sources.values()) {
      for (const [seenAs, each] of seen) {
        sourcesSeen.add(seenAs);
        moved += each.moved;
      }
    }
    return {
      client: this.#directory.client(client),
      ...this.#directory.callMark(client, true as const),
      service: this.#directory.service(service),
      answered,
      toOtherNode,
      toOtherZone: hasZones ? toOtherZone : null,
      masqueraded,
      sourcesSeen: sourcesSeen.size,
      moved,
    };
  }

  #byEndpointNode(endpoints: ReadonlyMap<number, Count>): Map<number, Count> {
    const byNode = new Map<number, Count>();
    for (const [endpoint, { connections, masqueraded }] of endpoints) {
      const node = this.#directory.nodeIndex(this.#directory.endpoint(endpoint).node);
      const sum = byNode.get(node);
      if (sum === undefined) byNode.set(node, { connections, masqueraded });
      else {
        sum.connections += connections;
        sum.masqueraded += masqueraded;
      }
    }
    return byNode;
  }

  *#pairs(): Generator<Pair> {
    for (const services of this.byClient) {
      for (const pair of services ?? []) if (pair !== undefined) yield pair;
    }
  }

  #newPair(client: number, service: number): Pair {
    const pair: Pair = { client, service, byNode: new Map(), sources: new Map() };
    (this.byClient[client] ??= [])[service] = pair;
    return pair;
  }
}

function countOf({ byNode }: Pair, node: number, endpoint: number): Count {
  let endpoints = byNode.get(node);
  if (endpoints === undefined) byNode.set(node, (endpoints = new Map()));
  let count = endpoints.get(endpoint);
  if (count === undefined) endpoints.set(endpoint, (count = { connections: 0, masqueraded: 0 }));
  return count;
}
