/**
 * Plugin forward with force_tcp: queries to another DNS server over connections that are kept.
 *
 * Owns: those connections, and that every query gets an answer or SERVFAIL in the end. One query at a time
 * on a connection. Refuses to own: when to forward (server.ts).
 */
import {
  queryInfo,
  Rcode,
  type DnsAnswer,
  type DnsMessages,
} from "../../kubernetes/dns/messages.ts";
import type { AddressId } from "../../network/address.ts";
import type { Socket, SocketHandler } from "../../network/socket.ts";
import type { ProgramContext } from "../program.ts";

/** A query that another server answers. */
interface Forwarded {
  readonly query: number;
  readonly question: number;
}

interface Connection {
  readonly index: number;
  socket: Socket | null;
  /** Number of the query on it; -1 for none. */
  asking: number;
}

const FAILED: DnsAnswer = { rcode: Rcode.SERVFAIL, addresses: [], aliases: 0, ttlSeconds: 0 };

export class TcpForwarder implements SocketHandler {
  /** Number of the query last asked: what timeOut() is told. */
  last = -1;
  readonly #context: ProgramContext;
  readonly #messages: DnsMessages;
  readonly #upstream: { readonly address: AddressId; readonly port: number };
  readonly #done: (query: number, answer: DnsAnswer) => void;
  readonly #asked = new Map<number, Forwarded>();
  readonly #connections: Connection[] = [];
  readonly #idle: Connection[] = [];
  readonly #unused: Connection[] = [];

  /** @param done is told each query's answer once, never within ask() */
  constructor(
    context: ProgramContext,
    messages: DnsMessages,
    upstream: { readonly address: AddressId; readonly port: number },
    done: (query: number, answer: DnsAnswer) => void,
  ) {
    this.#context = context;
    this.#messages = messages;
    this.#upstream = upstream;
    this.#done = done;
  }

  ask({ index, asked }: { readonly index: number; readonly asked: number }): void {
    this.last++;
    this.#asked.set(this.last, { query: index, question: asked });
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      idle.asking = this.last;
      this.#send(idle);
      return;
    }
    const connection = this.#unused.pop() ?? this.#newConnection();
    connection.asking = this.last;
    const { transport } = this.#context.programs;
    const { address, port } = this.#upstream;
    const { namespace } = this.#context;
    connection.socket = transport.connect(namespace, address, port, this, connection.index);
    // Without a local port it stays unanswered until its time is over.
    if (connection.socket === null) this.#forget(connection);
  }

  /** A query has waited long enough, if it still waits. */
  timeOut(asked: number): void {
    const connection = this.#connections.find((each) => each.asking === asked);
    if (connection !== undefined && connection.socket !== null) {
      this.#context.programs.transport.close(connection.socket);
      this.#forget(connection);
    }
    this.#finish(asked, FAILED);
  }

  close(): void {
    for (const { socket } of this.#connections) {
      if (socket !== null) this.#context.programs.transport.close(socket);
    }
    this.#asked.clear();
  }

  connected(socket: Socket): void {
    this.#send(this.#connections[socket.user]!);
  }

  message(socket: Socket, _message: number, info: number): void {
    const connection = this.#connections[socket.user]!;
    const { asking } = connection;
    connection.asking = -1;
    this.#idle.push(connection);
    this.#finish(asking, this.#messages.answer(info));
  }

  peerClosed(socket: Socket): void {
    this.#context.programs.transport.close(socket);
    this.#lost(this.#connections[socket.user]!);
  }

  failed(socket: Socket): void {
    this.#lost(this.#connections[socket.user]!);
  }

  #lost(connection: Connection): void {
    const { asking } = connection;
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#forget(connection);
    if (asking >= 0) this.#finish(asking, FAILED);
  }

  #send({ socket, asking }: Connection): void {
    const { question } = this.#asked.get(asking)!;
    const bytes = this.#messages.queryBytes(question);
    this.#context.programs.transport.send(
      socket!,
      bytes,
      asking,
      queryInfo(question, false),
      false,
    );
  }

  #finish(asked: number, answer: DnsAnswer): void {
    const forwarded = this.#asked.get(asked);
    if (forwarded === undefined) return;
    this.#asked.delete(asked);
    this.#done(forwarded.query, answer);
  }

  #newConnection(): Connection {
    const connection: Connection = { index: this.#connections.length, socket: null, asking: -1 };
    this.#connections.push(connection);
    return connection;
  }

  #forget(connection: Connection): void {
    connection.socket = null;
    connection.asking = -1;
    this.#unused.push(connection);
  }
}
