/**
 * UDP: sockets that send and receive datagrams.
 *
 * Owns: bind and connect, which socket a datagram is for, the receive buffer, and the ICMP error about a
 * port that nobody listens on. Refuses to own: the way of a packet (stack.ts) and what a datagram means
 * (workload/). Lost is lost: nothing is sent again here.
 *
 * A datagram larger than the MTU travels as one train of IP fragments, and is lost as a whole. Not
 * modelled: SO_REUSEPORT, multicast, errors on sockets that are not connected (IP_RECVERR).
 */
import type { RandomStream } from "../engine/index.ts";
import { NO_ADDRESS, type AddressId } from "./address.ts";
import type { Namespace } from "./host.ts";
import { TransportProtocol } from "./nat.ts";
import type { Network } from "./network.ts";
import { Flag, ICMP_FLAGS, type Packet } from "./packet.ts";
import {
  sourceAddress,
  SocketState,
  type Datagram,
  type DatagramHandler,
  type Socket,
  type SocketHandler,
  type SocketPool,
} from "./socket.ts";
import type { NetworkStack } from "./stack.ts";
import { ABSENT, TupleTable } from "./tupleTable.ts";

const UDP = TransportProtocol.UDP;
/** Port of a peer that a socket is not connected to. */
const NO_PORT = 0;

export class UdpTransport {
  readonly #network: Network;
  readonly #stack: NetworkStack;
  readonly #sockets: SocketPool;
  readonly #table = new TupleTable();
  /** Bound sockets of each namespace by port, to see what is taken. */
  readonly #bound = new Map<number, Map<number, Socket[]>>();
  readonly #portStreams = new Map<number, RandomStream>();

  constructor(network: Network, stack: NetworkStack, sockets: SocketPool) {
    this.#network = network;
    this.#stack = stack;
    this.#sockets = sockets;
  }

  /**
   * A socket that receives every datagram for `port` that comes to `address`.
   * @param address NO_ADDRESS for all of the namespace
   * @param port 0 for an ephemeral one
   * @returns null when the port is taken (EADDRINUSE)
   */
  bind(
    namespace: Namespace,
    address: AddressId,
    port: number,
    handler: DatagramHandler,
    user: number,
  ): Socket | null {
    const socket = this.#open(namespace, address, port, NO_ADDRESS, NO_PORT);
    if (socket === null) return null;
    socket.datagrams = handler;
    socket.user = user;
    return socket;
  }

  /**
   * A socket that talks to one peer only, from an ephemeral port, and hears of ICMP errors. It is ready at
   * once: nothing is sent.
   * @returns null when no port is free, or the namespace has no address of the peer's family
   */
  connect(
    namespace: Namespace,
    address: AddressId,
    port: number,
    handler: SocketHandler,
    user: number,
  ): Socket | null {
    const local = sourceAddress(this.#network, namespace, address);
    if (local === NO_ADDRESS) return null;
    const socket = this.#open(namespace, local, 0, address, port);
    if (socket === null) return null;
    socket.handler = handler;
    socket.user = user;
    return socket;
  }

  /**
   * send() on a connected socket.
   * @returns false for one larger than UDP can carry (EMSGSIZE), and where connect() has failed
   */
  send(socket: Socket, bytes: number, message: number, info: number): boolean {
    const { localAddress, remoteAddress, remotePort, state } = socket;
    if (state !== SocketState.established) return false;
    return this.#send(socket, localAddress, remoteAddress, remotePort, bytes, message, info);
  }

  /**
   * sendto(): to any address, from the socket's port.
   * @param source the address to send from, as a server answers from the one that was asked;
   *   NO_ADDRESS for the one that the way there suggests
   * @returns false without an address of that family (ENETUNREACH), or for EMSGSIZE
   */
  sendTo(
    socket: Socket,
    address: AddressId,
    port: number,
    bytes: number,
    message: number,
    info: number,
    source: AddressId = socket.localAddress,
  ): boolean {
    let from = source;
    if (from === NO_ADDRESS) {
      from = sourceAddress(this.#network, socket.namespace!, address);
      if (from === NO_ADDRESS) return false;
    }
    return this.#send(socket, from, address, port, bytes, message, info);
  }

  /** The application has read a datagram of `bytes`: its room in the receive buffer is free again. */
  read(socket: Socket, bytes: number): void {
    socket.receivedBytes -= bytes + this.#network.profile.udp.socketBufferBytes;
  }

  close(socket: Socket): void {
    // With its namespace it has gone already.
    if (socket.state === SocketState.free) return;
    const { namespace, localAddress, localPort, remoteAddress, remotePort } = socket;
    const { index } = namespace!;
    this.#table.delete(index, UDP, localAddress, localPort, remoteAddress, remotePort);
    const ports = this.#bound.get(index)!;
    const rest = ports.get(localPort)!.filter((other) => other !== socket);
    if (rest.length > 0) ports.set(localPort, rest);
    else ports.delete(localPort);
    if (ports.size === 0) this.#bound.delete(index);
    this.#sockets.release(socket);
  }

  receive(namespace: Namespace, packet: Packet): void {
    const socket = this.#socketFor(namespace, packet);
    if ((packet.flags & ICMP_FLAGS) !== 0) {
      // Of the errors only "port unreachable" is hard: icmp_err_convert[] in net/ipv4/icmp.c.
      if (socket !== null && (packet.flags & Flag.icmpPortUnreachable) !== 0) {
        socket.handler?.failed(socket, "ECONNREFUSED");
      }
      return;
    }
    if (socket === null) {
      this.#stack.portUnreachable(packet, namespace);
      return;
    }
    if (socket.handler !== null) {
      // The application waits for its answer and reads it at once.
      socket.handler.message(socket, packet.message, packet.messageInfo, packet.messageBytes);
      return;
    }
    const { receiveBufferBytes, socketBufferBytes } = this.#network.profile.udp;
    if (socket.receivedBytes > receiveBufferBytes) {
      this.#network.packets.refuse(packet);
      this.#network.countDrop(namespace.name, "udp_receive_buffer", packet.packets);
      return;
    }
    socket.receivedBytes += packet.payloadBytes + socketBufferBytes;
    const origin = this.#sockets.all[packet.originSocket];
    if (origin?.generation === packet.originGeneration) origin.seenAs = packet.source;
    socket.datagrams!.datagram(socket, packet);
  }

  /** For observations only: how the datagram was routed, as its sender's socket remembers. */
  routeNoteOf({ originSocket, originGeneration }: Datagram): number {
    const origin = this.#sockets.all[originSocket];
    return origin?.generation === originGeneration ? origin.routeNote : -1;
  }

  #send(
    socket: Socket,
    source: AddressId,
    address: AddressId,
    port: number,
    bytes: number,
    message: number,
    info: number,
  ): boolean {
    const { profile, packets, sim, addresses } = this.#network;
    const { headerBytes, maxPayloadBytes } = profile.udp;
    if (bytes > maxPayloadBytes) return false;
    const namespace = socket.namespace!;
    const ipBytes = addresses.family(address) === 6 ? 40 : 20;
    const mtuBytes = namespace.addresses.has(address) ? profile.loopbackMtuBytes : profile.mtuBytes;
    const packet = packets.take();
    packet.protocol = UDP;
    packet.source = source;
    packet.sourcePort = socket.localPort;
    packet.destination = address;
    packet.destinationPort = port;
    packet.flags = 0;
    packet.packets = Math.ceil((bytes + headerBytes) / (mtuBytes - ipBytes));
    packet.payloadBytes = bytes;
    packet.wireBytes =
      bytes + headerBytes + packet.packets * (ipBytes + profile.frameBytesPerPacket);
    packet.messageBytes = bytes;
    packet.message = message;
    packet.messageInfo = info;
    packet.sentAtNs = sim.nowNs;
    packet.attempt = 0;
    packet.originSocket = socket.id;
    packet.originGeneration = socket.generation;
    this.#stack.output(packet, namespace);
    return true;
  }

  #open(
    namespace: Namespace,
    local: AddressId,
    wantedPort: number,
    remote: AddressId,
    remotePort: number,
  ): Socket | null {
    const { index } = namespace;
    let ports = this.#bound.get(index);
    if (ports === undefined) this.#bound.set(index, (ports = new Map()));
    const port = wantedPort === 0 ? this.#pickPort(namespace, ports) : wantedPort;
    const others = ports.get(port) ?? [];
    if (port < 0 || others.some((other) => overlap(other.localAddress, local))) return null;
    const socket = this.#sockets.take();
    socket.protocol = UDP;
    socket.state = SocketState.established;
    socket.namespace = namespace;
    socket.localAddress = local;
    socket.localPort = port;
    socket.remoteAddress = remote;
    socket.remotePort = remotePort;
    ports.set(port, [...others, socket]);
    this.#table.set(index, UDP, local, port, remote, remotePort, socket.id);
    return socket;
  }

  /** udp_lib_get_port(): from a random port of the range on, the next that nobody holds; -1 if none. */
  #pickPort(namespace: Namespace, taken: ReadonlyMap<number, Socket[]>): number {
    const { localPortFirst: first, localPortLast: last } = this.#network.profile.tcp;
    const ports = last - first + 1;
    let stream = this.#portStreams.get(namespace.index);
    if (stream === undefined) {
      stream = this.#network.sim.streams.get(`udp-ports/${namespace.name}`);
      this.#portStreams.set(namespace.index, stream);
    }
    const start = stream.below(ports);
    for (let i = 0; i < ports; i++) {
      const port = first + ((start + i) % ports);
      if (!taken.has(port)) return port;
    }
    return -1;
  }

  /** One connected to the sender, else one bound to the address, else one bound to all. */
  #socketFor({ index }: Namespace, packet: Packet): Socket | null {
    const { destination, destinationPort: port, source, sourcePort } = packet;
    const table = this.#table;
    let id = table.get(index, UDP, destination, port, source, sourcePort);
    if (id === ABSENT) id = table.get(index, UDP, destination, port, NO_ADDRESS, NO_PORT);
    if (id === ABSENT) id = table.get(index, UDP, NO_ADDRESS, port, NO_ADDRESS, NO_PORT);
    return id === ABSENT ? null : this.#sockets.all[id]!;
  }
}

function overlap(one: AddressId, other: AddressId): boolean {
  return one === other || one === NO_ADDRESS || other === NO_ADDRESS;
}
