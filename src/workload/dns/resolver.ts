/**
 * The resolver of a process: glibc's getaddrinfo(), send_dg() and send_vc(), and a cache of the application's own.
 *
 * Owns: which names are asked in which order, A and AAAA from one socket, time-outs and attempts, the same
 * questions over TCP after a truncated answer, an SRV record's target, and how long the application keeps
 * what it got. Every lookup ends once, with what it found or a cause. Refuses to own: what the servers know,
 * and the requests that wait for an address (client.ts).
 *
 * One resolver state for the process, as of one thread: the mode it falls back to when only one of two
 * answers came stays on. Over TCP there is one attempt, and no time-out but TCP's. Not modelled: several name
 * servers, nscd.
 */
import { seconds, type DurationNs, type SimTimeNs } from "../../engine/index.ts";
import {
  hasRecords,
  queryInfo,
  Rcode,
  RecordType,
  type DnsAnswer,
  type DnsMessages,
  type RecordTypeCode,
  type SrvRecord,
} from "../../kubernetes/dns/messages.ts";
import type { AddressId } from "../../network/address.ts";
import { TransportProtocol } from "../../network/nat.ts";
import {
  SocketState,
  type Socket,
  type SocketError,
  type SocketHandler,
} from "../../network/socket.ts";
import { LookupResult, QueryResult, type LookupResultCode } from "../../observe/observations.ts";
import { Deadlines } from "../deadlines.ts";
import type { ProgramContext } from "../program.ts";
import { DNS_PORT } from "./server.ts";

/** How long the application keeps addresses: not at all, for ever, as the record says, or so long. */
export type ClientCache = "none" | "forever" | "record" | DurationNs;

export interface ResolverOptions {
  readonly messages: DnsMessages;
  readonly nameserver: AddressId;
  /** As the application asks: with a dot at its end it is absolute. */
  readonly name: string;
  /** resolv.conf(5). */
  readonly search: readonly string[];
  readonly ndots: number;
  readonly timeoutNs: DurationNs;
  readonly attempts: number;
  readonly singleRequest: boolean;
  readonly singleRequestReopen: boolean;
  /** `options edns0`: larger answers by UDP. */
  readonly edns0: boolean;
  readonly cache: ClientCache;
  /** What is asked for; absent: addresses. */
  readonly type?: "SRV" | "PTR";
  /** After SRV records: the addresses of one of their targets. */
  readonly followsTarget?: boolean;
  /** ai_family: only that one is asked for; absent for AF_UNSPEC. */
  readonly ipFamily?: "IPv4" | "IPv6";
}

/** What a lookup found. */
export interface Found {
  /** None for a lookup of anything else. */
  readonly addresses: readonly AddressId[];
  /** Of an SRV record; null: the caller knows it. */
  readonly port: number | null;
}

/** Bits of what a lookup waits for. */
const A = 1 << RecordType.A;
const AAAA = 1 << RecordType.AAAA;
const TYPES_OF = { IPv4: A, IPv6: AAAA } as const;
/** In the order in which they are asked for. */
const TYPES: readonly RecordTypeCode[] = Object.values(RecordType);
const NO_ADDRESSES: readonly AddressId[] = [];

interface Lookup {
  readonly index: number;
  /** Goes up when what it waits for has come or is given up: an older deadline is void. */
  serial: number;
  request: number;
  requestSerial: number;
  startedAtNs: SimTimeNs;
  /** What is asked of which names: at first the application's, then those of an SRV record's target. */
  wanted: number;
  names: readonly string[];
  /** Of the SRV record that it follows. */
  port: number | null;
  mostTtlSeconds: number;
  /** Place in the order of names; the attempt at it. */
  candidate: number;
  attempt: number;
  socket: Socket | null;
  sentAtNs: number[];
  /** Queries without an answer, and those yet to be sent. */
  pending: number;
  unsent: number;
  overTcp: boolean;
  addresses: (readonly AddressId[])[];
  /** The resolver's mode when this attempt began: one question after the other; each from a socket. */
  isSingle: boolean;
  reopens: boolean;
  ttlSeconds: number;
  worstRcode: number;
  services: readonly SrvRecord[];
  /** Something that was asked for is there. */
  hasRecords: boolean;
}

export class Resolver implements SocketHandler {
  readonly #context: ProgramContext;
  readonly #options: ResolverOptions;
  readonly #client: number;
  readonly #timer: { readonly program: number; readonly what: number };
  readonly #done: (request: number, serial: number, found: Found | null) => void;
  readonly #names: readonly string[];
  /** Place of the name as it is. */
  readonly #asIs: number;
  /** What is asked of each name. */
  readonly #wanted: number;
  readonly #addressTypes: number;
  readonly #lookups: Lookup[] = [];
  readonly #free: Lookup[] = [];
  readonly #deadlines = new Deadlines();
  #singleRequest: boolean;
  #reopen: boolean;
  #kept: Found | null = null;
  #keptUntilNs: SimTimeNs = -1;

  /**
   * @param timer where its deadlines come to: the owner hands them to deadlinePassed()
   * @param done is told once of each lookup: null for one that failed
   */
  constructor(
    context: ProgramContext,
    options: ResolverOptions,
    client: number,
    timer: { readonly program: number; readonly what: number },
    done: (request: number, serial: number, found: Found | null) => void,
  ) {
    this.#context = context;
    this.#options = options;
    this.#client = client;
    this.#timer = timer;
    this.#done = done;
    this.#names = namesToAsk(options);
    this.#asIs = this.#names.indexOf(withoutDot(options.name));
    this.#addressTypes = options.ipFamily === undefined ? A | AAAA : TYPES_OF[options.ipFamily];
    this.#wanted = options.type === undefined ? this.#addressTypes : 1 << RecordType[options.type];
    this.#reopen = options.singleRequestReopen;
    this.#singleRequest = options.singleRequest || this.#reopen;
  }

  /** What the application still has in its cache; null if it must ask. */
  cached(): Found | null {
    return this.#context.programs.sim.nowNs < this.#keptUntilNs ? this.#kept : null;
  }

  /** getaddrinfo() for a request. */
  start(request: number, requestSerial: number): void {
    const lookup = this.#free.pop() ?? this.#newLookup();
    lookup.request = request;
    lookup.requestSerial = requestSerial;
    lookup.startedAtNs = this.#context.programs.sim.nowNs;
    lookup.port = null;
    lookup.mostTtlSeconds = Infinity;
    this.#context.programs.observations.lookupStarted(this.#client);
    this.#ask(lookup, this.#names, this.#wanted);
  }

  /** send_vc(): both questions at once. */
  connected(socket: Socket): void {
    const lookup = this.#lookups[socket.user]!;
    while (lookup.unsent !== 0) this.#sendNext(lookup);
  }

  peerClosed(socket: Socket): void {
    this.#connectionLost(this.#lookups[socket.user]!, LookupResult.failed);
  }

  message(socket: Socket, question: number, info: number): void {
    const lookup = this.#lookups[socket.user]!;
    const type = this.#options.messages.typeOf(question);
    if ((lookup.pending & (1 << type)) === 0) return;
    const answer = this.#options.messages.answer(info);
    lookup.pending &= ~(1 << type);
    if (answer.truncated === true) {
      this.#queryEnded(lookup, type, QueryResult.truncated);
      this.#openTcp(lookup);
      return;
    }
    this.#queryEnded(lookup, type, answer.rcode);
    noteAnswer(lookup, type, answer);
    if (lookup.pending === 0 && lookup.unsent === 0) this.#answered(lookup);
    else if (lookup.unsent !== 0 && lookup.reopens) this.#openAnew(lookup);
    else if (lookup.unsent !== 0) this.#sendNext(lookup);
  }

  /** By UDP: ICMP says that nobody listens there, and the next attempt comes at once. */
  failed(socket: Socket, error: SocketError): void {
    const lookup = this.#lookups[socket.user]!;
    if (lookup.overTcp) {
      // It is gone already.
      lookup.socket = null;
      const isRefused = error === "ECONNREFUSED";
      this.#connectionLost(lookup, isRefused ? LookupResult.refused : LookupResult.failed);
      return;
    }
    this.#giveUp(lookup, QueryResult.port_unreachable);
    this.#again(lookup, LookupResult.refused);
  }

  deadlinePassed(): void {
    const { nowNs } = this.#context.programs.sim;
    let dueNs = this.#deadlines.peek(this.#isLive);
    while (dueNs !== null && dueNs <= nowNs) {
      this.#timedOut(this.#lookups[this.#deadlines.take()]!);
      dueNs = this.#deadlines.peek(this.#isLive);
    }
    this.#deadlines.armed = dueNs !== null;
    if (dueNs !== null) this.#setTimer(dueNs);
  }

  /** The process ends, and its sockets with it. */
  close(): void {
    for (const lookup of this.#lookups) this.#closeSocket(lookup);
  }

  #isLive = (lookup: number, serial: number): boolean => this.#lookups[lookup]!.serial === serial;

  #setTimer(dueNs: SimTimeNs): void {
    this.#context.programs.timeoutAt(dueNs, this.#timer.program, this.#timer.what, 0);
  }

  #newLookup(): Lookup {
    const lookup: Lookup = {
      index: this.#lookups.length,
      serial: 0,
      request: 0,
      requestSerial: 0,
      startedAtNs: 0,
      wanted: 0,
      names: [],
      port: null,
      mostTtlSeconds: Infinity,
      candidate: 0,
      attempt: 0,
      socket: null,
      sentAtNs: TYPES.map(() => 0),
      pending: 0,
      unsent: 0,
      overTcp: false,
      addresses: [],
      isSingle: false,
      reopens: false,
      ttlSeconds: 0,
      worstRcode: 0,
      services: [],
      hasRecords: false,
    };
    this.#lookups.push(lookup);
    return lookup;
  }

  #ask(lookup: Lookup, names: readonly string[], wanted: number): void {
    lookup.names = names;
    lookup.wanted = wanted;
    this.#next(lookup, 0);
  }

  /** One attempt at one name: its questions, from a socket of its own. */
  #open(lookup: Lookup): void {
    this.#blank(lookup);
    lookup.isSingle = this.#singleRequest;
    lookup.reopens = this.#reopen;
    lookup.overTcp = false;
    this.#openAnew(lookup);
  }

  #blank(lookup: Lookup): void {
    lookup.unsent = lookup.wanted;
    lookup.addresses = [NO_ADDRESSES, NO_ADDRESSES];
    lookup.services = [];
    lookup.hasRecords = false;
    lookup.ttlSeconds = lookup.mostTtlSeconds;
    lookup.worstRcode = Rcode.NOERROR;
  }

  /** TC: every question again, and over TCP; what else was answered is not used, as in send_dg(). */
  #openTcp(lookup: Lookup): void {
    this.#giveUp(lookup, QueryResult.abandoned);
    this.#blank(lookup);
    lookup.overTcp = true;
    const { programs, namespace } = this.#context;
    const { nameserver } = this.#options;
    const { transport } = programs;
    lookup.socket = transport.connect(namespace, nameserver, DNS_PORT, this, lookup.index);
    if (lookup.socket === null) this.#connectionLost(lookup, LookupResult.failed);
  }

  /** At most one attempt over TCP. */
  #connectionLost(lookup: Lookup, result: LookupResultCode): void {
    this.#giveUp(lookup, QueryResult.connection_failed);
    lookup.attempt = this.#options.attempts;
    this.#again(lookup, result);
  }

  #openAnew(lookup: Lookup): void {
    this.#closeSocket(lookup);
    const { programs, namespace } = this.#context;
    const { nameserver } = this.#options;
    const { transport } = programs;
    lookup.socket = transport.connect(
      namespace,
      nameserver,
      DNS_PORT,
      this,
      lookup.index,
      TransportProtocol.UDP,
    );
    if (lookup.socket === null) {
      lookup.unsent = 0;
      this.#finish(lookup, LookupResult.failed);
      return;
    }
    // connect() is refused where nobody serves the address: failed() is next.
    if (lookup.socket.state !== SocketState.established) return;
    this.#armDeadline(lookup);
    this.#sendNext(lookup);
    if (!lookup.isSingle && lookup.unsent !== 0) this.#sendNext(lookup);
  }

  #armDeadline(lookup: Lookup): void {
    lookup.serial++;
    const dueNs = this.#context.programs.sim.nowNs + this.#options.timeoutNs;
    this.#deadlines.push(lookup.index, lookup.serial, dueNs);
    if (this.#deadlines.armed) return;
    this.#deadlines.armed = true;
    this.#setTimer(dueNs);
  }

  #sendNext(lookup: Lookup): void {
    const type = TYPES.find((each) => (lookup.unsent & (1 << each)) !== 0)!;
    lookup.unsent &= ~(1 << type);
    lookup.pending |= 1 << type;
    const { messages, edns0 } = this.#options;
    const { programs } = this.#context;
    lookup.sentAtNs[type] = programs.sim.nowNs;
    const question = messages.question(lookup.names[lookup.candidate]!, type);
    programs.observations.dnsQuerySent(this.#client);
    const bytes = messages.queryBytes(question, edns0);
    const info = queryInfo(question, edns0);
    programs.transport.send(lookup.socket!, bytes, question, info, false);
  }

  #answered(lookup: Lookup): void {
    this.#closeSocket(lookup);
    lookup.serial++;
    if (lookup.hasRecords) this.#found(lookup);
    else if (lookup.worstRcode > Rcode.NXDOMAIN) this.#again(lookup, LookupResult.failed);
    else if (lookup.candidate + 1 < lookup.names.length) this.#next(lookup, lookup.candidate + 1);
    else this.#finish(lookup, LookupResult.not_found);
  }

  /** RFC 2782: of records with one priority and one weight any, by a draw; its name is absolute. */
  #found(lookup: Lookup): void {
    const { services } = lookup;
    if (services.length === 0 || this.#options.followsTarget !== true) {
      this.#finish(lookup, LookupResult.answered);
      return;
    }
    const { programs, name } = this.#context;
    const stream = programs.sim.streams.get(`client/${name}/srv`);
    const { port, target } = services[stream.below(services.length)]!;
    lookup.port = port;
    lookup.mostTtlSeconds = lookup.ttlSeconds;
    this.#ask(lookup, [target], this.#addressTypes);
  }

  /** With one of two answers glibc asks again one after the other, then from a socket each. */
  #timedOut(lookup: Lookup): void {
    const hasOne = lookup.pending !== lookup.wanted && lookup.unsent === 0;
    this.#giveUp(lookup, QueryResult.timeout);
    if (!hasOne) {
      this.#again(lookup, LookupResult.timeout);
      return;
    }
    // That mode failed as well: what it has is what it returns.
    if (lookup.reopens) {
      this.#answered(lookup);
      return;
    }
    if (lookup.isSingle) this.#reopen = true;
    this.#singleRequest = true;
    this.#open(lookup);
  }

  /** Ends the queries that are out. */
  #giveUp(lookup: Lookup, result: number): void {
    for (const type of TYPES) {
      if ((lookup.pending & (1 << type)) !== 0) this.#queryEnded(lookup, type, result);
    }
    lookup.pending = 0;
    lookup.unsent = 0;
    lookup.serial++;
    this.#closeSocket(lookup);
  }

  /** The next attempt; after the last what res_search() makes of the failure. */
  #again(lookup: Lookup, result: LookupResultCode): void {
    if (++lookup.attempt < this.#options.attempts) {
      this.#open(lookup);
      return;
    }
    const isServfail = lookup.worstRcode === Rcode.SERVFAIL;
    const asIs = lookup.names === this.#names ? this.#asIs : 0;
    const next = isServfail ? lookup.candidate + 1 : asIs;
    const canGoOn = result !== LookupResult.refused && next > lookup.candidate;
    if (canGoOn && next < lookup.names.length) this.#next(lookup, next);
    else this.#finish(lookup, result);
  }

  #next(lookup: Lookup, candidate: number): void {
    lookup.candidate = candidate;
    lookup.attempt = 0;
    this.#open(lookup);
  }

  #finish(lookup: Lookup, result: LookupResultCode): void {
    this.#closeSocket(lookup);
    lookup.serial++;
    const { observations, sim } = this.#context.programs;
    observations.lookupEnded(this.#client, result, lookup.startedAtNs, sim.nowNs);
    const { request, requestSerial, port } = lookup;
    const isFound = result === LookupResult.answered;
    const found = isFound ? { addresses: this.#ordered(lookup), port } : null;
    if (found !== null) this.#keep(found, lookup.ttlSeconds);
    this.#free.push(lookup);
    this.#done(request, requestSerial, found);
  }

  /** RFC 6724, as far as it goes here: IPv6 first for a process that has such an address. */
  #ordered({ addresses: [ipv4, ipv6] }: Lookup): readonly AddressId[] {
    const { addresses } = this.#context.programs.transport.network;
    for (const own of this.#context.namespace.addresses) {
      if (addresses.family(own) === 6) return [...ipv6!, ...ipv4!];
    }
    return ipv6!.length === 0 ? ipv4! : [...ipv4!, ...ipv6!];
  }

  #keep(found: Found, ttlSeconds: number): void {
    const { cache } = this.#options;
    if (cache === "none") return;
    const keepNs =
      cache === "forever" ? Infinity : cache === "record" ? ttlSeconds * seconds(1) : cache;
    this.#kept = found;
    this.#keptUntilNs = this.#context.programs.sim.nowNs + keepNs;
  }

  #queryEnded(lookup: Lookup, type: number, result: number): void {
    const { observations, sim } = this.#context.programs;
    observations.dnsQueryEnded(this.#client, result, lookup.sentAtNs[type]!, sim.nowNs);
  }

  #closeSocket(lookup: Lookup): void {
    if (lookup.socket !== null) this.#context.programs.transport.close(lookup.socket);
    lookup.socket = null;
  }
}

function noteAnswer(lookup: Lookup, type: RecordTypeCode, answer: DnsAnswer): void {
  const { rcode, addresses, services = [], ttlSeconds } = answer;
  lookup.worstRcode = Math.max(lookup.worstRcode, rcode);
  if (type === RecordType.A || type === RecordType.AAAA) lookup.addresses[type] = addresses;
  if (type === RecordType.SRV) lookup.services = services;
  if (!hasRecords(answer)) return;
  lookup.hasRecords = true;
  lookup.ttlSeconds = Math.min(lookup.ttlSeconds, ttlSeconds);
}

function withoutDot(name: string): string {
  return name.endsWith(".") ? name.slice(0, -1) : name;
}

/** res_search(): as it is first with enough dots, else after the search list; alone with a dot at its end. */
export function namesToAsk({
  name,
  search,
  ndots,
}: Pick<ResolverOptions, "name" | "search" | "ndots">): readonly string[] {
  if (name.endsWith(".")) return [withoutDot(name)];
  const searched = search.map((domain) => `${name}.${domain}`);
  const dots = name.split(".").length - 1;
  return dots >= ndots ? [name, ...searched] : [...searched, name];
}
