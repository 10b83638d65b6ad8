/**
 * connection_flows.csv: new connections by window, from the node that chose to the node of the endpoint. What a
 * report's replay draws; recorded only when it is asked for.
 *
 * Owns: the counts of one window in typed arrays, and its rows. Refuses to own: single endpoints (endpoint-load.ts) and
 * which answers came (routes.ts).
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { grown, NumberColumn } from "../columns.ts";
import type { Directory } from "../directory.ts";
import { columnsOf } from "../metrics.ts";
import type { Recorder, Row, Table } from "../recorder.ts";

const file = "connection_flows.csv";

export class ConnectionFlows implements Recorder {
  readonly #directory: Directory;
  /** Ways so far by (destination, node), in the order in which they were first taken. */
  readonly #ways = new Map<number, number>();
  readonly #way = {
    node: new NumberColumn(),
    service: new NumberColumn(),
    endpointNode: new NumberColumn(),
  };
  /** By way, in the window that is open. */
  private connections = new Float64Array(64);
  private stale = new Float64Array(64);
  /** Ways with a connection in it. */
  readonly #taken: number[] = [];
  /** By endpoint: number of its (Service, node), plus 1. */
  private destination = new Float64Array(64);
  readonly #destinations = new Map<string, number>();
  readonly #rows = {
    startNs: new NumberColumn(),
    windowNs: new NumberColumn(),
    way: new NumberColumn(),
    connections: new NumberColumn(),
    stale: new NumberColumn(),
  };

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  connectionRouted(node: number, endpoint: number, _atNs: SimTimeNs, staleRouted: number): void {
    const way = this.#wayOf(node, endpoint);
    if (this.connections[way] === 0) this.#taken.push(way);
    this.connections[way]! += 1;
    this.stale[way]! += staleRouted;
  }

  connectionDialled(node: number, endpoint: number, atNs: SimTimeNs, staleRouted: number): void {
    this.connectionRouted(node, endpoint, atNs, staleRouted);
  }

  #wayOf(node: number, endpoint: number): number {
    if (endpoint >= this.destination.length) {
      this.destination = grown(this.destination, endpoint + 1);
    }
    let to = this.destination[endpoint]!;
    if (to === 0) this.destination[endpoint] = to = this.#newDestination(endpoint) + 1;
    // A node outside of the cluster is -1.
    const key = (to - 1) * (this.#directory.nodes.length + 1) + node + 1;
    return this.#ways.get(key) ?? this.#newWay(key, node, endpoint);
  }

  #newDestination(endpoint: number): number {
    const { service, node } = this.#directory.endpoint(endpoint);
    const key = `${service} ${node}`;
    const known = this.#destinations.get(key) ?? this.#destinations.size;
    this.#destinations.set(key, known);
    return known;
  }

  #newWay(key: number, node: number, endpoint: number): number {
    const way = this.#ways.size;
    this.#ways.set(key, way);
    const to = this.#directory.endpoint(endpoint);
    this.#way.node.push(node);
    this.#way.service.push(to.service);
    this.#way.endpointNode.push(this.#directory.nodeIndex(to.node));
    if (way >= this.connections.length) {
      this.connections = grown(this.connections, way + 1);
      this.stale = grown(this.stale, way + 1);
    }
    return way;
  }

  windowClosed(startNs: SimTimeNs, endNs: SimTimeNs): void {
    for (const way of this.#taken.sort((a, b) => a - b)) {
      this.#rows.startNs.push(startNs);
      this.#rows.windowNs.push(endNs - startNs);
      this.#rows.way.push(way);
      this.#rows.connections.push(this.connections[way]!);
      this.#rows.stale.push(this.stale[way]!);
      this.connections[way] = 0;
      this.stale[way] = 0;
    }
    this.#taken.length = 0;
  }

  tables(): readonly Table[] {
    return [
      { file, columns: columnsOf(file), rows: { [Symbol.iterator]: () => this.#tableRows() } },
    ];
  }

  *#tableRows(): Generator<Row> {
    const rows = this.#rows;
    const { nodes } = this.#directory;
    for (let i = 0; i < rows.way.length; i++) {
      const way = rows.way.at(i);
      yield [
        this.#directory.service(this.#way.service.at(way)),
        rows.startNs.at(i),
        rows.windowNs.at(i),
        nodes[this.#way.node.at(way)] ?? null,
        nodes[this.#way.endpointNode.at(way)]!,
        rows.connections.at(i),
        rows.stale.at(i),
      ];
    }
  }
}
