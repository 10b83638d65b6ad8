/**
 * The published ports of one host: allocated by the daemon, bound by docker-proxy, translated by nat rules.
 *
 * Owns: that a container's ports are taken all together or not at all, in the daemon's order, and the errors that
 * tell why not. Refuses to own: each of the three parts.
 */
import { NO_ADDRESS, type AddressId } from "../network/address.ts";
import type { Host } from "../network/host.ts";
import { TransportProtocol } from "../network/nat.ts";
import type { DatagramHandler } from "../network/socket.ts";
import type { Transport } from "../network/transport.ts";
import { ANY_ADDRESS, type PublishedPort } from "./contract.ts";
import type { DockerNatRules } from "./natRules.ts";
import { PortAllocator } from "./portAllocator.ts";
import { UdpProxy, type UdpProxies } from "./udpProxy.ts";
import { holdPort, UserlandProxy, type UserlandProxies } from "./userlandProxy.ts";

/** What undoes one step. */
type Undo = () => void;

const PROTOCOLS = { tcp: TransportProtocol.TCP, udp: TransportProtocol.UDP } as const;

/** The processes that serve published ports. */
export interface Proxies {
  readonly tcp: UserlandProxies;
  readonly udp: UdpProxies;
}

export interface Publication {
  /** Gives the ports back. */
  readonly end: Undo;
}

export class PublishedPorts {
  readonly #transport: Transport;
  readonly #host: Host;
  readonly #rules: DockerNatRules;
  /** null: --userland-proxy=false. */
  readonly #proxies: Proxies | null;
  readonly #allocator = new PortAllocator();

  constructor(options: {
    readonly transport: Transport;
    readonly host: Host;
    readonly rules: DockerNatRules;
    readonly proxies: Proxies | null;
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
      this.#clearConntrack(container, []);
    };
    for (const port of ports) {
      const error = this.#publishOne(port, container, undo);
      if (error === null) continue;
      end();
      return error;
    }
    this.#clearConntrack(container, ports);
    return { end };
  }

  /**
   * clearConntrackEntries: flows that were tracked while the rules were others would go on as they did. All that
   * an answer from or to the container's address belongs to; and what came for its UDP ports.
   */
  #clearConntrack(container: AddressId, ports: readonly PublishedPort[]): void {
    const { conntrack } = this.#host;
    if (conntrack === null || container === NO_ADDRESS) return;
    const udpPorts = new Set(
      ports.flatMap(({ protocol, hostPort }) => (protocol === "udp" ? [hostPort] : [])),
    );
    for (const protocol of Object.values(PROTOCOLS)) {
      const isUdp = protocol === TransportProtocol.UDP;
      conntrack.deleteEntries(
        protocol,
        ({ replySource, replyDestination, originalDestinationPort }) =>
          replySource === container ||
          replyDestination === container ||
          (isUdp && udpPorts.has(originalDestinationPort)),
      );
    }
  }

  #publishOne(port: PublishedPort, container: AddressId, undo: Undo[]): string | null {
    const { protocol, hostIP, hostPort, containerPort } = port;
    const refused = this.#allocator.request(port);
    if (refused !== null) return refused;
    undo.push(() => this.#allocator.release(port));
    const hostAddress =
      hostIP === ANY_ADDRESS ? NO_ADDRESS : this.#transport.network.addresses.intern(hostIP);
    const unbind = this.#bind(port, hostAddress, container);
    if (unbind === null)
      return `listen ${protocol} ${hostIP}:${hostPort}: bind: address already in use`;
    undo.push(unbind);
    const at = { protocol: PROTOCOLS[protocol], hostAddress, hostPort };
    const rule = { ...at, containerAddress: container, containerPort };
    this.#rules.append(rule);
    undo.push(() => this.#rules.delete(rule));
    return null;
  }

  /** @returns what gives the port back to the kernel, or null for EADDRINUSE */
  #bind(port: PublishedPort, hostAddress: AddressId, container: AddressId): Undo | null {
    const { namespace } = this.#host;
    const { protocol, containerPort } = port;
    if (this.#proxies === null && protocol === "udp") return this.#holdUdp(port, hostAddress);
    if (this.#proxies === null) {
      const listener = holdPort(this.#transport, namespace, hostAddress, port.hostPort);
      return listener === null ? null : () => this.#transport.closeListener(listener);
    }
    const { tcp, udp } = this.#proxies;
    const proxy =
      protocol === "udp"
        ? new UdpProxy(udp, namespace, container, containerPort)
        : new UserlandProxy(tcp, namespace, container, containerPort);
    return proxy.listen(hostAddress, port.hostPort) ? () => proxy.stop() : null;
  }

  /** The daemon holds the port so without docker-proxy; nothing comes to it. */
  #holdUdp({ hostPort }: PublishedPort, hostAddress: AddressId): Undo | null {
    const { udp } = this.#transport;
    const handler: DatagramHandler = {
      datagram: (socket, { payloadBytes }) => udp.read(socket, payloadBytes),
    };
    const socket = udp.bind(this.#host.namespace, hostAddress, hostPort, handler, 0);
    return socket === null ? null : () => udp.close(socket);
  }
}
