/**
 * The names behind the indices: clients, Services, endpoints, nodes.
 *
 * Owns: remembering each registration. Refuses to own: counting anything. Recorders read it when they
 * write their rows, so that hot observations carry numbers only.
 */
import type { Observer } from "./observations.ts";

export interface EndpointName {
  /** Index of the Service. */
  readonly service: number;
  /** "ip:port". */
  readonly address: string;
  readonly pod: string;
  readonly node: string;
}

export class Directory implements Observer {
  readonly clients: string[] = [];
  /** By client: whether it is a server that calls another. */
  readonly #areCalls: boolean[] = [];
  readonly services: string[] = [];
  readonly endpoints: EndpointName[] = [];
  readonly nodes: string[] = [];
  /** By node; null where it is in none. */
  readonly zones: (string | null)[] = [];
  readonly addresses: string[] = [];
  readonly #nodeIndex = new Map<string, number>();

  clientNamed(client: number, name: string, isCall: 0 | 1): void {
    this.clients[client] = name;
    this.#areCalls[client] = isCall === 1;
  }

  /** The mark that totals and trends of a server's calls carry, and those of other clients do not. */
  callMark<T>(client: number, mark: T): { readonly isCall?: T } {
    return this.#areCalls[client] === true ? { isCall: mark } : {};
  }

  serviceNamed(service: number, name: string): void {
    this.services[service] = name;
  }

  endpointNamed(
    endpoint: number,
    service: number,
    address: string,
    pod: string,
    node: string,
  ): void {
    this.endpoints[endpoint] = { service, address, pod, node };
  }

  addressNamed(address: number, text: string): void {
    this.addresses[address] = text;
  }

  nodeNamed(node: number, name: string, zone: string | null): void {
    this.nodes[node] = name;
    this.zones[node] = zone;
    this.#nodeIndex.set(name, node);
  }

  /** @throws Error for a node that was never named: the model is at fault, not the user */
  nodeIndex(name: string): number {
    const index = this.#nodeIndex.get(name);
    if (index === undefined) throw new Error(`node ${name} was observed before it was named`);
    return index;
  }

  client(client: number): string {
    return this.clients[client] ?? `client-${client}`;
  }

  service(service: number): string {
    return this.services[service] ?? `service-${service}`;
  }

  /** @throws Error for an endpoint that was never named */
  endpoint(endpoint: number): EndpointName {
    const name = this.endpoints[endpoint];
    if (name === undefined)
      throw new Error(`endpoint ${endpoint} was observed before it was named`);
    return name;
  }
}
