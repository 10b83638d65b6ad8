/**
 * A client process: makes requests, over its own connections, with deadlines and retries.
 *
 * Owns: the life of each request until it ends once, served or with one cause. Refuses to own: which
 * endpoint answers (the nodes' rules decide that) and what the figures mean (observe/).
 *
 * One request at a time on a connection, as HTTP/1.1 without pipelining. Idle connections are used
 * latest first, as Go's and most other pools do. Over UDP a request is a datagram and so is its answer; a
 * connection is a connected socket, with a port of its own.
 */
import {
  createDistribution,
  ln,
  Phase,
  sampleNs,
  type Distribution,
  type DistributionSpec,
  type DurationNs,
  type RandomStream,
  type SimTimeNs,
} from "../engine/index.ts";
import type { AddressId } from "../network/address.ts";
import { TransportProtocol, type TransportProtocolNumber } from "../network/nat.ts";
import {
  SocketState,
  type Socket,
  type SocketError,
  type SocketHandler,
} from "../network/socket.ts";
import { Outcome, type OutcomeCode } from "../observe/observations.ts";
import { Deadlines } from "./deadlines.ts";
import { Resolver, type Found, type ResolverOptions } from "./dns/resolver.ts";
import {
  AnswerInfo,
  EXIT_KILLED,
  RequestInfo,
  type Program,
  type ProgramContext,
  type Signal,
} from "./program.ts";
import { ArrivalTimes, type RateSegment } from "./rate.ts";
import { SlowStart } from "./slowStart.ts";

export interface RetryOptions {
  readonly maxAttempts: number;
  readonly initialBackoffNs: DurationNs;
  readonly backoffFactor: number;
  readonly maxBackoffNs: DurationNs;
  readonly jitter: number;
}

/** How a client finds the address of what it calls. */
export interface DnsUse {
  readonly resolver: ResolverOptions;
  /** The first address of an answer, as most programs take it, or any of them. */
  readonly pick: "first" | "random";
  /** With random: an address that is new to the application gets its whole share only after so long. */
  readonly slowStartNs?: DurationNs | undefined;
  /** A request is a lookup and nothing else. */
  readonly lookupOnly: boolean;
  /** For observations only: which endpoint a connection is to, as Transport.noteRoute() wants it. */
  readonly note: (socket: Socket, address: AddressId) => void;
}

export interface ClientOptions {
  /** Index of the client and of its Service in the observations. */
  readonly client: number;
  readonly service: number;
  /**
   * Addresses of which each new connection draws one: a ClusterIP, or the nodes for a node port. With
   * `dns` they are what a lookup gives.
   */
  readonly addresses: readonly AddressId[];
  readonly dns?: DnsUse | null;
  readonly port: number;
  readonly protocol: TransportProtocolNumber;
  /** Workloads that belong behind the Service; an answer by another is misrouted. */
  readonly workloads: ReadonlySet<number>;
  readonly load:
    | {
        readonly kind: "openLoop";
        readonly rate: readonly RateSegment[];
        readonly share: number;
        readonly process: "poisson" | "deterministic";
      }
    | {
        readonly kind: "closedLoop";
        readonly users: number;
        readonly thinkTime: DistributionSpec;
      }
    | /** Only when call() says so: a server's calls. */ { readonly kind: "called" };
  /** Idle connections kept; 0 for a new connection each request. */
  readonly poolSize: number;
  readonly requestBytes: number;
  readonly timeoutNs: DurationNs;
  readonly retries: RetryOptions;
  readonly startNs: SimTimeNs;
  readonly stopNs: SimTimeNs;
}

const Timer = { arrive: 0, deadline: 1, retry: 2, think: 3, dns: 4 } as const;

interface Request {
  readonly index: number;
  startedAtNs: SimTimeNs;
  attempts: number;
  connection: Connection | null;
  /** Goes up when a try ends: an older deadline is void. */
  serial: number;
  /** Of the run's requests, in order of arrival. */
  number: number;
  /** What call() was given. */
  token: number;
  /** Routing of the last try's connection, and by which host; for observations. */
  routeNote: number;
  routedBy: number;
  /** The last try opened its connection. */
  hasDialled: boolean;
}

interface Connection {
  readonly index: number;
  socket: Socket | null;
  request: Request | null;
  /** An answer has come over it. */
  isAnswered: boolean;
}

const CAUSE_OF_ERROR: Readonly<Record<SocketError, OutcomeCode>> = {
  ECONNREFUSED: Outcome.refused,
  EHOSTUNREACH: Outcome.unreachable,
  ENETUNREACH: Outcome.unreachable,
  ECONNRESET: Outcome.reset,
  ETIMEDOUT: Outcome.timeout,
  EADDRNOTAVAIL: Outcome.no_local_port,
};

export class LoadClient implements Program, SocketHandler {
  readonly #context: ProgramContext;
  readonly #options: ClientOptions;
  readonly #id: number;
  readonly #arrivalStream: RandomStream;
  readonly #targetStream: RandomStream;
  readonly #retryStream: RandomStream;
  readonly #arrivals: ArrivalTimes | null;
  readonly #thinkTime: Distribution | null;
  readonly #deadlines = new Deadlines();
  readonly #requests: Request[] = [];
  readonly #freeRequests: Request[] = [];
  readonly #connections: Connection[] = [];
  readonly #freeConnections: Connection[] = [];
  readonly #idle: Connection[] = [];
  readonly #dns: DnsUse | null;
  readonly #resolver: Resolver | null;
  readonly #slowStart: SlowStart | null;
  readonly #onEnded: ((token: number, outcome: OutcomeCode) => void) | null;
  #ended = false;

  /** @param onEnded told of the end of every request, with what call() was given */
  constructor(
    context: ProgramContext,
    options: ClientOptions,
    onEnded: ((token: number, outcome: OutcomeCode) => void) | null = null,
  ) {
    this.#onEnded = onEnded;
    this.#context = context;
    this.#options = options;
    const { programs, name } = context;
    const { streams, nowNs } = programs.sim;
    this.#id = programs.add(this, context);
    this.#arrivalStream = streams.get(`client/${name}/arrivals`);
    this.#targetStream = streams.get(`client/${name}/target`);
    this.#retryStream = streams.get(`client/${name}/retry`);
    this.#dns = options.dns ?? null;
    this.#resolver = this.#dns === null ? null : this.#newResolver(this.#dns);
    const windowNs = this.#dns?.slowStartNs;
    this.#slowStart = windowNs === undefined ? null : new SlowStart(windowNs, this.#targetStream);
    const { load } = options;
    this.#arrivals = load.kind === "openLoop" ? new ArrivalTimes(load.rate, load.share) : null;
    this.#thinkTime = load.kind === "closedLoop" ? createDistribution(load.thinkTime) : null;
    const startNs = Math.max(nowNs, options.startNs);
    if (load.kind === "openLoop") this.#scheduleArrival(startNs);
    else if (load.kind === "closedLoop") {
      for (let user = 0; user < load.users; user++) this.#think(startNs);
    }
  }

  /** Makes one request now. */
  call(token: number): void {
    if (!this.#ended) this.#begin(token);
  }

  timer(what: number, argument: number): void {
    if (this.#ended) return;
    switch (what) {
      case Timer.arrive:
        this.#begin(-1);
        this.#scheduleArrival(this.#context.programs.sim.nowNs);
        return;
      case Timer.deadline:
        this.#deadlinePassed();
        return;
      case Timer.retry:
        this.#try(this.#requests[argument]!);
        return;
      case Timer.think:
        this.#begin(-1);
        return;
      case Timer.dns:
        this.#resolver!.deadlinePassed();
        return;
    }
  }

  signal(signal: Signal): void {
    this.#end(signal === "SIGKILL" ? EXIT_KILLED : 0);
  }

  crash(exitCode: number): void {
    this.#end(exitCode);
  }

  *requestsInFlight(): Generator<SimTimeNs> {
    const free = new Set(this.#freeRequests);
    for (const request of this.#requests) if (!free.has(request)) yield request.startedAtNs;
  }

  connected(socket: Socket): void {
    this.#sendRequest(this.#connections[socket.user]!);
  }

  message(socket: Socket, _message: number, info: number): void {
    const connection = this.#connections[socket.user]!;
    const { request } = connection;
    if (request === null) return;
    request.routeNote = socket.routeNote;
    request.routedBy = socket.routedBy;
    if (!connection.isAnswered) this.#firstAnswer(connection, socket);
    connection.request = null;
    request.connection = null;
    if (this.#options.poolSize > 0) this.#pool(connection);
    else if (socket.protocol === TransportProtocol.UDP) this.#drop(connection);
    if ((info & AnswerInfo.overloaded) !== 0) this.#tryFailed(request, Outcome.overloaded);
    else if ((info & AnswerInfo.upstreamFailed) !== 0)
      this.#tryFailed(request, Outcome.upstream_failed);
    else if (!this.#options.workloads.has(info >> 1)) this.#tryFailed(request, Outcome.misrouted);
    else this.#served(request);
  }

  /** For observations only: now it is known who the server was, and whom it takes this client for. */
  #firstAnswer(
    connection: Connection,
    { routeNote, routedBy, localAddress, seenAs }: Socket,
  ): void {
    connection.isAnswered = true;
    if (routeNote < 0) return;
    const { programs } = this.#context;
    const { client, service } = this.#options;
    programs.nameAddress(localAddress);
    programs.nameAddress(seenAs);
    programs.observations.connectionAnswered(
      client,
      service,
      routedBy,
      routeNote >> 1,
      localAddress,
      seenAs,
    );
  }

  peerClosed(socket: Socket): void {
    const connection = this.#connections[socket.user]!;
    const { routeNote, routedBy } = socket;
    this.#context.programs.transport.close(socket);
    this.#lose(connection, Outcome.closed, routeNote, routedBy);
  }

  failed(socket: Socket, error: SocketError): void {
    const connection = this.#connections[socket.user]!;
    const { routeNote, routedBy } = socket;
    // A UDP socket lives on, as ours until we close it.
    if (socket.protocol === TransportProtocol.UDP) this.#context.programs.transport.close(socket);
    this.#lose(connection, CAUSE_OF_ERROR[error], routeNote, routedBy);
  }

  #scheduleArrival(fromNs: SimTimeNs): void {
    const { load, stopNs } = this.#options;
    const unit =
      load.kind === "openLoop" && load.process === "deterministic"
        ? 1
        : -ln(this.#arrivalStream.uniform());
    const atNs = this.#arrivals!.next(fromNs, unit);
    if (atNs < stopNs) this.#context.programs.startAt(atNs, this.#id, Timer.arrive, 0);
  }

  #think(fromNs: SimTimeNs): void {
    const atNs = fromNs + sampleNs(this.#thinkTime!, this.#arrivalStream);
    if (atNs < this.#options.stopNs) {
      this.#context.programs.startAt(atNs, this.#id, Timer.think, 0);
    }
  }

  #begin(token: number): void {
    const { programs } = this.#context;
    const request = this.#freeRequests.pop() ?? this.#newRequest();
    request.startedAtNs = programs.sim.nowNs;
    request.attempts = 0;
    request.token = token;
    request.number = programs.requests++;
    programs.observations.requestStarted(
      this.#options.client,
      this.#options.service,
      programs.sim.nowNs,
    );
    this.#try(request);
  }

  #newRequest(): Request {
    const request: Request = {
      index: this.#requests.length,
      startedAtNs: 0,
      attempts: 0,
      connection: null,
      serial: 0,
      number: -1,
      token: -1,
      routeNote: -1,
      routedBy: -1,
      hasDialled: false,
    };
    this.#requests.push(request);
    return request;
  }

  #try(request: Request): void {
    request.attempts++;
    request.routeNote = -1;
    request.routedBy = -1;
    request.hasDialled = false;
    this.#armDeadline(request);
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      idle.request = request;
      request.connection = idle;
      this.#attemptStarted(request, idle.socket);
      this.#sendRequest(idle);
      return;
    }
    this.#connect(request);
  }

  #newResolver({ resolver }: DnsUse): Resolver {
    const timer = { program: this.#id, what: Timer.dns };
    const { client } = this.#options;
    return new Resolver(this.#context, resolver, client, timer, (request, serial, found) =>
      this.#resolved(this.#requests[request]!, serial, found),
    );
  }

  #connect(request: Request): void {
    const { addresses, port } = this.#options;
    if (this.#resolver !== null) {
      const known = this.#resolver.cached();
      if (known !== null) this.#resolved(request, request.serial, known);
      else this.#resolver.start(request.index, request.serial);
      return;
    }
    this.#dial(request, this.#anyOf(addresses), port);
  }

  #anyOf(addresses: readonly AddressId[]): AddressId {
    return addresses.length === 1
      ? addresses[0]!
      : addresses[this.#targetStream.below(addresses.length)]!;
  }

  /** The name has addresses, or none; the request may have been given up meanwhile. */
  #resolved(request: Request, serial: number, found: Found | null): void {
    if (request.serial !== serial || this.#ended) return;
    const { pick, lookupOnly } = this.#dns!;
    if (found === null) this.#tryFailed(request, Outcome.unresolved);
    else if (lookupOnly) this.#served(request);
    else {
      const { addresses, port } = found;
      const address = pick === "first" ? addresses[0]! : this.#drawn(addresses);
      this.#dial(request, address, port ?? this.#options.port);
    }
  }

  #drawn(addresses: readonly AddressId[]): AddressId {
    if (this.#slowStart === null) return this.#anyOf(addresses);
    return this.#slowStart.pick(addresses, this.#context.programs.sim.nowNs);
  }

  #dial(request: Request, address: AddressId, port: number): void {
    const { protocol } = this.#options;
    const connection = this.#freeConnections.pop() ?? this.#newConnection();
    connection.request = request;
    connection.isAnswered = false;
    request.connection = connection;
    request.hasDialled = true;
    const { transport } = this.#context.programs;
    const { namespace } = this.#context;
    const { index } = connection;
    connection.socket = transport.connect(namespace, address, port, this, index, protocol);
    if (connection.socket !== null) this.#dns?.note(connection.socket, address);
    this.#attemptStarted(request, connection.socket);
    if (connection.socket === null) this.#lose(connection, Outcome.no_local_port, -1, -1);
    else if (protocol === TransportProtocol.UDP) this.#sendRequest(connection);
  }

  #newConnection(): Connection {
    const index = this.#connections.length;
    const connection: Connection = { index, socket: null, request: null, isAnswered: false };
    this.#connections.push(connection);
    return connection;
  }

  #sendRequest(connection: Connection): void {
    const { request, socket } = connection;
    const { poolSize, requestBytes } = this.#options;
    const info = poolSize > 0 ? 0 : RequestInfo.close;
    this.#context.programs.transport.send(socket!, requestBytes, request!.index, info, false);
  }

  /** Keeps the connection for later, or closes it when the pool is full. */
  #pool(connection: Connection): void {
    if (this.#idle.length < this.#options.poolSize) {
      this.#idle.push(connection);
      return;
    }
    this.#drop(connection);
  }

  #drop(connection: Connection): void {
    this.#context.programs.transport.close(connection.socket!);
    this.#forget(connection);
  }

  /** The connection is gone. A request on it fails with `cause`. */
  #lose(connection: Connection, cause: OutcomeCode, routeNote: number, routedBy: number): void {
    const { request } = connection;
    if (request === null) {
      const at = this.#idle.indexOf(connection);
      if (at >= 0) this.#idle.splice(at, 1);
      this.#forget(connection);
      return;
    }
    connection.request = null;
    request.connection = null;
    request.routeNote = routeNote;
    request.routedBy = routedBy;
    this.#forget(connection);
    this.#tryFailed(request, cause);
  }

  #forget(connection: Connection): void {
    connection.socket = null;
    this.#freeConnections.push(connection);
  }

  #armDeadline(request: Request): void {
    const { programs } = this.#context;
    const dueNs = programs.sim.nowNs + this.#options.timeoutNs;
    this.#deadlines.push(request.index, request.serial, dueNs);
    if (this.#deadlines.armed) return;
    this.#deadlines.armed = true;
    programs.timeoutAt(dueNs, this.#id, Timer.deadline, 0);
  }

  #isLive = (request: number, serial: number): boolean =>
    this.#requests[request]!.serial === serial;

  #deadlinePassed(): void {
    const { programs } = this.#context;
    const { nowNs } = programs.sim;
    let dueNs = this.#deadlines.peek(this.#isLive);
    while (dueNs !== null && dueNs <= nowNs) {
      this.#timeOut(this.#requests[this.#deadlines.take()]!);
      dueNs = this.#deadlines.peek(this.#isLive);
    }
    this.#deadlines.armed = dueNs !== null;
    if (dueNs !== null) programs.timeoutAt(dueNs, this.#id, Timer.deadline, 0);
  }

  #timeOut(request: Request): void {
    const { connection } = request;
    if (connection === null) {
      // The lookup goes on: getaddrinfo() cannot be called off.
      this.#tryFailed(request, Outcome.unresolved);
      return;
    }
    const socket = connection.socket!;
    const { routeNote, routedBy } = socket;
    this.#context.programs.transport.close(socket);
    this.#lose(connection, Outcome.timeout, routeNote, routedBy);
  }

  #tryFailed(request: Request, cause: OutcomeCode): void {
    const { retries } = this.#options;
    this.#attemptEnded(request, cause);
    if (request.attempts >= retries.maxAttempts) {
      this.#finish(request, cause);
      return;
    }
    request.serial++;
    let backoffNs = retries.initialBackoffNs;
    for (let i = 1; i < request.attempts; i++) backoffNs *= retries.backoffFactor;
    const spread = 1 + retries.jitter * (2 * this.#retryStream.uniform() - 1);
    const waitNs = Math.round(Math.min(backoffNs, retries.maxBackoffNs) * spread);
    const { programs } = this.#context;
    programs.timeoutAt(programs.sim.nowNs + waitNs, this.#id, Timer.retry, request.index);
  }

  #served(request: Request): void {
    this.#attemptEnded(request, Outcome.served);
    this.#finish(request, Outcome.served);
  }

  #attemptStarted({ number, attempts, hasDialled }: Request, socket: Socket | null): void {
    const { observations } = this.#context.programs;
    const { client, service } = this.#options;
    const isNew = hasDialled ? 1 : 0;
    observations.attemptStarted(number, client, service, attempts, socket?.id ?? -1, isNew);
  }

  #attemptEnded(request: Request, outcome: OutcomeCode): void {
    const { observations } = this.#context.programs;
    const { number, routeNote, routedBy, hasDialled } = request;
    const endpoint = routeNote >> 1;
    observations.attemptEnded(number, outcome, endpoint, routedBy);
    if (routeNote < 0 || (routeNote & 1) === 0 || !hasDialled) return;
    observations.staleConnectionEnded(routedBy, endpoint, outcome);
  }

  #tellFailure(request: Request, outcome: OutcomeCode): void {
    const { programs } = this.#context;
    const { client, service } = this.#options;
    const { number, startedAtNs, attempts, routeNote, routedBy } = request;
    programs.observations.requestFailed(
      number,
      client,
      service,
      outcome,
      startedAtNs,
      programs.sim.nowNs,
      attempts,
      routeNote,
      routedBy,
    );
  }

  #finish(request: Request, outcome: OutcomeCode): void {
    request.serial++;
    const { programs } = this.#context;
    const stale = request.routeNote >= 0 ? request.routeNote & 1 : 0;
    programs.observations.requestEnded(
      this.#options.client,
      this.#options.service,
      outcome,
      request.startedAtNs,
      programs.sim.nowNs,
      request.attempts,
      stale,
    );
    if (outcome !== Outcome.served) this.#tellFailure(request, outcome);
    this.#freeRequests.push(request);
    // Last: it may call again at once.
    if (this.#onEnded !== null) this.#onEnded(request.token, outcome);
    if (this.#thinkTime !== null) this.#think(programs.sim.nowNs);
  }

  /** The process ends; its requests stay in flight for ever, which the figures say. */
  #end(exitCode: number): void {
    if (this.#ended) return;
    this.#ended = true;
    const { programs, exited } = this.#context;
    this.#resolver?.close();
    for (const { socket } of this.#connections) {
      if (socket !== null && socket.state !== SocketState.free) programs.transport.close(socket);
    }
    programs.sim.callAfter(0, Phase.complete, () => exited(exitCode));
  }
}
