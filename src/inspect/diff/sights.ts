/**
 * What a run has told last, in words: a bounded record.
 *
 * Owns: which observations are worth a line, and their text. Refuses to own: where two runs part (lockstep.ts).
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { Directory } from "../../observe/directory.ts";
import { outcomeNames, type Observer } from "../../observe/index.ts";

export interface Sight {
  readonly atNs: SimTimeNs;
  readonly text: string;
}

export class Sights implements Observer {
  /** The last ones, oldest first. */
  readonly last: Sight[] = [];
  readonly directory = new Directory();
  readonly #most: number;
  readonly #nowNs: () => SimTimeNs;
  seen = 0;
  requestsStarted = 0;
  requestsEnded = 0;
  requestsFailed = 0;

  /** @param nowNs of the run, for observations that carry no time */
  constructor(most: number, nowNs: () => SimTimeNs) {
    this.#most = most;
    this.#nowNs = nowNs;
  }

  /** To be handed to the run, in this order: names first. */
  get observers(): readonly Observer[] {
    return [this.directory, this];
  }

  event(atNs: SimTimeNs, kind: string, object: string, detail: string): void {
    this.#add(atNs, `${object}: ${kind}${detail === "" ? "" : ` (${detail})`}`);
  }

  requestStarted(client: number, service: number, atNs: SimTimeNs): void {
    this.requestsStarted++;
    this.#add(atNs, `${this.#client(client)} asks ${this.#service(service)}`);
  }

  requestEnded(client: number, service: number, outcome: number, startedAtNs: SimTimeNs): void {
    this.requestsEnded++;
    if (outcome > 0) this.requestsFailed++;
    const tookNs = this.#nowNs() - startedAtNs;
    const how = `${outcomeNames[outcome]} after ${tookNs} ns`;
    this.#add(this.#nowNs(), `${this.#client(client)} of ${this.#service(service)}: ${how}`);
  }

  connectionDialled(node: number, endpoint: number, atNs: SimTimeNs): void {
    this.#add(atNs, `${this.directory.nodes[node]} sends a connection to ${this.#pod(endpoint)}`);
  }

  endpointChanged(_id: number, service: string, endpoint: string, change: string): void {
    this.#add(this.#nowNs(), `${service}: endpoint ${endpoint}: ${change}`);
  }

  rulesApplied(node: number, service: string, version: number, atNs: SimTimeNs): void {
    const name = this.directory.nodes[node];
    this.#add(atNs, `${name} has version ${version} of ${service} in force`);
  }

  #client(index: number): string {
    return this.directory.clients[index] ?? `client ${index}`;
  }

  #service(index: number): string {
    return this.directory.services[index] ?? `Service ${index}`;
  }

  #pod(index: number): string {
    const endpoint = this.directory.endpoints[index];
    return endpoint === undefined ? `endpoint ${index}` : `${endpoint.pod} (${endpoint.address})`;
  }

  #add(atNs: SimTimeNs, text: string): void {
    this.seen++;
    this.last.push({ atNs, text });
    if (this.last.length > this.#most) this.last.shift();
  }
}
