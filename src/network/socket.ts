/**
 * Sockets and listeners: the state of a connection's two ends, or of a UDP socket.
 *
 * Owns: the fields and the pool. transport.ts and udp.ts move them from state to state.
 */
import { NO_ADDRESS, type AddressId } from "./address.ts";
import type { Namespace } from "./host.ts";
import { TransportProtocol, type TransportProtocolNumber } from "./nat.ts";
import type { Network } from "./network.ts";

/** TCP states by the names that ss(8) prints; `free` is a pool slot without a connection. */
export const SocketState = {
  free: 0,
  synSent: 1,
  synRecv: 2,
  established: 3,
  finWait: 4,
  closeWait: 5,
  timeWait: 6,
} as const;
export type SocketStateCode = (typeof SocketState)[keyof typeof SocketState];

/** Why connect() failed or a connection died, by errno. */
export type SocketError =
  "ECONNREFUSED" | "EHOSTUNREACH" | "ENETUNREACH" | "ECONNRESET" | "ETIMEDOUT" | "EADDRNOTAVAIL";

/** An application's side of its sockets. Calls come at the instant the kernel would wake it. */
export interface SocketHandler {
  /** connect() has succeeded. */
  connected(socket: Socket): void;
  /**
   * connect() has failed, or the connection has died: the socket is gone after this call. A UDP socket
   * lives on: an ICMP error has come back for what it sent.
   */
  failed(socket: Socket, error: SocketError): void;
  /** A whole message of so many bytes has arrived. */
  message(socket: Socket, message: number, info: number, bytes: number): void;
  /** The peer has closed: end of file. The application answers with close(). */
  peerClosed(socket: Socket): void;
}

export interface ListenerHandler extends SocketHandler {
  accepted(socket: Socket): void;
}

/** A datagram as its receiver sees it. */
export interface Datagram {
  readonly source: AddressId;
  readonly sourcePort: number;
  /** The address of this namespace that it was sent to. */
  readonly destination: AddressId;
  readonly payloadBytes: number;
  readonly message: number;
  readonly messageInfo: number;
  readonly originSocket: number;
  readonly originGeneration: number;
}

/** An application's side of a UDP socket that is not connected. */
export interface DatagramHandler {
  /**
   * A datagram waits in the socket's receive buffer, until UdpTransport.read(). The object is the caller's
   * own after this call.
   */
  datagram(socket: Socket, datagram: Datagram): void;
}

export interface Listener {
  readonly namespace: Namespace;
  readonly protocol: number;
  /** NO_ADDRESS: any address of the namespace (0.0.0.0). */
  readonly address: AddressId;
  readonly port: number;
  readonly handler: ListenerHandler;
  /** Connections in SYN_RECV. */
  pending: number;
  open: boolean;
}

/** Room for the conntrack tables that a packet can meet: node of the client, of the node port, of the pod. */
const HINTS = 4;

export class Socket {
  readonly id: number;
  /** Goes up each time the slot is used again: a stale reference shows. */
  generation = 0;
  protocol: TransportProtocolNumber = TransportProtocol.TCP;
  /** A UDP socket is `established` from its making to its end. */
  state: SocketStateCode = SocketState.free;
  namespace: Namespace | null = null;
  /** Of a connection, or a connected UDP socket. */
  handler: SocketHandler | null = null;
  /** Of a UDP socket that is not connected. */
  datagrams: DatagramHandler | null = null;
  listener: Listener | null = null;
  /** The application's own number for the socket. */
  user = 0;
  localAddress: AddressId = NO_ADDRESS;
  localPort = 0;
  remoteAddress: AddressId = NO_ADDRESS;
  remotePort = 0;
  /** The socket at the other end as last seen: a hint that is checked, never trusted. */
  peer = -1;
  /** Largest payload of a packet on the way to the peer, and the bytes around each. */
  mssBytes = 0;
  overheadBytes = 0;
  /** The last SYN: when it was sent, which try it was; and up to which try its timer has run. */
  synSentAtNs = 0;
  synAttempt = 0;
  synArmed = 0;
  /** In SYN_RECV: whose SYN it is. */
  answersSocket = -1;
  answersGeneration = 0;
  /** Bytes of the message being received; with UDP, what waits in the receive buffer. */
  receivedBytes = 0;
  /** The whole stream so far, each way; and where the peer's ends, -1 while its FIN has not come. */
  sentBytes = 0;
  arrivedBytes = 0;
  finAtBytes = -1;
  /** Conntrack entries met by the packets that this socket sends. */
  readonly hints = new Int32Array(HINTS).fill(-1);
  /**
   * For observations only: which endpoint the connection was routed to, as twice its index, plus 1
   * if it had already gone; -1 for none.
   */
  routeNote = -1;
  /** For observations only: the host whose rules said so; -1 for none. */
  routedBy = -1;
  /** For observations only: the address that the server sees this socket's connection come from. */
  seenAs: AddressId = NO_ADDRESS;

  constructor(id: number) {
    this.id = id;
  }
}

export class SocketPool {
  readonly all: Socket[] = [];
  /** Those without a connection: the first `freeCount` of it. */
  private readonly free: Socket[] = [];
  private freeCount = 0;

  get inUse(): number {
    return this.all.length - this.freeCount;
  }

  /** The socket that take() will hand out next. */
  next(): Socket {
    if (this.freeCount > 0) return this.free[this.freeCount - 1]!;
    const socket = new Socket(this.all.length);
    this.all.push(socket);
    this.free[this.freeCount++] = socket;
    return socket;
  }

  take(): Socket {
    const socket = this.next();
    this.freeCount--;
    return socket;
  }

  release(socket: Socket): void {
    socket.generation++;
    socket.state = SocketState.free;
    socket.namespace = null;
    socket.handler = null;
    socket.datagrams = null;
    socket.synArmed = 0;
    socket.answersSocket = -1;
    socket.listener = null;
    socket.receivedBytes = 0;
    socket.sentBytes = 0;
    socket.arrivedBytes = 0;
    socket.finAtBytes = -1;
    socket.peer = -1;
    socket.routeNote = -1;
    socket.routedBy = -1;
    socket.seenAs = NO_ADDRESS;
    this.free[this.freeCount++] = socket;
  }
}

/**
 * The namespace's address from which it speaks to `destination`; NO_ADDRESS without one of that family. From
 * a host to what only its bridge knows that is the bridge's; loopback speaks to nobody but itself.
 */
export function sourceAddress(
  { addresses, hosts }: Network,
  namespace: Namespace,
  destination: AddressId,
): AddressId {
  if (namespace.addresses.has(destination)) return destination;
  if (namespace.link === null) {
    const host = hosts[namespace.host]!;
    if (host.isBehindBridge(destination)) return host.deviceAddress(destination);
  }
  const family = addresses.family(destination);
  for (const address of namespace.addresses) {
    if (address !== addresses.loopback && addresses.family(address) === family) return address;
  }
  return NO_ADDRESS;
}
