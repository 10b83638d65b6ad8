/**
 * A request server: workers, a bounded queue in front of them, a service time.
 *
 * Owns: one process' listeners, connections and queue, its memory and what it does on SIGTERM. Refuses to
 * own: why it is started or stopped (kubelet), how bytes travel (network/), how a CPU limit shares time
 * (cpuQuota.ts), how slow it is at first (warmUp.ts). Answers 503 at once when the queue is full. Datagrams have no other queue than the
 * socket's receive buffer: what it does not hold is lost without a word.
 *
 * Its own calls are made when its own part of the work is done; the worker waits for them (calls.ts).
 *
 * Not modelled: the CPU that a start-up takes.
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
import type { DistributionSpec, DurationNs } from "../engine/index.ts";
import { ServerCalls, type CallsOptions } from "./calls.ts";
import { CFS_PERIOD_NS, CpuQuota } from "./cpuQuota.ts";
import { WarmUp, type WarmUpSpec } from "./warmUp.ts";
import {
  AnswerInfo,
  answerInfo,
  EXIT_KILLED,
  RequestInfo,
  type CpuReport,
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
  readonly onSigterm: OnSigterm;
  /** How long it goes on as before after SIGTERM, before it does so. */
  readonly lameDuckNs?: DurationNs;
  /** Part of a service time that is CPU time; the rest it waits for others. */
  readonly cpuShare?: number;
  /** It is slow at first. One that runs already when the simulation begins is warm. */
  readonly warmUp?: WarmUpSpec;
  /** Working set without a request, and what each request in progress or waiting adds. 0: not counted. */
  readonly memoryBytes?: number;
  readonly memoryPerRequestBytes?: number;
  readonly cpuLimitMillis?: number | null;
  readonly memoryLimitBytes?: number | null;
  readonly probeServiceNs: number;
  readonly smallMessageBytes: number;
  /** What it asks others before it answers. */
  readonly calls?: CallsOptions;
  /** Running already when the simulation begins. */
  readonly started: boolean;
}

/**
 * What a process does on SIGTERM. drain: stop listening, close idle connections, finish what was accepted,
 * exit. drainListening: the same, but it listens to the end: what connects meanwhile is served too, and what
 * waits to be accepted at the end is reset. exit: at once. ignore: go on until SIGKILL.
 */
export type OnSigterm = "drain" | "drainListening" | "exit" | "ignore";

const Timer = { listen: 0, served: 1, cpu: 2, waited: 3, lameDuck: 4, exec: 5 } as const;

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
  /** Of its service time, what wants CPU. */
  cpuNs: number;
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
  #terminating = false;
  #ended = false;
  readonly #quota: CpuQuota | null;
  readonly #warmUp: WarmUp | null;
  readonly #calls: ServerCalls | null;
  /** CPU time of service without a limit. */
  #cpuUsedNs = 0;
  readonly #memoryLimitBytes: number;
  /** Commands that run beside it, by number; in the quota as -1 - number. */
  readonly #execs: ((ran: boolean) => void)[] = [];
  readonly memoryBytes: (() => number) | undefined;

  constructor(context: ProgramContext, options: ServerOptions) {
    this.#context = context;
    this.#options = options;
    const { programs, name } = context;
    this.#id = programs.add(this, context);
    this.#serviceTime = createDistribution(options.serviceTime);
    this.#serviceStream = programs.sim.streams.get(`server/${name}/service`);
    this.#quota = this.#quotaOf(options);
    const { warmUp, started } = options;
    this.#warmUp = warmUp === undefined || started ? null : new WarmUp(warmUp);
    const called = (index: number, failed: boolean): void => {
      if (!this.#ended) this.#finish(this.#connections[index]!, failed);
    };
    this.#calls =
      options.calls === undefined ? null : new ServerCalls(context, options.calls, called);
    const counts = (options.memoryBytes ?? 0) > 0 || (options.memoryPerRequestBytes ?? 0) > 0;
    this.memoryBytes = counts ? () => this.#workingSet(0) : undefined;
    this.#memoryLimitBytes = counts ? (options.memoryLimitBytes ?? Infinity) : Infinity;
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
    switch (what) {
      case Timer.served:
        this.#served(this.#connections[argument]!);
        return;
      case Timer.listen:
        this.#listen();
        return;
      case Timer.cpu:
        this.#quota!.wake(argument);
        return;
      case Timer.waited:
        this.#quota!.start(argument, this.#connections[argument]!.cpuNs);
        return;
      case Timer.lameDuck:
        this.#terminate();
        return;
      case Timer.exec:
        this.#execDone(argument);
        return;
    }
  }

  signal(signal: Signal): void {
    if (this.#ended) return;
    if (signal === "SIGKILL") this.#end(EXIT_KILLED);
    else if (!this.#terminating && this.#options.onSigterm !== "ignore") {
      this.#terminating = true;
      const { lameDuckNs = 0 } = this.#options;
      const { programs } = this.#context;
      if (lameDuckNs === 0) this.#terminate();
      else programs.timeoutAt(programs.sim.nowNs + lameDuckNs, this.#id, Timer.lameDuck, 0);
    }
  }

  /** A command in the container: its CPU time comes out of the same limit. */
  exec(cpuNs: DurationNs, done: (ran: boolean) => void): void {
    const { programs } = this.#context;
    if (this.#ended) {
      programs.sim.callAfter(0, Phase.complete, () => done(false));
      return;
    }
    const number = this.#execs.push(done) - 1;
    const tookNs = programs.stretched(cpuNs, this.#context);
    if (this.#quota !== null) this.#quota.start(-1 - number, tookNs);
    else programs.completeAt(programs.sim.nowNs + tookNs, this.#id, Timer.exec, number);
  }

  cpuReport(): CpuReport | null {
    if (this.#quota === null) return null;
    const { name, namespace } = this.#context;
    const limitMillis = this.#options.cpuLimitMillis!;
    return { name, host: namespace.host, limitMillis, stat: this.#quota.stat };
  }

  cpuUsedNs(): number {
    return this.#quota?.usedNs ?? this.#cpuUsedNs;
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
    if (this.#memoryLimitBytes !== Infinity && this.#workingSet(1) > this.#memoryLimitBytes) {
      this.#observeEnd(connection);
      this.#end(EXIT_KILLED, true);
      return;
    }
    if (this.#busy < this.#options.concurrency) {
      this.#serve(connection);
    } else if (this.#queue.length - this.#queueHead < this.#options.queueLimit) {
      connection.work = Work.queued;
      this.#queue.push(connection);
    } else {
      this.#answer(connection, AnswerInfo.overloaded, this.#options.smallMessageBytes);
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
      cpuNs: 0,
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
    this.#warmUp?.listens(this.#context.programs.sim.nowNs);
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
      const { datagrams, bytes, peer, peerPort } = connection;
      programs.transport.udp.read(datagrams, bytes);
      programs.observations.serviceStarted(datagrams.id, peer, peerPort);
    } else if (connection.socket !== null) {
      programs.observations.serviceStarted(connection.socket.id, -1, -1);
    }
    const serviceNs =
      (connection.info & RequestInfo.probe) !== 0
        ? this.#options.probeServiceNs
        : this.#serviceNs();
    const tookNs = programs.stretched(serviceNs, this.#context);
    if (this.#quota !== null) {
      this.#serveWithin(this.#quota, connection, tookNs);
      return;
    }
    this.#cpuUsedNs += tookNs * (this.#options.cpuShare ?? 1);
    programs.completeAt(programs.sim.nowNs + tookNs, this.#id, Timer.served, connection.index);
  }

  #serviceNs(): DurationNs {
    const serviceNs = sampleNs(this.#serviceTime, this.#serviceStream);
    return this.#warmUp === null
      ? serviceNs
      : this.#warmUp.stretched(serviceNs, this.#context.programs.sim.nowNs);
  }

  /** It waits for others as long as it would without a limit; then its CPU time has to fit in. */
  #serveWithin(quota: CpuQuota, connection: Connection, serviceNs: number): void {
    const { programs } = this.#context;
    const { cpuShare = 1 } = this.#options;
    connection.cpuNs = serviceNs * cpuShare;
    if (cpuShare === 1) {
      quota.start(connection.index, serviceNs);
      return;
    }
    const waitedNs = programs.sim.nowNs + Math.round(serviceNs * (1 - cpuShare));
    programs.completeAt(waitedNs, this.#id, Timer.waited, connection.index);
  }

  #quotaOf({ cpuLimitMillis = null }: ServerOptions): CpuQuota | null {
    if (cpuLimitMillis === null) return null;
    const { programs, namespace, name } = this.#context;
    const { sim, transport } = programs;
    return new CpuQuota({
      limitMillis: cpuLimitMillis,
      cores: transport.network.hosts[namespace.host]!.cores,
      phaseNs: Math.floor(sim.streams.get(`server/${name}/cfs`).uniform() * CFS_PERIOD_NS),
      nowNs: () => sim.nowNs,
      wakeAt: (atNs, generation) => programs.completeAt(atNs, this.#id, Timer.cpu, generation),
      done: (job) => {
        if (this.#ended) return;
        if (job < 0) this.#execDone(-1 - job);
        else this.#served(this.#connections[job]!);
      },
    });
  }

  #execDone(number: number): void {
    const done = this.#execs[number];
    delete this.#execs[number];
    done?.(true);
  }

  /** @param more requests beyond those that wait or are served */
  #workingSet(more: number): number {
    const { memoryBytes = 0, memoryPerRequestBytes = 0 } = this.#options;
    const requests = this.#busy + this.#queue.length - this.#queueHead + more;
    return memoryBytes + requests * memoryPerRequestBytes;
  }

  /** Its own part of the work is done. */
  #served(connection: Connection): void {
    const isProbe = (connection.info & RequestInfo.probe) !== 0;
    if (this.#calls === null || isProbe) this.#finish(connection, false);
    else this.#calls.start(connection.index);
  }

  #finish(connection: Connection, hasFailed: boolean): void {
    this.#busy--;
    connection.work = Work.none;
    const isSmall = hasFailed || (connection.info & RequestInfo.probe) !== 0;
    const { smallMessageBytes, responseBytes } = this.#options;
    const status = hasFailed ? AnswerInfo.upstreamFailed : 0;
    this.#answer(connection, status, isSmall ? smallMessageBytes : responseBytes);
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

  /** Ends the request: an answer if the client is still there. @param status one of AnswerInfo, or 0 */
  #answer(connection: Connection, status: number, bytes: number): void {
    this.#observeEnd(connection);
    const info = answerInfo(status, this.#options.workload);
    if (connection.datagrams !== null) {
      this.#answerDatagram(connection, connection.datagrams, bytes, info);
      return;
    }
    const { socket } = connection;
    if (socket === null) {
      this.#free.push(connection);
      return;
    }
    const close = this.#draining || (connection.info & RequestInfo.close) !== 0;
    const { transport } = this.#context.programs;
    if (close) {
      // After the FIN the socket is the kernel's.
      connection.socket = null;
      this.#free.push(connection);
    }
    transport.send(socket, bytes, connection.message, info, close);
  }

  #answerDatagram(connection: Connection, from: Socket, bytes: number, info: number): void {
    const { peer, peerPort, local, message } = connection;
    connection.datagrams = null;
    this.#free.push(connection);
    const { udp } = this.#context.programs.transport;
    udp.sendTo(from, peer, peerPort, bytes, message, info, local);
  }

  #terminate(): void {
    if (this.#options.onSigterm === "exit") this.#end(0);
    else this.#drain();
  }

  #drain(): void {
    this.#draining = true;
    const { transport } = this.#context.programs;
    if (this.#options.onSigterm !== "drainListening") {
      for (const listener of this.#listeners) transport.closeListener(listener);
      this.#listeners = [];
    }
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
  #end(exitCode: number, oomKilled = false): void {
    this.#ended = true;
    const { programs, exited } = this.#context;
    for (const listener of this.#listeners) programs.transport.closeListener(listener);
    this.#listeners = [];
    for (const socket of this.#udpSockets) programs.transport.udp.close(socket);
    this.#udpSockets = [];
    this.#calls?.end();
    this.#quota?.stop();
    for (const connection of this.#connections) {
      if (connection.work !== Work.none) this.#observeEnd(connection);
      if (connection.socket === null) continue;
      if (connection.work === Work.queued) programs.transport.abort(connection.socket);
      else programs.transport.close(connection.socket);
      connection.socket = null;
    }
    // Not within the call that started or signalled it.
    const execs = this.#execs.splice(0);
    programs.sim.callAfter(0, Phase.complete, () => {
      exited(exitCode, oomKilled);
      for (const done of execs) done?.(false);
    });
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
