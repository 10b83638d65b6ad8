/**
 * A DNS server: CoreDNS with the cluster's records, or the cache on a node.
 *
 * Owns: one process' sockets on port 53, the CPU that a query costs, and the way of a query through the
 * plugins: cache, the cluster's records, forward. What no worker has time for waits: datagrams in the
 * socket's receive buffer, and what that does not hold is lost. Refuses to own: what is known when
 * (kubernetes/dns) and the way to another server (forward.ts).
 *
 * An answer over UDP has as much as the client can take, and says if that is not all; over TCP it is whole.
 * Not modelled: several upstreams; a connection's queries may be served at the same time.
 */
import {
  createDistribution,
  sampleNs,
  seconds,
  type Distribution,
  type DistributionSpec,
  type DurationNs,
  type RandomStream,
  type SimTimeNs,
} from "../../engine/index.ts";
import type { IpFamily } from "../../kubernetes/api/types.ts";
import { DnsCache, type DnsCacheLimits } from "../../kubernetes/dns/cache.ts";
import {
  queryInfo,
  Rcode,
  RecordType,
  type DnsAnswer,
  type DnsMessages,
} from "../../kubernetes/dns/messages.ts";
import { isReverse, type ClusterRecords } from "../../kubernetes/dns/records.ts";
import { NO_ADDRESS, type AddressId } from "../../network/address.ts";
import {
  SocketState,
  type Datagram,
  type DatagramHandler,
  type Listener,
  type ListenerHandler,
  type Socket,
} from "../../network/socket.ts";
import {
  answerInfo,
  EXIT_KILLED,
  RequestInfo,
  type Program,
  type ProgramContext,
  type Signal,
} from "../program.ts";
import { EXIT_CONFIG, type DnsFleet, type DnsProcess } from "./fleet.ts";
import { TcpForwarder } from "./forward.ts";

export const DNS_PORT = 53;
/** Plugins health and ready. */
const PROBE_PORTS = [8080, 8181];
/** The longest chain of CNAMEs that is followed. */
const MOST_ALIASES = 8;

/** Until when the cache answers a Service's own name; now where it has no answer. */
export type CachedUntil = (service: string, family: IpFamily) => SimTimeNs;

export interface DnsServerOptions {
  readonly messages: DnsMessages;
  /** Where it listens; NO_ADDRESS for every address. */
  readonly address: AddressId;
  readonly zone: string;
  /** Makes its watch of the cluster; null for a node's cache, which asks `upstream`. */
  readonly records: ((cachedUntilNs: CachedUntil) => ClusterRecords) | null;
  /** The cluster's own DNS, asked by TCP. */
  readonly upstream: { readonly address: AddressId; readonly port: number } | null;
  readonly recordTtlNs: DurationNs;
  readonly cache: DnsCacheLimits;
  readonly cpuPerQueryNs: DurationNs;
  readonly workers: number;
  readonly lameduckNs: DurationNs;
  readonly startupTime: DistributionSpec;
  readonly forward: {
    readonly maxConcurrent: number;
    readonly timeoutNs: DurationNs;
    readonly latency: DistributionSpec;
    readonly recordTtlNs: DurationNs;
  };
  /** The outside names that exist, and the address that they have. */
  readonly outsideNames: ReadonlySet<string>;
  readonly outsideAddress: AddressId;
  /** The largest answer by UDP, to a client without EDNS and to one with it. */
  readonly udpAnswerBytes: number;
  readonly ednsAnswerBytes: number;
  readonly smallMessageBytes: number;
  readonly probePorts: boolean;
  /** The processes that it is one of; null for a node's cache. */
  readonly fleet: DnsFleet | null;
  readonly started: boolean;
}

const Timer = { listen: 0, served: 1, upstream: 2, lameduck: 3, forward: 4, watch: 5 } as const;

/** One query, from its arrival to its answer. */
export interface DnsQuery {
  readonly index: number;
  /** The socket to answer on; a connection may have gone meanwhile. */
  socket: Socket | null;
  generation: number;
  overTcp: boolean;
  bytes: number;
  peer: AddressId;
  peerPort: number;
  local: AddressId;
  message: number;
  question: number;
  /** With an OPT record. */
  edns: boolean;
  /** What is asked next on its behalf, after CNAMEs. */
  asked: number;
  aliases: number;
  /** Endpoint by which it came, for observations; -1 for none. */
  endpoint: number;
}

export class DnsServer implements Program, ListenerHandler, DatagramHandler, DnsProcess {
  readonly #context: ProgramContext;
  readonly #options: DnsServerOptions;
  readonly #id: number;
  readonly #cache: DnsCache;
  #records: ClusterRecords | null = null;
  readonly #forwarder: TcpForwarder | null;
  readonly #latency: Distribution;
  readonly #upstreamStream: RandomStream;
  readonly #shuffleStream: RandomStream;
  readonly #queries: DnsQuery[] = [];
  readonly #free: DnsQuery[] = [];
  readonly #waiting: DnsQuery[] = [];
  #waitingHead = 0;
  #busy = 0;
  #forwarded = 0;
  #udp: Socket | null = null;
  #listeners: Listener[] = [];
  readonly #connections = new Set<Socket>();
  #ended = false;
  /** While the process stands still: what it will do when it goes on. */
  #held: (() => void)[] | null = null;

  constructor(context: ProgramContext, options: DnsServerOptions) {
    this.#context = context;
    this.#options = options;
    const { programs, name } = context;
    const { streams } = programs.sim;
    this.#id = programs.add(this, context);
    this.#cache = new DnsCache(options.cache, streams.get(`dns/${name}/cache`));
    this.#latency = createDistribution(options.forward.latency);
    this.#upstreamStream = streams.get(`dns/${name}/upstream`);
    this.#shuffleStream = streams.get(`dns/${name}/loadbalance`);
    // Not at once: what runs at rest is there before the objects are.
    if (options.records !== null) programs.completeAt(programs.sim.nowNs, this.#id, Timer.watch, 0);
    this.#forwarder =
      options.upstream === null
        ? null
        : new TcpForwarder(context, options.messages, options.upstream, (query, answer) =>
            this.#resolved(this.#queries[query]!, answer),
          );
    options.fleet?.started(this);
    if (options.started) this.#listen();
    else {
      const stream = streams.get(`dns/${name}/startup`);
      const startupNs = sampleNs(createDistribution(options.startupTime), stream);
      programs.startAt(programs.sim.nowNs + startupNs, this.#id, Timer.listen, 0);
    }
  }

  hang(): void {
    this.#held ??= [];
  }

  goOn(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const act of held) if (!this.#ended) act();
    if (this.#ended) return;
    while (this.#busy < this.#options.workers && this.#isWaiting) this.#serveNext();
  }

  timer(what: number, argument: number): void {
    if (this.#ended) return;
    if (this.#held !== null) {
      this.#held.push(() => this.timer(what, argument));
      return;
    }
    switch (what) {
      case Timer.listen:
        this.#listen();
        return;
      case Timer.served:
        this.#served(this.#queries[argument]!);
        return;
      case Timer.upstream:
        this.#upstreamAnswered(this.#queries[argument]!);
        return;
      case Timer.lameduck:
        this.#end(0);
        return;
      case Timer.watch:
        this.#records = this.#options.records!((service, family) =>
          this.#cachedUntilNs(service, family),
        );
        return;
      case Timer.forward:
        this.#forwarder!.timeOut(argument);
    }
  }

  signal(signal: Signal): void {
    if (this.#ended) return;
    if (signal === "SIGKILL") {
      this.#end(EXIT_KILLED);
      return;
    }
    if (this.#held !== null) {
      this.#held.push(() => this.signal(signal));
      return;
    }
    const { programs } = this.#context;
    programs.timeoutAt(programs.sim.nowNs + this.#options.lameduckNs, this.#id, Timer.lameduck, 0);
  }

  crash(exitCode: number): void {
    if (!this.#ended) this.#end(exitCode);
  }

  datagram(socket: Socket, datagram: Datagram): void {
    const query = this.#take(socket, datagram.message, datagram.messageInfo);
    query.overTcp = false;
    query.bytes = datagram.payloadBytes;
    query.peer = datagram.source;
    query.peerPort = datagram.sourcePort;
    query.local = datagram.destination;
    this.#arrived(query, this.#context.programs.transport.udp.routeNoteOf(datagram));
  }

  accepted(socket: Socket): void {
    this.#connections.add(socket);
  }

  connected(): void {
    throw new Error("a server does not connect");
  }

  message(socket: Socket, message: number, info: number): void {
    if (socket.localPort !== DNS_PORT) {
      this.#whileOpen(socket, () => this.#answerProbe(socket, message, info));
      return;
    }
    const query = this.#take(socket, message, info);
    query.overTcp = true;
    this.#arrived(query, socket.routeNote);
  }

  peerClosed(socket: Socket): void {
    this.#whileOpen(socket, () => {
      this.#connections.delete(socket);
      this.#context.programs.transport.close(socket);
    });
  }

  failed(socket: Socket): void {
    this.#connections.delete(socket);
  }

  /** Now, or when the process goes on if its connection is the same then. */
  #whileOpen(socket: Socket, act: () => void): void {
    const { generation } = socket;
    if (this.#held === null) act();
    else this.#held.push(() => void (socket.generation === generation && act()));
  }

  #answerProbe(socket: Socket, message: number, info: number): void {
    const close = (info & RequestInfo.close) !== 0;
    if (close) this.#connections.delete(socket);
    const { transport } = this.#context.programs;
    transport.send(socket, this.#options.smallMessageBytes, message, answerInfo(0, 0), close);
  }

  #take(socket: Socket, message: number, info: number): DnsQuery {
    const question = info >> 1;
    const query = this.#free.pop() ?? this.#newQuery();
    query.socket = socket;
    query.generation = socket.generation;
    query.message = message;
    query.question = question;
    query.edns = info === queryInfo(question, true);
    query.asked = question;
    query.aliases = 0;
    return query;
  }

  #newQuery(): DnsQuery {
    const query: DnsQuery = {
      index: this.#queries.length,
      socket: null,
      generation: 0,
      overTcp: false,
      bytes: 0,
      peer: NO_ADDRESS,
      peerPort: 0,
      local: NO_ADDRESS,
      message: 0,
      question: 0,
      edns: false,
      asked: 0,
      aliases: 0,
      endpoint: -1,
    };
    this.#queries.push(query);
    return query;
  }

  #listen(): void {
    if (this.#options.fleet?.isBroken === true) {
      this.#end(EXIT_CONFIG);
      return;
    }
    const { transport } = this.#context.programs;
    const { namespace } = this.#context;
    const { address, probePorts } = this.#options;
    this.#udp = transport.udp.bind(namespace, address, DNS_PORT, this, 0);
    const ports = probePorts ? [DNS_PORT, ...PROBE_PORTS] : [DNS_PORT];
    const listeners = ports.map((port) => transport.listen(namespace, port, this));
    this.#listeners = listeners.filter((each) => each !== null);
    if (this.#udp === null || this.#listeners.length < ports.length) this.#end(1);
  }

  #arrived(query: DnsQuery, routeNote: number): void {
    query.endpoint = routeNote < 0 ? -1 : routeNote >> 1;
    const { observations, sim } = this.#context.programs;
    if (query.endpoint >= 0) observations.endpointRequestStarted(query.endpoint, sim.nowNs);
    if (this.#held === null && this.#busy < this.#options.workers) this.#serve(query);
    else this.#waiting.push(query);
  }

  #serve(query: DnsQuery): void {
    const { programs } = this.#context;
    if (!query.overTcp) programs.transport.udp.read(query.socket!, query.bytes);
    this.#busy++;
    const { cpuPerQueryNs } = this.#options;
    const tookNs = programs.stretched(cpuPerQueryNs, this.#context);
    programs.completeAt(programs.sim.nowNs + tookNs, this.#id, Timer.served, query.index);
  }

  #cachedUntilNs(service: string, family: IpFamily): SimTimeNs {
    const { messages, zone } = this.#options;
    const [namespace, name] = service.split("/");
    const type = family === "IPv4" ? RecordType.A : RecordType.AAAA;
    const question = messages.question(`${name}.${namespace}.svc.${zone}`, type);
    return this.#cache.keepsUntilNs(question, this.#context.programs.sim.nowNs);
  }

  #served(query: DnsQuery): void {
    this.#busy--;
    const cached = this.#cache.get(query.question, this.#context.programs.sim.nowNs);
    if (cached === null) this.#ask(query);
    else this.#answer(query, cached);
    this.#serveNext();
  }

  get #isWaiting(): boolean {
    return this.#waitingHead < this.#waiting.length;
  }

  #serveNext(): void {
    if (!this.#isWaiting) return;
    const next = this.#waiting[this.#waitingHead++]!;
    if (this.#waitingHead > 1024 && 2 * this.#waitingHead > this.#waiting.length) {
      this.#waiting.splice(0, this.#waitingHead);
      this.#waitingHead = 0;
    }
    this.#serve(next);
  }

  /** What the cache does not know: from the cluster's records, or from another server. */
  #ask(query: DnsQuery): void {
    const { messages, zone } = this.#options;
    const name = messages.nameOf(query.asked);
    const isOwn = name === zone || name.endsWith(`.${zone}`) || isReverse(name);
    const type = messages.typeOf(query.asked);
    const found = isOwn && this.#records !== null ? this.#records.lookup(name, type) : null;
    if (found === null) {
      this.#forward(query, isOwn);
      return;
    }
    const { alias, ...records } = found;
    if (alias !== null && query.aliases < MOST_ALIASES) {
      query.aliases++;
      query.asked = messages.question(alias, type);
      this.#ask(query);
      return;
    }
    const ttlSeconds = this.#options.recordTtlNs / seconds(1);
    this.#resolved(query, { ...records, aliases: 0, ttlSeconds });
  }

  #forward(query: DnsQuery, isOwn: boolean): void {
    const { programs } = this.#context;
    const { maxConcurrent, timeoutNs } = this.#options.forward;
    if (this.#forwarded >= maxConcurrent) {
      this.#answer(query, { rcode: Rcode.REFUSED, addresses: [], aliases: 0, ttlSeconds: 0 });
      return;
    }
    this.#forwarded++;
    const { nowNs } = programs.sim;
    if (isOwn && this.#forwarder !== null) {
      this.#forwarder.ask(query);
      programs.timeoutAt(nowNs + timeoutNs, this.#id, Timer.forward, this.#forwarder.last);
      return;
    }
    const latencyNs = sampleNs(this.#latency, this.#upstreamStream);
    programs.completeAt(nowNs + latencyNs, this.#id, Timer.upstream, query.index);
  }

  /** Outside names have an IPv4 address and no other. */
  #upstreamAnswered(query: DnsQuery): void {
    this.#forwarded--;
    const { messages, outsideNames, outsideAddress, forward } = this.#options;
    const isKnown = outsideNames.has(messages.nameOf(query.asked));
    const isIpv4 = messages.typeOf(query.asked) === RecordType.A;
    const rcode = isKnown ? Rcode.NOERROR : Rcode.NXDOMAIN;
    const addresses = isKnown && isIpv4 ? [outsideAddress] : [];
    const ttlSeconds = Math.floor(forward.recordTtlNs / seconds(1));
    this.#keep(query, { rcode, addresses, aliases: 0, ttlSeconds });
  }

  #resolved(query: DnsQuery, answer: DnsAnswer): void {
    if (this.#ended) return;
    if (this.#forwarder !== null) this.#forwarded--;
    this.#keep(query, answer);
  }

  #keep(query: DnsQuery, answer: DnsAnswer): void {
    const whole = { ...answer, aliases: query.aliases };
    this.#cache.put(query.question, whole, this.#context.programs.sim.nowNs);
    this.#answer(query, whole);
  }

  #answer(query: DnsQuery, answer: DnsAnswer): void {
    const { socket, generation, question, message } = query;
    const { messages, udpAnswerBytes, ednsAnswerBytes } = this.#options;
    const { programs } = this.#context;
    const { edns } = query;
    const mostBytes = query.overTcp ? Infinity : edns ? ednsAnswerBytes : udpAnswerBytes;
    const sent = messages.fitted(question, this.#shuffled(answer), mostBytes, edns);
    const bytes = messages.answerBytes(question, sent, edns);
    const { nowNs } = programs.sim;
    const info = messages.put(sent, nowNs);
    if (query.endpoint >= 0) programs.observations.endpointRequestEnded(query.endpoint, nowNs);
    query.socket = null;
    this.#free.push(query);
    if (!query.overTcp) {
      const { udp } = programs.transport;
      udp.sendTo(socket!, query.peer, query.peerPort, bytes, message, info, query.local);
    } else if (socket!.generation === generation && socket!.state === SocketState.established) {
      programs.transport.send(socket!, bytes, message, info, false);
    }
  }

  /** Plugin loadbalance: every answer in an order of its own. */
  #shuffled(answer: DnsAnswer): DnsAnswer {
    if (answer.addresses.length < 2) return answer;
    const addresses = [...answer.addresses];
    for (let i = addresses.length - 1; i > 0; i--) {
      const j = this.#shuffleStream.below(i + 1);
      [addresses[i], addresses[j]] = [addresses[j]!, addresses[i]!];
    }
    return { ...answer, addresses };
  }

  #end(exitCode: number): void {
    this.#ended = true;
    this.#options.fleet?.ended(this);
    this.#records?.stop();
    const { programs, exited } = this.#context;
    for (const { socket, endpoint } of this.#queries) {
      if (socket === null || endpoint < 0) continue;
      programs.observations.endpointRequestEnded(endpoint, programs.sim.nowNs);
    }
    for (const listener of this.#listeners) programs.transport.closeListener(listener);
    if (this.#udp !== null) programs.transport.udp.close(this.#udp);
    for (const socket of this.#connections) programs.transport.close(socket);
    this.#forwarder?.close();
    programs.sim.callAfter(0, 0, () => exited(exitCode));
  }
}
