/**
 * Everything the model tells the outside world, as one typed hub.
 *
 * Owns: the list of observations and handing each to the recorders that asked for it. Refuses to
 * own: what is kept (recorders/), and any influence on the model: an observer cannot answer back.
 * Hot observations take numbers only; names are given once through the `...Named` registrations.
 */
import type { DurationNs, SimTimeNs } from "../engine/index.ts";

/** How a request ended. `served` is the one success; every other is a cause of failure. */
export const Outcome = {
  served: 0,
  /** RST or ICMP port unreachable in answer to a SYN. */
  refused: 1,
  /** EHOSTUNREACH or ENETUNREACH. */
  unreachable: 2,
  /** An established connection was reset. */
  reset: 3,
  /** The peer closed in mid-request: end of file before the response. */
  closed: 4,
  /** The client's own deadline passed (or the kernel gave up: ETIMEDOUT). */
  timeout: 5,
  /** The server answered 503: its queue was full. */
  overloaded: 6,
  /** No free local port (EADDRNOTAVAIL). */
  no_local_port: 7,
  /** Another application answered: the address had been reused. */
  misrouted: 8,
  /** DNS gave no address: there is none, no server answered, or not before the deadline. */
  unresolved: 9,
  /** The server answered that a call of its own had failed: 502. */
  upstream_failed: 10,
} as const;
export type OutcomeName = keyof typeof Outcome;
export type OutcomeCode = (typeof Outcome)[OutcomeName];
export const outcomeNames = Object.keys(Outcome) as readonly OutcomeName[];

/**
 * How a DNS query ended: with an answer of that rcode, with none, or with ICMP port unreachable; with a part of
 * the answer only, or by being left for the same question over TCP.
 */
export const QueryResult = {
  noerror: 0,
  nxdomain: 1,
  servfail: 2,
  refused: 3,
  timeout: 4,
  port_unreachable: 5,
  truncated: 6,
  abandoned: 7,
  /** Over TCP: the connection was refused, reset or given up. */
  connection_failed: 8,
} as const;
export const queryResultNames = Object.keys(QueryResult);

/** How a lookup of a name ended, which may have taken many queries. */
export const LookupResult = {
  answered: 0,
  /** No such name, or no address of it. */
  not_found: 1,
  timeout: 2,
  /** The servers could not answer, or no socket was left to ask them. */
  failed: 3,
  /** Nobody listens on port 53. */
  refused: 4,
} as const;
export type LookupResultCode = (typeof LookupResult)[keyof typeof LookupResult];
export const lookupResultNames = Object.keys(LookupResult);

/** One observer's interest: implement only what is needed. */
export interface Observer {
  /** A client (by index) exists; `isCall` 1: it is a server that calls another. */
  clientNamed?(client: number, name: string, isCall: 0 | 1): void;
  /** "namespace/name"; index is dense from 0. */
  serviceNamed?(service: number, name: string): void;
  /** An endpoint "ip:port" that backs a Service from now on, with its pod and node; dense from 0. */
  endpointNamed?(
    endpoint: number,
    service: number,
    address: string,
    pod: string,
    node: string,
  ): void;

  requestStarted?(client: number, service: number, atNs: SimTimeNs): void;
  /**
   * @param attempts tries it took, at least 1
   * @param staleRouted 1 if its last attempt went over a connection opened to an endpoint that was
   *   in truth no longer usable
   */
  requestEnded?(
    client: number,
    service: number,
    outcome: OutcomeCode,
    startedAtNs: SimTimeNs,
    endedAtNs: SimTimeNs,
    attempts: number,
    staleRouted: number,
  ): void;
  /**
   * A try of a request begins: over a connection that it opens (`isNew` 1), or over one that is there.
   * @param request its number, in order of arrival over all clients; 0 for the first
   * @param attempt 1 for the first try
   * @param socket the connection's; -1 where none could be opened
   */
  attemptStarted?(
    request: number,
    client: number,
    service: number,
    attempt: number,
    socket: number,
    isNew: 0 | 1,
  ): void;
  /** @param node who chose the endpoint; both -1 where it is not known */
  attemptEnded?(request: number, outcome: OutcomeCode, endpoint: number, node: number): void;
  /**
   * A request has failed, after requestEnded().
   * @param routeNote of its last try: twice the endpoint, plus 1 if it was no longer usable then; -1: none
   */
  requestFailed?(
    request: number,
    client: number,
    service: number,
    outcome: OutcomeCode,
    startedAtNs: SimTimeNs,
    endedAtNs: SimTimeNs,
    attempts: number,
    routeNote: number,
    node: number,
  ): void;
  /** What became of the try that opened a connection to an endpoint which was no longer usable. */
  staleConnectionEnded?(node: number, endpoint: number, outcome: OutcomeCode): void;
  /** A node chose `endpoint` for a new connection. */
  connectionRouted?(node: number, endpoint: number, atNs: SimTimeNs, staleRouted: number): void;
  /** A client on `node` dials `endpoint` itself, by an address that DNS gave: a headless Service. */
  connectionDialled?(node: number, endpoint: number, atNs: SimTimeNs, staleRouted: number): void;
  /** The text of an address, by the number that other observations give it. */
  addressNamed?(address: number, text: string): void;
  /**
   * A client's connection has brought its first answer.
   * @param node whose rules chose the endpoint, or where the client runs that chose it itself by DNS
   * @param source address that the client dialled from
   * @param seenAs address that the server saw it come from
   */
  connectionAnswered?(
    client: number,
    service: number,
    node: number,
    endpoint: number,
    source: number,
    seenAs: number,
  ): void;
  /** A request reached an endpoint's server, and left it (answered, refused or lost with it). */
  endpointRequestStarted?(endpoint: number, atNs: SimTimeNs): void;
  endpointRequestEnded?(endpoint: number, atNs: SimTimeNs): void;
  /**
   * A server begins to work on a request, which may have waited.
   * @param socket the server's: of the connection, or the UDP socket to which the datagram came
   * @param peer,peerPort where the datagram came from; -1 for a connection
   */
  serviceStarted?(socket: number, peer: number, peerPort: number): void;

  /**
   * @param usable 1 if the endpoint may get new connections from now on, in truth; else 0
   * @param index the endpoint's
   * @param viaDns 1 for a headless Service: its clients learn of it by DNS, and no node's rules hold it
   */
  endpointChanged?(
    id: number,
    service: string,
    endpoint: string,
    change: "added" | "removed" | "condition",
    changedAtNs: SimTimeNs,
    usable: 0 | 1,
    index: number,
    viaDns: 0 | 1,
  ): void;
  /**
   * A DNS server knows of a change of a headless Service.
   * @param server namespace/name of its pod
   * @param knownAtNs when its watch had told it
   * @param answeredAtNs from when its answers hold the change: what its cache keeps until then does not
   */
  endpointAnswered?(
    id: number,
    server: string,
    knownAtNs: SimTimeNs,
    answeredAtNs: SimTimeNs,
  ): void;
  /**
   * A change has been written into an EndpointSlice for the first time.
   * @param seenAtNs when the pod's kubelet had noticed the cause, and `statusAtNs` when its status was stored;
   *   -1 for what the change did not need
   */
  endpointWritten?(
    id: number,
    seenAtNs: SimTimeNs | -1,
    statusAtNs: SimTimeNs | -1,
    atNs: SimTimeNs,
  ): void;
  /** An endpoint's entry has gone from its EndpointSlice. */
  endpointLeftSlice?(endpoint: number, atNs: SimTimeNs): void;
  /** A node's rules hold a change; when its kube-proxy was told, took note, and began that sync. */
  endpointProgrammed?(
    id: number,
    node: string,
    atNs: SimTimeNs,
    deliveredAtNs: SimTimeNs,
    trackedAtNs: SimTimeNs,
    syncStartedAtNs: SimTimeNs,
  ): void;
  /** A node's rules of one family for a Service came into force: made of EndpointSlices up to that resourceVersion. */
  rulesApplied?(
    node: number,
    service: string,
    version: number,
    atNs: SimTimeNs,
    family: 4 | 6,
  ): void;
  /** A node's kube-proxy has programmed what a slice's trigger time tells of: a sample of its own metric. */
  networkProgrammed?(node: number, triggerNs: SimTimeNs, atNs: SimTimeNs, family: 4 | 6): void;
  nodeNamed?(node: number, name: string, zone: string | null): void;
  /** A node's kube-proxy has a proxier of that IP family. */
  proxierNamed?(node: number, family: 4 | 6): void;
  /** A node's rules of a family have judged the first packet of a connection to a Service, in so much time. */
  rulesWalked?(node: number, walkNs: DurationNs, family: 4 | 6): void;
  /** A sync of a node's proxier has ended. `full`: all its rules were written; `failed`: none counts. */
  rulesSynced?(
    node: number,
    startedAtNs: SimTimeNs,
    endedAtNs: SimTimeNs,
    full: 0 | 1,
    failed: 0 | 1,
    family: 4 | 6,
  ): void;

  /** A client wants the address of a name, and has it or cannot get it. */
  lookupStarted?(client: number): void;
  lookupEnded?(
    client: number,
    result: LookupResultCode,
    startedAtNs: SimTimeNs,
    endedAtNs: SimTimeNs,
  ): void;
  /** A client's resolver has sent a query, and heard of it or given it up (a QueryResult). */
  dnsQuerySent?(client: number): void;
  dnsQueryEnded?(client: number, result: number, sentAtNs: SimTimeNs, endedAtNs: SimTimeNs): void;

  /** Something worth a line in events.csv. `kind` is lower_snake_case, `object` is "kind/name". */
  event?(atNs: SimTimeNs, kind: string, object: string, detail: string): void;

  /** A hop, or another place that drops packets, before its first hopLoaded(); dense from 0. */
  hopNamed?(hop: number, name: string, kind: string): void;
  /**
   * What a hop did in the window that is about to close, told of those that did anything.
   * @param packets,bytes that it accepted
   * @param drops packets, for whatever cause
   * @param sentForNs time in which it was sending, and `waitP99Ns` 99th percentile of the time that packets waited
   *   to be sent; -1: it has no finite rate
   * @param backlogNs how long a packet would wait that came now
   */
  hopLoaded?(
    hop: number,
    packets: number,
    bytes: number,
    drops: number,
    sentForNs: DurationNs | -1,
    waitP99Ns: DurationNs | -1,
    backlogNs: DurationNs,
  ): void;

  /** A metrics window [startNs, endNs) closed; the last one may be shorter. */
  windowClosed?(startNs: SimTimeNs, endNs: SimTimeNs): void;
}

type ObservationName = keyof Observer;

/** The hub. Calling a method of it hands the observation to each observer, in order of `add`. */
export type Observations = Required<Observer>;

/** Observers that certainly have the method `Name`. */
type Wanting<Name extends ObservationName> = readonly Required<Pick<Observer, Name>>[];

/**
 * Builds the hub for a fixed list of observers; an observation reaches them in the list's order. A
 * method that nobody wants is an empty function, so that an unobserved fact costs a call.
 */
export function createObservations(observers: readonly Observer[]): Observations {
  // All its names at once: an object that got them one by one would be looked up as a hash table.
  const hub: Record<string, unknown> = { ...fanOuts };
  for (const name of Object.keys(fanOuts) as ObservationName[]) {
    const wanting = observers.filter((observer) => observer[name] !== undefined);
    hub[name] = fanOut(name, wanting);
  }
  return hub as unknown as Observations;
}

function fanOut(name: ObservationName, wanting: readonly Observer[]): unknown {
  if (wanting.length === 0) return () => {};
  return (fanOuts[name] as (list: readonly Observer[]) => unknown)(wanting);
}

/**
 * One literal per method, on purpose: each has its own arity, so that no argument array is allocated,
 * and its own call site, so that the engine's inline caches see only the observers of that method.
 */
const fanOuts: { readonly [Name in ObservationName]: (list: Wanting<Name>) => Observer[Name] } = {
  clientNamed: (list) => (client, name, isCall) => {
    for (const observer of list) observer.clientNamed(client, name, isCall);
  },
  serviceNamed: (list) => (service, name) => {
    for (const observer of list) observer.serviceNamed(service, name);
  },
  endpointNamed: (list) => (endpoint, service, address, pod, node) => {
    for (const observer of list) observer.endpointNamed(endpoint, service, address, pod, node);
  },
  requestStarted: (list) => (client, service, atNs) => {
    for (const observer of list) observer.requestStarted(client, service, atNs);
  },
  requestEnded: (list) => (client, service, outcome, startedAtNs, endedAtNs, attempts, stale) => {
    for (const observer of list) {
      observer.requestEnded(client, service, outcome, startedAtNs, endedAtNs, attempts, stale);
    }
  },
  attemptStarted: (list) => (request, client, service, attempt, socket, isNew) => {
    for (const observer of list) {
      observer.attemptStarted(request, client, service, attempt, socket, isNew);
    }
  },
  attemptEnded: (list) => (request, outcome, endpoint, node) => {
    for (const observer of list) observer.attemptEnded(request, outcome, endpoint, node);
  },
  requestFailed: (list) => (number, client, service, outcome, from, to, attempts, note, node) => {
    for (const observer of list) {
      observer.requestFailed(number, client, service, outcome, from, to, attempts, note, node);
    }
  },
  staleConnectionEnded: (list) => (node, endpoint, outcome) => {
    for (const observer of list) observer.staleConnectionEnded(node, endpoint, outcome);
  },
  connectionRouted: (list) => (node, endpoint, atNs, stale) => {
    for (const observer of list) observer.connectionRouted(node, endpoint, atNs, stale);
  },
  connectionDialled: (list) => (node, endpoint, atNs, stale) => {
    for (const observer of list) observer.connectionDialled(node, endpoint, atNs, stale);
  },
  addressNamed: (list) => (address, text) => {
    for (const observer of list) observer.addressNamed(address, text);
  },
  connectionAnswered: (list) => (client, service, node, endpoint, source, seenAs) => {
    for (const observer of list) {
      observer.connectionAnswered(client, service, node, endpoint, source, seenAs);
    }
  },
  endpointRequestStarted: (list) => (endpoint, atNs) => {
    for (const observer of list) observer.endpointRequestStarted(endpoint, atNs);
  },
  endpointRequestEnded: (list) => (endpoint, atNs) => {
    for (const observer of list) observer.endpointRequestEnded(endpoint, atNs);
  },
  serviceStarted: (list) => (socket, peer, peerPort) => {
    for (const observer of list) observer.serviceStarted(socket, peer, peerPort);
  },
  endpointChanged:
    (list) => (id, service, endpoint, change, changedAtNs, usable, index, viaDns) => {
      for (const observer of list) {
        observer.endpointChanged(id, service, endpoint, change, changedAtNs, usable, index, viaDns);
      }
    },
  endpointAnswered: (list) => (id, server, knownAtNs, answeredAtNs) => {
    for (const observer of list) observer.endpointAnswered(id, server, knownAtNs, answeredAtNs);
  },
  endpointWritten: (list) => (id, seenAtNs, statusAtNs, atNs) => {
    for (const observer of list) observer.endpointWritten(id, seenAtNs, statusAtNs, atNs);
  },
  endpointLeftSlice: (list) => (endpoint, atNs) => {
    for (const observer of list) observer.endpointLeftSlice(endpoint, atNs);
  },
  endpointProgrammed: (list) => (id, node, atNs, deliveredAtNs, trackedAtNs, startedAtNs) => {
    for (const observer of list) {
      observer.endpointProgrammed(id, node, atNs, deliveredAtNs, trackedAtNs, startedAtNs);
    }
  },
  rulesApplied: (list) => (node, service, version, atNs, family) => {
    for (const observer of list) observer.rulesApplied(node, service, version, atNs, family);
  },
  networkProgrammed: (list) => (node, triggerNs, atNs, family) => {
    for (const observer of list) observer.networkProgrammed(node, triggerNs, atNs, family);
  },
  nodeNamed: (list) => (node, name, zone) => {
    for (const observer of list) observer.nodeNamed(node, name, zone);
  },
  proxierNamed: (list) => (node, family) => {
    for (const observer of list) observer.proxierNamed(node, family);
  },
  rulesWalked: (list) => (node, walkNs, family) => {
    for (const observer of list) observer.rulesWalked(node, walkNs, family);
  },
  rulesSynced: (list) => (node, startedAtNs, endedAtNs, full, failed, family) => {
    for (const observer of list) {
      observer.rulesSynced(node, startedAtNs, endedAtNs, full, failed, family);
    }
  },
  lookupStarted: (list) => (client) => {
    for (const observer of list) observer.lookupStarted(client);
  },
  lookupEnded: (list) => (client, result, startedAtNs, endedAtNs) => {
    for (const observer of list) observer.lookupEnded(client, result, startedAtNs, endedAtNs);
  },
  dnsQuerySent: (list) => (client) => {
    for (const observer of list) observer.dnsQuerySent(client);
  },
  dnsQueryEnded: (list) => (client, result, sentAtNs, endedAtNs) => {
    for (const observer of list) observer.dnsQueryEnded(client, result, sentAtNs, endedAtNs);
  },
  event: (list) => (atNs, kind, object, detail) => {
    for (const observer of list) observer.event(atNs, kind, object, detail);
  },
  hopNamed: (list) => (hop, name, kind) => {
    for (const observer of list) observer.hopNamed(hop, name, kind);
  },
  hopLoaded: (list) => (hop, packets, bytes, drops, sentForNs, waitP99Ns, backlogNs) => {
    for (const observer of list) {
      observer.hopLoaded(hop, packets, bytes, drops, sentForNs, waitP99Ns, backlogNs);
    }
  },
  windowClosed: (list) => (startNs, endNs) => {
    for (const observer of list) observer.windowClosed(startNs, endNs);
  },
};
