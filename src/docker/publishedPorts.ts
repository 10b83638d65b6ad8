/**
 * The published ports of one host: allocated by the daemon, bound by docker-proxy, translated by nat rules.
 *
 * Owns: that a container's ports are taken all together or not at all, in the daemon's order, and the errors that
 * tell why not. Refuses to own: each of the three parts.
 */
import { NO_ADDRESS, type AddressId } from "../network/address.ts";
import type { Host } from "../network/host.ts";
import type { Transport } from "../network/transport.ts";
import { ANY_ADDRESS, type PublishedPort } from "./contract.ts";
import type { DockerNatRules } from "./natRules.ts";
import { PortAllocator } from "./portAllocator.ts";
import { holdPort, UserlandProxy, type UserlandProxies } from "./userlandProxy.ts";

/** What undoes one step. */
type Undo = () => void;

export interface Publication {
  /** Gives the ports back. */
  readonly end: Undo;
}

export class PublishedPorts {
  readonly #transport: Transport;
  readonly #host: Host;
  readonly #rules: DockerNatRules;
  /** null: --userland-proxy=false. */
  readonly #proxies: UserlandProxies | null;
  readonly #allocator = new PortAllocator();

  constructor(options: {
    readonly transport: Transport;
    readonly host: Host;
    readonly rules: DockerNatRules;
    readonly proxies: UserlandProxies | null;
  }) {
    this.#transport = options.transport;
    this.#host = options.host;
    this.#rules = options.rules;
    this.#proxies = options.proxies;
  }

  /** @returns the ports, or the error for which none of them was published */
  publish(ports: readonly PublishedPort[], container: AddressId): Publication | string {
    const undo: Undo[] = [];
    const end = (): void => {
      for (const step of undo.toReversed()) step();
    };
    for (const port of ports) {
      const error = this.#publishOne(port, container, undo);
      if (error === null) continue;
      end();
      return error;
    }
    return { end };
  }

  #publishOne(port: PublishedPort, container: AddressId, undo: Undo[]): string | null {
    const { hostIP, hostPort, containerPort } = port;
    const refused = this.#allocator.request(hostIP, hostPort);
    if (refused !== null) return refused;
    undo.push(() => this.#allocator.release(hostIP, hostPort));
    const hostAddress =
      hostIP === ANY_ADDRESS ? NO_ADDRESS : this.#transport.network.addresses.intern(hostIP);
    const unbind = this.#bind(port, hostAddress, container);
    if (unbind === null) return `listen tcp ${hostIP}:${hostPort}: bind: address already in use`;
    undo.push(unbind);
    const rule = { hostAddress, hostPort, containerAddress: container, containerPort };
    this.#rules.append(rule);
    undo.push(() => this.#rules.delete(rule));
    return null;
  }

  /** @returns what gives the port back to the kernel, or null for EADDRINUSE */
  #bind(port: PublishedPort, hostAddress: AddressId, container: AddressId): Undo | null {
    const { namespace } = this.#host;
    if (this.#proxies === null) {
      const listener = holdPort(this.#transport, namespace, hostAddress, port.hostPort);
      return listener === null ? null : () => this.#transport.closeListener(listener);
    }
    const proxy = new UserlandProxy(this.#proxies, namespace, container, port.containerPort);
    return proxy.listen(hostAddress, port.hostPort) ? () => proxy.stop() : null;
  }
}
