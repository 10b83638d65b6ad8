/**
 * A request server: workers, a bounded queue in front of them, a service time.
 *
 * Owns: one process' listeners, connections and queue. Refuses to own: why it is started or stopped
 * (kubelet), how bytes travel (network/). Answers 503 at once when the queue is full. Datagrams have no
 * other queue than the socket's receive buffer: what it does not hold is lost without a word.
 *
 * Not modelled: CPU quota, memory, warm-up, work that goes on to other services.
 */
import {
  createDistribution,
  Phase,
  sampleNs,
  type Distribution,
  type RandomStream,
} from "../engine/index.ts";
import { NO_ADDRESS, type AddressId } from "../network/address.ts";
import { TransportProtocol, type TransportProtocolNumber } from "../network/nat.ts";
import type {
  Datagram,
  DatagramHandler,
  Listener,
  ListenerHandler,
  Socket,
} from "../network/socket.ts";
import type { DistributionSpec } from "../engine/index.ts";
import {
  answerInfo,
  EXIT_KILLED,
  RequestInfo,
  type Program,
  type ProgramContext,
  type Signal,
} from "./program.ts";

export interface ServerOptions {
  /** Number of the workload: tells clients which application answered. */
  readonly workload: number;
  /** TCP ports, and those of UDP and SCTP. */
  readonly ports: readonly number[];
  readonly udpPorts: readonly number[];
  readonly sctpPorts: readonly number[];
  readonly concurrency: number;
  readonly queueLimit: number;
  readonly serviceTime: DistributionSpec;
  readonly startupTime: DistributionSpec;
  readonly responseBytes: number;
  readonly onSigterm: "drain" | "exit" | "ignore";
  readonly probeServiceNs: number;
  readonly smallMessageBytes: number;
  /** Running already when the simulation begins. */
  readonly started: boolean;
}

const Timer = { listen: 0, served: 1 } as const;

/** What a connection is doing. */
const Work = { none: 0, queued: 1, served: 2 } as const;

/** A connection, or a datagram that is being answered. */
interface Connection {
  readonly index: number;
  socket: Socket | null;
  /** Of a datagram: the socket that it came to, how large it is, from whom and to which address. */
  datagrams: Socket | null;
  bytes: number;
  peer: AddressId;
  peerPort: number;
  local: AddressId;
  work: number;
  message: number;
  info: number;
  /** Endpoint by which the request came, for observations; -1 for none. */
  endpoint: number;
}

export class RequestServer implements Program, ListenerHandler, DatagramHandler {
  readonly #context: ProgramContext;
  readonly #options: ServerOptions;
  readonly #id: number;
  readonly #serviceTime: Distribution;
  readonly #serviceStream: RandomStream;
  readonly #connections: Connection[] = [];
  readonly #free: Connection[] = [];
  #listeners: Listener[] = [];
  #udpSockets: Socket[] = [];
  /** Requests waiting for a worker, oldest first from #queueHead. */
  readonly #queue: Connection[] = [];
  #queueHead = 0;
  #busy = 0;
  #draining = false;
  #ended = false;
  /** CPU time of service without a limit. */
  #cpuUsedNs = 0;

  constructor(context: ProgramContext, options: ServerOptions) {
    this.#context = context;
    this.#options = options;
    const { programs, name } = context;
    this.#id = programs.add(this, context);
    this.#serviceTime = createDistribution(options.serviceTime);
    this.#serviceStream = programs.sim.streams.get(`server/${name}/service`);
    if (options.started) {
      this.#listen();
    } else {
      const stream = programs.sim.streams.get(`server/${name}/startup`);
      const startupNs = sampleNs(createDistribution(options.startupTime), stream);
      programs.startAt(programs.sim.nowNs + startupNs, this.#id, Timer.listen, 0);
    }
  }

  timer(what: number, argument: number): void {
    if (this.#ended) return;
    if (what === Timer.listen) this.#listen();
    else this.#served(this.#connections[argument]!);
  }

  signal(signal: Signal): void {
    if (this.#ended) return;
    if (signal === "SIGKILL") this.#end(EXIT_KILLED);
    else if (this.#options.onSigterm === "exit") this.#end(0);
    else if (this.#options.onSigterm === "drain") this.#drain();
  }

  cpuUsedNs(): number {
    return this.#cpuUsedNs;
  }

  crash(exitCode: number): void {
    if (!this.#ended) this.#end(exitCode);
  }

  accepted(socket: Socket): void {
    const connection = this.#free.pop() ?? this.#newConnection();
    connection.socket = socket;
    connection.work = Work.none;
    socket.user = connection.index;
  }

  connected(): void {
    throw new Error("a server does not connect");
  }

  message(socket: Socket, message: number, info: number): void {
    const connection = this.#connections[socket.user]!;
    connection.message = message;
    connection.info = info;
    connection.endpoint = socket.routeNote < 0 ? -1 : socket.routeNote >> 1;
    this.#observeStart(connection);
    if (this.#busy < this.#options.concurrency) {
      this.#serve(connection);
    } else if (this.#queue.length - this.#queueHead < this.#options.queueLimit) {
      connection.work = Work.queued;
      this.#queue.push(connection);
    } else {
      this.#answer(connection, true, this.#options.smallMessageBytes);
    }
  }

  datagram(socket: Socket, datagram: Datagram): void {
    // One that shuts down reads no more: what comes stays in the buffer until that goes.
    if (this.#draining) return;
    const connection = this.#free.pop() ?? this.#newConnection();
    const note = this.#context.programs.transport.udp.routeNoteOf(datagram);
    connection.datagrams = socket;
    connection.bytes = datagram.payloadBytes;
    connection.peer = datagram.source;
    connection.peerPort = datagram.sourcePort;
    connection.local = datagram.destination;
    connection.message = datagram.message;
    connection.info = datagram.messageInfo;
    connection.endpoint = note < 0 ? -1 : note >> 1;
    this.#observeStart(connection);
    if (this.#busy < this.#options.concurrency) {
      this.#serve(connection);
    } else {
      connection.work = Work.queued;
      this.#queue.push(connection);
    }
  }

  peerClosed(socket: Socket): void {
    const connection = this.#connections[socket.user]!;
    this.#context.programs.transport.close(socket);
    this.#forget(connection);
  }

  failed(socket: Socket): void {
    this.#forget(this.#connections[socket.user]!);
  }

  #newConnection(): Connection {
    const connection: Connection = {
      index: this.#connections.length,
      socket: null,
      datagrams: null,
      bytes: 0,
      peer: NO_ADDRESS,
      peerPort: 0,
      local: NO_ADDRESS,
      work: Work.none,
      message: 0,
      info: 0,
      endpoint: -1,
    };
    this.#connections.push(connection);
    return connection;
  }

  /** The socket has gone. Work that was begun for it goes on: nobody tells the worker. */
  #forget(connection: Connection): void {
    connection.socket = null;
    if (connection.work === Work.none) this.#free.push(connection);
  }

  #listen(): void {
    if (this.#draining) return;
    const { ports, sctpPorts } = this.#options;
    const { TCP, SCTP } = TransportProtocol;
    const holdsAll =
      this.#listenOn(ports, TCP) && this.#listenOn(sctpPorts, SCTP) && this.#bindUdp();
    if (!holdsAll) this.#end(1);
  }

  #listenOn(ports: readonly number[], protocol: TransportProtocolNumber): boolean {
    const { transport } = this.#context.programs;
    for (const port of ports) {
      const listener = transport.listen(this.#context.namespace, port, this, protocol);
      if (listener === null) {
        this.#listenFailed(protocol === TransportProtocol.TCP ? "tcp" : "sctp", port);
        return false;
      }
      this.#listeners.push(listener);
    }
    return true;
  }

  #bindUdp(): boolean {
    const { udp } = this.#context.programs.transport;
    for (const port of this.#options.udpPorts) {
      const socket = udp.bind(this.#context.namespace, NO_ADDRESS, port, this, 0);
      if (socket === null) {
        this.#listenFailed("udp", port);
        return false;
      }
      this.#udpSockets.push(socket);
    }
    return true;
  }

  /** EADDRINUSE: another process of the namespace holds the port. */
  #listenFailed(protocol: "tcp" | "udp" | "sctp", port: number): void {
    const { observations, sim } = this.#context.programs;
    const error = `listen ${protocol} 0.0.0.0:${port}: bind: address already in use`;
    observations.event(sim.nowNs, "listen_failed", `process/${this.#context.name}`, error);
  }

  #serve(connection: Connection): void {
    connection.work = Work.served;
    this.#busy++;
    const { programs } = this.#context;
    if (connection.datagrams !== null) {
      programs.transport.udp.read(connection.datagrams, connection.bytes);
    }
    const serviceNs =
      (connection.info & RequestInfo.probe) !== 0
        ? this.#options.probeServiceNs
        : sampleNs(this.#serviceTime, this.#serviceStream);
    const tookNs = programs.stretched(serviceNs, this.#context);
    this.#cpuUsedNs += tookNs;
    programs.completeAt(programs.sim.nowNs + tookNs, this.#id, Timer.served, connection.index);
  }

  #served(connection: Connection): void {
    this.#busy--;
    connection.work = Work.none;
    const probe = (connection.info & RequestInfo.probe) !== 0;
    const { smallMessageBytes, responseBytes } = this.#options;
    this.#answer(connection, false, probe ? smallMessageBytes : responseBytes);
    this.#serveNext();
    if (this.#draining) this.#endIfDrained();
  }

  #serveNext(): void {
    if (this.#queueHead === this.#queue.length) return;
    const next = this.#queue[this.#queueHead++]!;
    if (this.#queueHead > 1024 && 2 * this.#queueHead > this.#queue.length) {
      this.#queue.splice(0, this.#queueHead);
      this.#queueHead = 0;
    } else if (this.#queueHead === this.#queue.length) {
      this.#queue.length = 0;
      this.#queueHead = 0;
    }
    this.#serve(next);
  }

  /** Ends the request: an answer if the client is still there. */
  #answer(connection: Connection, overloaded: boolean, bytes: number): void {
    this.#observeEnd(connection);
    if (connection.datagrams !== null) {
      this.#answerDatagram(connection, connection.datagrams, bytes);
      return;
    }
    const { socket } = connection;
    if (socket === null) {
      this.#free.push(connection);
      return;
    }
    const close = this.#draining || (connection.info & RequestInfo.close) !== 0;
    const { transport } = this.#context.programs;
    const info = answerInfo(overloaded, this.#options.workload);
    if (close) {
      // After the FIN the socket is the kernel's.
      connection.socket = null;
      this.#free.push(connection);
    }
    transport.send(socket, bytes, connection.message, info, close);
  }

  #answerDatagram(connection: Connection, from: Socket, bytes: number): void {
    const { peer, peerPort, local, message } = connection;
    const info = answerInfo(false, this.#options.workload);
    connection.datagrams = null;
    this.#free.push(connection);
    const { udp } = this.#context.programs.transport;
    udp.sendTo(from, peer, peerPort, bytes, message, info, local);
  }

  #drain(): void {
    this.#draining = true;
    const { transport } = this.#context.programs;
    for (const listener of this.#listeners) transport.closeListener(listener);
    this.#listeners = [];
    for (const connection of this.#connections) {
      if (connection.socket !== null && connection.work === Work.none) {
        transport.close(connection.socket);
        this.#forget(connection);
      }
    }
    this.#endIfDrained();
  }

  #endIfDrained(): void {
    if (this.#busy === 0 && this.#queueHead === this.#queue.length) this.#end(0);
  }

  /** The kernel closes what the process had open: a FIN, or a RST where a request was left unread. */
  #end(exitCode: number): void {
    this.#ended = true;
    const { programs, exited } = this.#context;
    for (const listener of this.#listeners) programs.transport.closeListener(listener);
    this.#listeners = [];
    for (const socket of this.#udpSockets) programs.transport.udp.close(socket);
    this.#udpSockets = [];
    for (const connection of this.#connections) {
      if (connection.work !== Work.none) this.#observeEnd(connection);
      if (connection.socket === null) continue;
      if (connection.work === Work.queued) programs.transport.abort(connection.socket);
      else programs.transport.close(connection.socket);
      connection.socket = null;
    }
    // Not within the call that started or signalled it.
    programs.sim.callAfter(0, Phase.complete, () => exited(exitCode));
  }

  #observeStart(connection: Connection): void {
    const { observations, sim } = this.#context.programs;
    if (connection.endpoint >= 0) {
      observations.endpointRequestStarted(connection.endpoint, sim.nowNs);
    }
  }

  #observeEnd(connection: Connection): void {
    const { observations, sim } = this.#context.programs;
    if (connection.endpoint >= 0) {
      observations.endpointRequestEnded(connection.endpoint, sim.nowNs);
    }
  }
}
