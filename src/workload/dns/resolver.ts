/**
 * The resolver of a process: glibc's getaddrinfo() and send_dg(), and a cache of the application's own.
 *
 * Owns: which names are asked in which order, A and AAAA from one socket, time-outs and attempts, and how
 * long the application keeps what it got. Every lookup ends once, with addresses or a cause. Refuses to
 * own: what the servers know, and the requests that wait for an address (client.ts).
 *
 * One resolver state for the process, as of one thread: the mode it falls back to when only one of two
 * answers came stays on. Not modelled: several name servers, truncated answers, nscd.
 */
import { seconds, type DurationNs, type SimTimeNs } from "../../engine/index.ts";
import {
  Rcode,
  RecordType,
  type DnsAnswer,
  type DnsMessages,
} from "../../kubernetes/dns/messages.ts";
import type { AddressId } from "../../network/address.ts";
import type { Socket, SocketHandler } from "../../network/socket.ts";
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
  readonly cache: ClientCache;
  /** ai_family: only that one is asked for; absent for AF_UNSPEC. */
  readonly ipFamily?: "IPv4" | "IPv6";
}

/** Bits of what a lookup waits for. */
const A = 1 << RecordType.A;
const AAAA = 1 << RecordType.AAAA;
const TYPES_OF = { IPv4: A, IPv6: AAAA } as const;
const NO_ADDRESSES: readonly AddressId[] = [];

interface Lookup {
  readonly index: number;
  /** Goes up when what it waits for has come or is given up: an older deadline is void. */
  serial: number;
  request: number;
  requestSerial: number;
  startedAtNs: SimTimeNs;
  /** Place in the order of names; the attempt at it. */
  candidate: number;
  attempt: number;
  socket: Socket | null;
  sentAtNs: number[];
  /** Queries without an answer, and those yet to be sent. */
  pending: number;
  unsent: number;
  addresses: (readonly AddressId[])[];
  /** The resolver's mode when this attempt began: one question after the other; each from a socket. */
  isSingle: boolean;
  reopens: boolean;
  ttlSeconds: number;
  worstRcode: number;
}

export class Resolver implements SocketHandler {
  readonly #context: ProgramContext;
  readonly #options: ResolverOptions;
  readonly #client: number;
  readonly #timer: { readonly program: number; readonly what: number };
  readonly #done: (request: number, serial: number, addresses: readonly AddressId[]) => void;
  readonly #names: readonly string[];
  /** Place of the name as it is. */
  readonly #asIs: number;
  /** What is asked of each name. */
  readonly #wanted: number;
  readonly #lookups: Lookup[] = [];
  readonly #free: Lookup[] = [];
  readonly #deadlines = new Deadlines();
  #singleRequest: boolean;
  #reopen: boolean;
  #kept: readonly AddressId[] = NO_ADDRESSES;
  #keptUntilNs: SimTimeNs = -1;

  /**
   * @param timer where its deadlines come to: the owner hands them to deadlinePassed()
   * @param done is told once of each lookup: no addresses for one that failed
   */
  constructor(
    context: ProgramContext,
    options: ResolverOptions,
    client: number,
    timer: { readonly program: number; readonly what: number },
    done: (request: number, serial: number, addresses: readonly AddressId[]) => void,
  ) {
    this.#context = context;
    this.#options = options;
    this.#client = client;
    this.#timer = timer;
    this.#done = done;
    this.#names = namesToAsk(options);
    this.#asIs = this.#names.indexOf(withoutDot(options.name));
    const { ipFamily } = options;
    this.#wanted = ipFamily === undefined ? A | AAAA : TYPES_OF[ipFamily];
    this.#reopen = options.singleRequestReopen;
    this.#singleRequest = options.singleRequest || this.#reopen;
  }

  /** What the application still has in its cache; none if it must ask. */
  cached(): readonly AddressId[] {
    return this.#context.programs.sim.nowNs < this.#keptUntilNs ? this.#kept : NO_ADDRESSES;
  }

  /** getaddrinfo() for a request. */
  start(request: number, requestSerial: number): void {
    const lookup = this.#free.pop() ?? this.#newLookup();
    lookup.request = request;
    lookup.requestSerial = requestSerial;
    lookup.startedAtNs = this.#context.programs.sim.nowNs;
    lookup.candidate = 0;
    lookup.attempt = 0;
    this.#context.programs.observations.lookupStarted(this.#client);
    this.#open(lookup);
  }

  connected(): void {
    throw new Error("a UDP socket does not connect");
  }

  peerClosed(): void {
    throw new Error("a UDP socket has no peer that closes");
  }

  message(socket: Socket, question: number, info: number): void {
    const lookup = this.#lookups[socket.user]!;
    const type = this.#options.messages.typeOf(question);
    if ((lookup.pending & (1 << type)) === 0) return;
    const answer = this.#options.messages.answer(info);
    lookup.pending &= ~(1 << type);
    lookup.addresses[type] = answer.addresses;
    this.#queryEnded(lookup, type, answer.rcode);
    noteAnswer(lookup, answer);
    if (lookup.pending === 0 && lookup.unsent === 0) this.#answered(lookup);
    else if (lookup.unsent !== 0 && lookup.reopens) this.#openAnew(lookup);
    else if (lookup.unsent !== 0) this.#sendNext(lookup);
  }

  /** ICMP says that nobody listens there: the next attempt, at once. */
  failed(socket: Socket): void {
    const lookup = this.#lookups[socket.user]!;
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
      candidate: 0,
      attempt: 0,
      socket: null,
      sentAtNs: [0, 0],
      pending: 0,
      unsent: 0,
      addresses: [],
      isSingle: false,
      reopens: false,
      ttlSeconds: 0,
      worstRcode: 0,
    };
    this.#lookups.push(lookup);
    return lookup;
  }

  /** One attempt at one name: its questions, from a socket of its own. */
  #open(lookup: Lookup): void {
    lookup.unsent = this.#wanted;
    lookup.isSingle = this.#singleRequest;
    lookup.reopens = this.#reopen;
    lookup.addresses = [NO_ADDRESSES, NO_ADDRESSES];
    lookup.worstRcode = Rcode.NOERROR;
    lookup.ttlSeconds = Infinity;
    this.#openAnew(lookup);
  }

  #openAnew(lookup: Lookup): void {
    this.#closeSocket(lookup);
    const { programs, namespace } = this.#context;
    const { nameserver } = this.#options;
    const { udp } = programs.transport;
    lookup.socket = udp.connect(namespace, nameserver, DNS_PORT, this, lookup.index);
    if (lookup.socket === null) {
      lookup.unsent = 0;
      this.#finish(lookup, LookupResult.failed);
      return;
    }
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
    const type = (lookup.unsent & A) !== 0 ? RecordType.A : RecordType.AAAA;
    lookup.unsent &= ~(1 << type);
    lookup.pending |= 1 << type;
    const { messages } = this.#options;
    const { programs } = this.#context;
    lookup.sentAtNs[type] = programs.sim.nowNs;
    const question = messages.question(this.#names[lookup.candidate]!, type);
    programs.observations.dnsQuerySent(this.#client);
    const bytes = messages.queryBytes(question);
    programs.transport.udp.send(lookup.socket!, bytes, question, question);
  }

  #answered(lookup: Lookup): void {
    this.#closeSocket(lookup);
    lookup.serial++;
    const [ipv4, ipv6] = lookup.addresses;
    if (ipv4!.length + ipv6!.length > 0) this.#finish(lookup, LookupResult.answered);
    else if (lookup.worstRcode > Rcode.NXDOMAIN) this.#again(lookup, LookupResult.failed);
    else if (lookup.candidate + 1 < this.#names.length) this.#next(lookup, lookup.candidate + 1);
    else this.#finish(lookup, LookupResult.not_found);
  }

  /** With one of two answers glibc asks again one after the other, then from a socket each. */
  #timedOut(lookup: Lookup): void {
    const hasOne = lookup.pending !== this.#wanted && lookup.unsent === 0;
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
    for (const type of [RecordType.A, RecordType.AAAA]) {
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
    const next = isServfail ? lookup.candidate + 1 : this.#asIs;
    const canGoOn = result !== LookupResult.refused && next > lookup.candidate;
    if (canGoOn && next < this.#names.length) this.#next(lookup, next);
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
    const found = result === LookupResult.answered ? this.#ordered(lookup) : NO_ADDRESSES;
    if (found.length > 0) this.#keep(found, lookup.ttlSeconds);
    const { request, requestSerial } = lookup;
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

  #keep(addresses: readonly AddressId[], ttlSeconds: number): void {
    const { cache } = this.#options;
    if (cache === "none") return;
    const keepNs =
      cache === "forever" ? Infinity : cache === "record" ? ttlSeconds * seconds(1) : cache;
    this.#kept = addresses;
    this.#keptUntilNs = this.#context.programs.sim.nowNs + keepNs;
  }

  #queryEnded(lookup: Lookup, type: number, result: number): void {
    const { observations, sim } = this.#context.programs;
    observations.dnsQueryEnded(this.#client, result, lookup.sentAtNs[type]!, sim.nowNs);
  }

  #closeSocket(lookup: Lookup): void {
    if (lookup.socket !== null) this.#context.programs.transport.udp.close(lookup.socket);
    lookup.socket = null;
  }
}

function noteAnswer(lookup: Lookup, { rcode, addresses, ttlSeconds }: DnsAnswer): void {
  lookup.worstRcode = Math.max(lookup.worstRcode, rcode);
  if (addresses.length > 0) lookup.ttlSeconds = Math.min(lookup.ttlSeconds, ttlSeconds);
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
