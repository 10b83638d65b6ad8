/**
 * Load per endpoint and window: the one observer of endpoint traffic, which several files come from.
 *
 * Owns: counting requests, connections and requests in progress per endpoint, which endpoints a
 * Service can use, and one row per endpoint and window. Refuses to own: skew indices and file layout
 * (recorders/). Its hot methods touch typed arrays only.
 */
import type { SimTimeNs } from "../engine/index.ts";
import { grown, NumberColumn } from "./columns.ts";
import type { Directory } from "./directory.ts";
import type { Observer } from "./observations.ts";

/** The rows so far, as columns of equal length; rows of one window stand together, by endpoint. */
export interface EndpointWindowRows {
  readonly endpoint: NumberColumn;
  readonly windowStartNs: NumberColumn;
  readonly windowNs: NumberColumn;
  readonly requests: NumberColumn;
  readonly connections: NumberColumn;
  readonly staleConnections: NumberColumn;
  readonly inFlightMean: NumberColumn;
  /** 1 where skew compares the endpoint: usable in truth at the window's end, or it got traffic. */
  readonly compared: NumberColumn;
}

/** The windows so far: one of them may have no row at all. */
export interface WindowRows {
  readonly startNs: NumberColumn;
  readonly windowNs: NumberColumn;
  /** Rows up to the window's end. */
  readonly rowsEnd: NumberColumn;
}

export class EndpointWindows implements Observer {
  readonly rows: EndpointWindowRows = {
    endpoint: new NumberColumn(),
    windowStartNs: new NumberColumn(),
    windowNs: new NumberColumn(),
    requests: new NumberColumn(),
    connections: new NumberColumn(),
    staleConnections: new NumberColumn(),
    inFlightMean: new NumberColumn(),
    compared: new NumberColumn(),
  };
  readonly windows: WindowRows = {
    startNs: new NumberColumn(),
    windowNs: new NumberColumn(),
    rowsEnd: new NumberColumn(),
  };
  readonly #directory: Directory;
  /** Newest endpoint index by "service endpoint" text: an address can back a Service again later. */
  readonly #newest = new Map<string, number>();
  #count = 0;

  /** 1 while the endpoint may get new connections, in truth. */
  private usable = new Float64Array(64);
  private requests = new Float64Array(64);
  private connections = new Float64Array(64);
  private staleConnections = new Float64Array(64);
  private inFlight = new Float64Array(64);
  /** Integral of inFlight over the window so far, in request-nanoseconds, up to inFlightAtNs. */
  private inFlightNs = new Float64Array(64);
  private inFlightAtNs = new Float64Array(64);

  /** @param directory must get its names before this observer does */
  constructor(directory: Directory) {
    this.#directory = directory;
  }

  endpointNamed(endpoint: number, service: number, address: string): void {
    if (endpoint >= this.usable.length) this.#grow(endpoint + 1);
    this.#count = Math.max(this.#count, endpoint + 1);
    this.usable[endpoint] = 1;
    this.#newest.set(key(this.#directory.service(service), address), endpoint);
  }

  endpointChanged(
    _id: number,
    service: string,
    endpoint: string,
    _change: "added" | "removed" | "condition",
    _changedAtNs: SimTimeNs,
    usable: 0 | 1,
  ): void {
    const index = this.#newest.get(key(service, endpoint));
    if (index !== undefined) this.usable[index] = usable;
  }

  connectionRouted(_node: number, endpoint: number, _atNs: SimTimeNs, staleRouted: number): void {
    this.connections[endpoint]! += 1;
    this.staleConnections[endpoint]! += staleRouted;
  }

  connectionDialled(node: number, endpoint: number, atNs: SimTimeNs, staleRouted: number): void {
    this.connectionRouted(node, endpoint, atNs, staleRouted);
  }

  endpointRequestStarted(endpoint: number, atNs: SimTimeNs): void {
    this.requests[endpoint]! += 1;
    this.inFlightNs[endpoint]! += this.inFlight[endpoint]! * (atNs - this.inFlightAtNs[endpoint]!);
    this.inFlightAtNs[endpoint] = atNs;
    this.inFlight[endpoint]! += 1;
  }

  endpointRequestEnded(endpoint: number, atNs: SimTimeNs): void {
    this.inFlightNs[endpoint]! += this.inFlight[endpoint]! * (atNs - this.inFlightAtNs[endpoint]!);
    this.inFlightAtNs[endpoint] = atNs;
    this.inFlight[endpoint]! -= 1;
  }

  windowClosed(startNs: SimTimeNs, endNs: SimTimeNs): void {
    for (let endpoint = 0; endpoint < this.#count; endpoint++) {
      this.#closeWindow(endpoint, startNs, endNs);
    }
    this.windows.startNs.push(startNs);
    this.windows.windowNs.push(endNs - startNs);
    this.windows.rowsEnd.push(this.rows.endpoint.length);
  }

  #closeWindow(endpoint: number, startNs: SimTimeNs, endNs: SimTimeNs): void {
    const inFlight = this.inFlight[endpoint]!;
    const inFlightNs =
      this.inFlightNs[endpoint]! + inFlight * (endNs - this.inFlightAtNs[endpoint]!);
    const requests = this.requests[endpoint]!;
    const connections = this.connections[endpoint]!;
    const compared = this.usable[endpoint] === 1 || requests > 0 || connections > 0;
    if (compared || inFlightNs > 0 || inFlight > 0) {
      const { rows } = this;
      const windowNs = endNs - startNs;
      rows.endpoint.push(endpoint);
      rows.windowStartNs.push(startNs);
      rows.windowNs.push(windowNs);
      rows.requests.push(requests);
      rows.connections.push(connections);
      rows.staleConnections.push(this.staleConnections[endpoint]!);
      rows.inFlightMean.push(windowNs > 0 ? inFlightNs / windowNs : inFlight);
      rows.compared.push(compared ? 1 : 0);
    }
    this.requests[endpoint] = 0;
    this.connections[endpoint] = 0;
    this.staleConnections[endpoint] = 0;
    this.inFlightNs[endpoint] = 0;
    this.inFlightAtNs[endpoint] = endNs;
  }

  #grow(length: number): void {
    this.usable = grown(this.usable, length);
    this.requests = grown(this.requests, length);
    this.connections = grown(this.connections, length);
    this.staleConnections = grown(this.staleConnections, length);
    this.inFlight = grown(this.inFlight, length);
    this.inFlightNs = grown(this.inFlightNs, length);
    this.inFlightAtNs = grown(this.inFlightAtNs, length);
  }
}

/** A space occurs in neither part, so the two cannot run into each other. */
function key(service: string, endpoint: string): string {
  return `${service} ${endpoint}`;
}
