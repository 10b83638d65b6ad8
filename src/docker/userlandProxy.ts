/**
 * docker-proxy: a process on the host for each published port, which accepts there and dials the container.
 *
 * Owns: its two connections for each of a client's, and the copying between them, a cost for each message. It
 * serves what the nat rules leave: connections to 127.0.0.1, and those of containers to their own host. It
 * accepts before it dials, so a client of a container that does not listen is connected, and then reset. Source:
 * moby cmd/docker-proxy. Not modelled: half-closed connections (the end of one side ends both).
 */
import { Phase, type DurationNs, type EventKind } from "../engine/index.ts";
import type { AddressId } from "../network/address.ts";
import type { Namespace } from "../network/host.ts";
import { TransportProtocol } from "../network/nat.ts";
import type { Listener, ListenerHandler, Socket } from "../network/socket.ts";
import type { Transport } from "../network/transport.ts";

/** What was read on one side and is yet to be written on the other. */
interface Message {
  readonly bytes: number;
  readonly message: number;
  readonly info: number;
}

const { TCP } = TransportProtocol;

const FRONT = 0;
const BACK = 1;
type Side = typeof FRONT | typeof BACK;

/** A client's connection and the one to the container. */
interface Pair {
  readonly index: number;
  proxy: UserlandProxy;
  readonly sockets: [front: Socket | null, back: Socket | null];
  /** The container has answered the dial. */
  dialled: boolean;
  /** By the side it was read on; null for the end of the stream. */
  readonly read: [fromFront: (Message | null)[], fromBack: (Message | null)[]];
  /** Copies under way: the slot is free when both sockets and these are gone. */
  copies: number;
}

/** All docker-proxies of a simulation: their pairs, and their copies as numeric events. */
export class UserlandProxies {
  readonly transport: Transport;
  readonly #relayNs: DurationNs;
  readonly #copied: EventKind;
  readonly #pairs: Pair[] = [];
  readonly #free: Pair[] = [];

  constructor(transport: Transport, relayNs: DurationNs) {
    this.transport = transport;
    this.#relayNs = relayNs;
    const { sim } = transport.network;
    this.#copied = sim.defineKind("docker_proxy_copied", Phase.complete, (pair, side) =>
      this.#pairs[pair]!.proxy.copied(this.#pairs[pair]!, side as Side),
    );
  }

  pairOf(socket: Socket): Pair {
    return this.#pairs[socket.user >> 1]!;
  }

  take(proxy: UserlandProxy): Pair {
    let pair = this.#free.pop();
    if (pair === undefined) {
      const index = this.#pairs.length;
      pair = { index, proxy, sockets: [null, null], dialled: false, read: [[], []], copies: 0 };
      this.#pairs.push(pair);
    }
    pair.proxy = proxy;
    pair.dialled = false;
    return pair;
  }

  /** Copies what was read on `side` next; written when it has been copied. */
  copy(pair: Pair, side: Side): void {
    const { sim } = this.transport.network;
    pair.copies++;
    sim.post(sim.nowNs + this.#relayNs, this.#copied, pair.index, side);
  }

  release(pair: Pair): void {
    if (pair.copies > 0 || pair.sockets[FRONT] !== null || pair.sockets[BACK] !== null) return;
    pair.read[FRONT].length = 0;
    pair.read[BACK].length = 0;
    this.#free.push(pair);
  }
}

export class UserlandProxy implements ListenerHandler {
  readonly #proxies: UserlandProxies;
  readonly #host: Namespace;
  readonly #containerAddress: AddressId;
  readonly #containerPort: number;
  readonly #pairs = new Set<Pair>();
  #listener: Listener | null = null;

  constructor(
    proxies: UserlandProxies,
    host: Namespace,
    containerAddress: AddressId,
    containerPort: number,
  ) {
    this.#proxies = proxies;
    this.#host = host;
    this.#containerAddress = containerAddress;
    this.#containerPort = containerPort;
  }

  /** @returns whether the port could be bound */
  listen(hostAddress: AddressId, hostPort: number): boolean {
    const { transport } = this.#proxies;
    this.#listener = transport.listen(this.#host, hostPort, this, TCP, hostAddress);
    return this.#listener !== null;
  }

  /** The daemon ends the process: the kernel closes its sockets. */
  stop(): void {
    const { transport } = this.#proxies;
    if (this.#listener !== null) transport.closeListener(this.#listener);
    for (const pair of this.#pairs) this.#end(pair);
  }

  accepted(front: Socket): void {
    const { transport } = this.#proxies;
    const pair = this.#proxies.take(this);
    this.#pairs.add(pair);
    front.user = 2 * pair.index + FRONT;
    pair.sockets[FRONT] = front;
    const back = transport.connect(
      this.#host,
      this.#containerAddress,
      this.#containerPort,
      this,
      2 * pair.index + BACK,
    );
    pair.sockets[BACK] = back;
    if (back === null) this.#end(pair);
  }

  connected(back: Socket): void {
    const pair = this.#proxies.pairOf(back);
    pair.dialled = true;
    for (const _ of pair.read[FRONT]) this.#proxies.copy(pair, FRONT);
  }

  message(socket: Socket, message: number, info: number, bytes: number): void {
    this.#arrived(socket, { bytes, message, info });
  }

  peerClosed(socket: Socket): void {
    this.#arrived(socket, null);
  }

  failed(socket: Socket): void {
    const pair = this.#proxies.pairOf(socket);
    pair.sockets[sideOf(socket)] = null;
    this.#end(pair);
  }

  /** What was read first on `side` has been copied to the other. */
  copied(pair: Pair, side: Side): void {
    pair.copies--;
    const other = pair.sockets[1 - side] ?? null;
    const next = pair.read[side].shift();
    if (other === null || next === undefined) this.#proxies.release(pair);
    else if (next === null) this.#end(pair);
    else this.#proxies.transport.send(other, next.bytes, next.message, next.info, false);
  }

  #arrived(socket: Socket, what: Message | null): void {
    const pair = this.#proxies.pairOf(socket);
    const side = sideOf(socket);
    pair.read[side].push(what);
    // Until the container has answered, nothing is read from the client: its request waits in the kernel.
    if (pair.dialled) this.#proxies.copy(pair, side);
  }

  /** Closes what is left: with a RST where a client's data was left unread. */
  #end(pair: Pair): void {
    const { transport } = this.#proxies;
    const [front, back] = pair.sockets;
    const isUnread = pair.read[FRONT].some((each) => each !== null);
    pair.sockets[FRONT] = null;
    pair.sockets[BACK] = null;
    this.#pairs.delete(pair);
    if (front !== null && isUnread) transport.abort(front);
    else if (front !== null) transport.close(front);
    if (back !== null) transport.close(back);
    this.#proxies.release(pair);
  }
}

function sideOf(socket: Socket): Side {
  return (socket.user & 1) as Side;
}

/** Binds a port without serving it: the daemon without docker-proxy holds published ports so. */
export function holdPort(
  transport: Transport,
  host: Namespace,
  address: AddressId,
  port: number,
): Listener | null {
  const handler: ListenerHandler = {
    accepted: (socket) => transport.abort(socket),
    connected() {},
    failed() {},
    message() {},
    peerClosed() {},
  };
  return transport.listen(host, port, handler, TCP, address);
}
