/**
 * A virtual server of one node: a Service's address and port, with its real servers.
 *
 * Owns: the list of real servers in the kernel's order, draining them by weight 0, and persistence.
 * Refuses to own: how one is chosen (schedulers.ts), when a drained one may go (modes/ipvs.ts).
 */
import type { SimTimeNs } from "../../../engine/index.ts";
import type { AddressId } from "../../../network/address.ts";
import type { DestinationKindCode, RuleEndpoint } from "../rules.ts";
import { schedulers, type Hashed, type RealServer, type SchedulerName } from "./schedulers.ts";

/** Where a virtual server listens. */
export interface VirtualAddress {
  readonly address: AddressId;
  readonly port: number;
  readonly protocol: number;
  readonly kind: DestinationKindCode;
}

export class VirtualServer {
  readonly at: VirtualAddress;
  /** Newest first: the kernel puts a new destination at the head of its list. */
  readonly servers: RealServer[] = [];
  readonly #scheduler: ReturnType<(typeof schedulers)[SchedulerName]>;
  /** Persistence templates: the client's server, and until when without a new connection. */
  readonly #templates = new Map<AddressId, RealServer>();
  readonly #templateEnds = new Map<AddressId, SimTimeNs>();

  constructor(
    at: VirtualAddress,
    scheduler: SchedulerName,
    wordOf: (endpoint: RuleEndpoint) => number,
  ) {
    this.at = at;
    this.#scheduler = schedulers[scheduler](this.servers, wordOf);
  }

  /**
   * Brings the list to `wanted`, in the order of their texts.
   * @returns the servers that are no longer wanted, at weight 0
   */
  sync(wanted: readonly RuleEndpoint[]): RealServer[] {
    const known = new Map(this.servers.map((server) => [server.endpoint.text, server]));
    const texts = new Set(wanted.map(({ text }) => text));
    for (const endpoint of wanted) {
      const server = known.get(endpoint.text);
      if (server !== undefined && server.weight > 0) server.endpoint = endpoint;
      else this.#add(endpoint, server);
    }
    const gone = this.servers.filter(({ endpoint, weight }) => {
      return weight > 0 && !texts.has(endpoint.text);
    });
    for (const server of gone) server.weight = 0;
    if (gone.length > 0) this.#scheduler.reweighted();
    return gone;
  }

  /** A server that drains and is wanted again leaves the list and comes back to its head. */
  #add(endpoint: RuleEndpoint, draining: RealServer | undefined): void {
    if (draining !== undefined) this.delete(draining);
    const server = draining ?? { endpoint, weight: 1, active: 0, inactive: 0 };
    server.endpoint = endpoint;
    server.weight = 1;
    this.servers.unshift(server);
    this.#scheduler.inserted(0);
  }

  delete(server: RealServer): void {
    const index = this.servers.indexOf(server);
    if (index < 0) return;
    this.#scheduler.removing(index);
    this.servers.splice(index, 1);
  }

  /** null: no destination is available. */
  schedule(packet: Hashed): RealServer | null {
    return this.#scheduler.schedule(packet);
  }

  /** The server that a client is bound to. A drained one binds nobody (expire_quiescent_template). */
  boundTo(client: AddressId, nowNs: SimTimeNs): RealServer | null {
    const server = this.#templates.get(client);
    if (server === undefined || server.weight === 0) return null;
    return nowNs < this.#templateEnds.get(client)! ? server : null;
  }

  bind(client: AddressId, server: RealServer, untilNs: SimTimeNs): void {
    this.#templates.set(client, server);
    this.#templateEnds.set(client, untilNs);
  }
}
