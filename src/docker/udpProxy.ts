/**
 * docker-proxy for a published UDP port: a socket on the host, and one to the container for each client.
 *
 * Owns: those sockets, the copying between them one datagram at a time, and that a client's socket goes when the
 * container has not answered on it for long. An answer leaves from the address that the client asked (IP_PKTINFO,
 * moby#48571). Source: moby cmd/docker-proxy/udp_proxy_linux.go.
 */
import { Phase, type DurationNs, type EventKind } from "../engine/index.ts";
import type { AddressId } from "../network/address.ts";
import type { Namespace } from "../network/host.ts";
import type { Datagram, DatagramHandler, Socket, SocketHandler } from "../network/socket.ts";
import type { Transport } from "../network/transport.ts";

/** A datagram that has been read and is yet to be written on the other side. */
interface Read {
  readonly bytes: number;
  readonly message: number;
  readonly info: number;
}

interface FrontRead extends Read {
  readonly client: AddressId;
  readonly clientPort: number;
  /** What the client asked. */
  readonly asked: AddressId;
}

/** One client, by its address and port. */
interface Flow {
  readonly index: number;
  readonly proxy: UdpProxy;
  readonly client: AddressId;
  readonly clientPort: number;
  readonly asked: AddressId;
  back: Socket | null;
  readonly answers: Read[];
  /** When the container last answered, or the flow began. */
  readSinceNs: number;
}

/** All of a simulation, with their copies as numeric events. */
export class UdpProxies {
  readonly transport: Transport;
  readonly #relayNs: DurationNs;
  readonly #timeoutNs: DurationNs;
  readonly #proxies: UdpProxy[] = [];
  readonly #flows: Flow[] = [];
  readonly #fromFront: EventKind;
  readonly #fromBack: EventKind;
  readonly #expired: EventKind;

  constructor(transport: Transport, relayNs: DurationNs, timeoutNs: DurationNs) {
    this.transport = transport;
    this.#relayNs = relayNs;
    this.#timeoutNs = timeoutNs;
    const { sim } = transport.network;
    const kind = (name: string, phase: Phase, run: (index: number) => void): EventKind =>
      sim.defineKind(name, phase, run);
    this.#fromFront = kind("docker_proxy_udp_forwarded", Phase.complete, (index) =>
      this.#proxies[index]!.forwarded(),
    );
    this.#fromBack = kind("docker_proxy_udp_answered", Phase.complete, (index) => {
      const flow = this.#flows[index]!;
      flow.proxy.answered(flow);
    });
    this.#expired = kind("docker_proxy_udp_expired", Phase.timeout, (index) =>
      this.#look(this.#flows[index]!),
    );
  }

  add(proxy: UdpProxy): number {
    return this.#proxies.push(proxy) - 1;
  }

  /** The next datagram from clients is written when it has been copied. */
  forward(proxy: number): void {
    const { sim } = this.transport.network;
    sim.post(sim.nowNs + this.#relayNs, this.#fromFront, proxy, 0);
  }

  /** So is the next answer of a container. */
  answer({ index }: Flow): void {
    const { sim } = this.transport.network;
    sim.post(sim.nowNs + this.#relayNs, this.#fromBack, index, 0);
  }

  open(proxy: UdpProxy, { client, clientPort, asked }: FrontRead): Flow {
    const { sim } = this.transport.network;
    const index = this.#flows.length;
    const readSinceNs = sim.nowNs;
    const own = { index, proxy, client, clientPort, asked, back: null, answers: [], readSinceNs };
    const flow: Flow = own;
    this.#flows.push(flow);
    sim.post(sim.nowNs + this.#timeoutNs, this.#expired, index, 0);
    return flow;
  }

  flowOf(back: Socket): Flow {
    return this.#flows[back.user]!;
  }

  #look(flow: Flow): void {
    if (flow.back === null) return;
    const { sim } = this.transport.network;
    const dueNs = flow.readSinceNs + this.#timeoutNs;
    if (dueNs <= sim.nowNs) flow.proxy.forget(flow);
    else sim.post(dueNs, this.#expired, flow.index, 0);
  }
}

export class UdpProxy implements DatagramHandler, SocketHandler {
  readonly #proxies: UdpProxies;
  readonly #index: number;
  readonly #host: Namespace;
  readonly #containerAddress: AddressId;
  readonly #containerPort: number;
  readonly #flows = new Map<string, Flow>();
  readonly #waiting: FrontRead[] = [];
  #front: Socket | null = null;

  constructor(
    proxies: UdpProxies,
    host: Namespace,
    containerAddress: AddressId,
    containerPort: number,
  ) {
    this.#proxies = proxies;
    this.#index = proxies.add(this);
    this.#host = host;
    this.#containerAddress = containerAddress;
    this.#containerPort = containerPort;
  }

  /** @returns whether the port could be bound */
  listen(hostAddress: AddressId, hostPort: number): boolean {
    const { udp } = this.#proxies.transport;
    this.#front = udp.bind(this.#host, hostAddress, hostPort, this, 0);
    return this.#front !== null;
  }

  /** The daemon ends the process: the kernel closes its sockets. */
  stop(): void {
    const { udp } = this.#proxies.transport;
    if (this.#front !== null) udp.close(this.#front);
    this.#front = null;
    for (const flow of this.#flows.values()) this.forget(flow);
  }

  datagram(_front: Socket, datagram: Datagram): void {
    const { payloadBytes: bytes, message, messageInfo: info } = datagram;
    const { source: client, sourcePort: clientPort, destination: asked } = datagram;
    this.#waiting.push({ bytes, message, info, client, clientPort, asked });
    // One goroutine reads: what comes meanwhile stays in the socket's buffer.
    if (this.#waiting.length === 1) this.#proxies.forward(this.#index);
  }

  forwarded(): void {
    if (this.#front === null) return;
    const { udp } = this.#proxies.transport;
    const read = this.#waiting.shift()!;
    udp.read(this.#front, read.bytes);
    const { back } = this.#flowOf(read);
    if (back !== null) udp.send(back, read.bytes, read.message, read.info);
    if (this.#waiting.length > 0) this.#proxies.forward(this.#index);
  }

  message(back: Socket, message: number, info: number, bytes: number): void {
    const flow = this.#proxies.flowOf(back);
    flow.answers.push({ bytes, message, info });
    if (flow.answers.length === 1) this.#proxies.answer(flow);
  }

  answered(flow: Flow): void {
    if (flow.back === null || this.#front === null) return;
    const { udp, network } = this.#proxies.transport;
    flow.readSinceNs = network.sim.nowNs;
    const { bytes, message, info } = flow.answers.shift()!;
    const { client, clientPort, asked } = flow;
    udp.sendTo(this.#front, client, clientPort, bytes, message, info, asked);
    if (flow.answers.length > 0) this.#proxies.answer(flow);
  }

  /** The container does not listen (ECONNREFUSED): docker-proxy reads on. */
  failed(): void {}

  connected(): void {
    throw new Error("a UDP socket does not connect");
  }

  peerClosed(): void {
    throw new Error("a UDP socket has no peer that closes");
  }

  forget(flow: Flow): void {
    if (flow.back !== null) this.#proxies.transport.udp.close(flow.back);
    flow.back = null;
    this.#flows.delete(keyOf(flow));
  }

  #flowOf(read: FrontRead): Flow {
    const known = this.#flows.get(keyOf(read));
    if (known !== undefined) return known;
    const flow = this.#proxies.open(this, read);
    const { udp } = this.#proxies.transport;
    const [address, port] = [this.#containerAddress, this.#containerPort];
    flow.back = udp.connect(this.#host, address, port, this, flow.index);
    this.#flows.set(keyOf(flow), flow);
    return flow;
  }
}

function keyOf({ client, clientPort }: Pick<Flow, "client" | "clientPort">): string {
  return `${client} ${clientPort}`;
}
