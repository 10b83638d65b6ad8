/**
 * Load per endpoint and window: the one observer of endpoint traffic, which several files come from.
 *
 * Owns: counting requests, connections and requests in progress per endpoint, which endpoints a
 * Service can use, and one row per endpoint and window. Refuses to own: skew indices and file layout
 * (recorders/). Its hot methods touch typed arrays only, and an endpoint where nothing goes on costs no memory by window.
 */
import type { DurationNs, SimTimeNs } from "../engine/index.ts";
import { grown, NumberColumn } from "./columns.ts";
import type { Directory } from "./directory.ts";
import type { Observer } from "./observations.ts";

/** What an endpoint got in one window. */
export interface EndpointWindow {
  readonly endpoint: number;
  readonly requests: number;
  readonly connections: number;
  readonly staleConnections: number;
  readonly inFlightMean: number;
  /** Where skew compares the endpoint: usable in truth at the window's end, or it got traffic. */
  readonly compared: boolean;
}

export interface Window {
  readonly startNs: SimTimeNs;
  readonly windowNs: DurationNs;
  /** By endpoint; there may be none. To be gone through before the next window is asked for. */
  readonly rows: Iterable<EndpointWindow>;
}

export class EndpointWindows implements Observer {
  /** Where something went on. An endpoint without traffic has a row by what is known of its use alone. */
  readonly #busy = {
    endpoint: new NumberColumn(),
    requests: new NumberColumn(),
    connections: new NumberColumn(),
    staleConnections: new NumberColumn(),
    inFlightMean: new NumberColumn(),
  };
  readonly #windows = {
    startNs: new NumberColumn(),
    windowNs: new NumberColumn(),
    /** Of the columns of #busy and #use, up to the window's end. */
    busyEnd: new NumberColumn(),
    useEnd: new NumberColumn(),
  };
  /** Each time that an endpoint became usable, as it does when it is named, or ceased to be. */
  readonly #use = { endpoint: new NumberColumn(), usable: new NumberColumn() };
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
    this.#setUsable(endpoint, 1);
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
    if (index !== undefined) this.#setUsable(index, usable);
  }

  #setUsable(endpoint: number, usable: 0 | 1): void {
    if (this.usable[endpoint] === usable) return;
    this.usable[endpoint] = usable;
    this.#use.endpoint.push(endpoint);
    this.#use.usable.push(usable);
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
    this.#windows.startNs.push(startNs);
    this.#windows.windowNs.push(endNs - startNs);
    this.#windows.busyEnd.push(this.#busy.endpoint.length);
    this.#windows.useEnd.push(this.#use.endpoint.length);
  }

  #closeWindow(endpoint: number, startNs: SimTimeNs, endNs: SimTimeNs): void {
    const inFlight = this.inFlight[endpoint]!;
    const requests = this.requests[endpoint]!;
    const connections = this.connections[endpoint]!;
    if (inFlight === 0 && this.inFlightNs[endpoint] === 0 && requests + connections === 0) return;
    const inFlightNs =
      this.inFlightNs[endpoint]! + inFlight * (endNs - this.inFlightAtNs[endpoint]!);
    const busy = this.#busy;
    const windowNs = endNs - startNs;
    busy.endpoint.push(endpoint);
    busy.requests.push(requests);
    busy.connections.push(connections);
    busy.staleConnections.push(this.staleConnections[endpoint]!);
    busy.inFlightMean.push(windowNs > 0 ? inFlightNs / windowNs : inFlight);
    this.requests[endpoint] = 0;
    this.connections[endpoint] = 0;
    this.staleConnections[endpoint] = 0;
    this.inFlightNs[endpoint] = 0;
    this.inFlightAtNs[endpoint] = endNs;
  }

  /** The windows so far, in order. */
  *windows(): Generator<Window> {
    const usable = new Uint8Array(this.#count);
    let busyAt = 0;
    let useAt = 0;
    for (let i = 0; i < this.#windows.startNs.length; i++) {
      for (; useAt < this.#windows.useEnd.at(i); useAt++) {
        usable[this.#use.endpoint.at(useAt)] = this.#use.usable.at(useAt);
      }
      const busyEnd = this.#windows.busyEnd.at(i);
      const rows = this.#rowsOf(usable, busyAt, busyEnd);
      yield { startNs: this.#windows.startNs.at(i), windowNs: this.#windows.windowNs.at(i), rows };
      busyAt = busyEnd;
    }
  }

  *#rowsOf(usable: Uint8Array, from: number, end: number): Generator<EndpointWindow> {
    const busy = this.#busy;
    let row = from;
    for (let endpoint = 0; endpoint < usable.length; endpoint++) {
      if (row < end && busy.endpoint.at(row) === endpoint) {
        const requests = busy.requests.at(row);
        const connections = busy.connections.at(row);
        yield {
          endpoint,
          requests,
          connections,
          staleConnections: busy.staleConnections.at(row),
          inFlightMean: busy.inFlightMean.at(row),
          compared: usable[endpoint] === 1 || requests > 0 || connections > 0,
        };
        row++;
      } else if (usable[endpoint] === 1) yield { endpoint, ...IDLE };
    }
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

const IDLE = {
  requests: 0,
  connections: 0,
  staleConnections: 0,
  inFlightMean: 0,
  compared: true,
};

/** A space occurs in neither part, so the two cannot run into each other. */
function key(service: string, endpoint: string): string {
  return `${service} ${endpoint}`;
}
