/**
 * Sockets and listeners: the state of a connection's two ends.
 *
 * Owns: the fields and the pool. transport.ts moves them from state to state.
 */
import { NO_ADDRESS, type AddressId } from "./address.ts";
import type { Namespace } from "./host.ts";

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
  /** connect() has failed, or the connection has died. The socket is gone after this call. */
  failed(socket: Socket, error: SocketError): void;
  /** A whole message has arrived. */
  message(socket: Socket, message: number, info: number): void;
  /** The peer has closed: end of file. The application answers with close(). */
  peerClosed(socket: Socket): void;
}

export interface ListenerHandler extends SocketHandler {
  accepted(socket: Socket): void;
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
  state: SocketStateCode = SocketState.free;
  namespace: Namespace | null = null;
  handler: SocketHandler | null = null;
  listener: Listener | null = null;
  /** The application's own number for the socket. */
  user = 0;
  localAddress: AddressId = NO_ADDRESS;
  localPort = 0;
  remoteAddress: AddressId = NO_ADDRESS;
  remotePort = 0;
  /** The socket at the other end as last seen: a hint that is checked, never trusted. */
  peer = -1;
  /** Bytes of the message being received, and of the last one that was received whole. */
  receivedBytes = 0;
  messageBytes = 0;
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

  constructor(id: number) {
    this.id = id;
  }
}

export class SocketPool {
  readonly all: Socket[] = [];
  readonly #free: Socket[] = [];

  get inUse(): number {
    return this.all.length - this.#free.length;
  }

  take(): Socket {
    let socket = this.#free.pop();
    if (socket === undefined) {
      socket = new Socket(this.all.length);
      this.all.push(socket);
    }
    return socket;
  }

  release(socket: Socket): void {
    socket.generation++;
    socket.state = SocketState.free;
    socket.namespace = null;
    socket.handler = null;
    socket.listener = null;
    socket.receivedBytes = 0;
    socket.sentBytes = 0;
    socket.arrivedBytes = 0;
    socket.finAtBytes = -1;
    socket.peer = -1;
    socket.routeNote = -1;
    this.#free.push(socket);
  }
}
