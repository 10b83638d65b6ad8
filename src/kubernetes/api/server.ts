/**
 * The API server: what becomes of a request, and who hears of a write.
 *
 * Owns: what a write costs, its seat, its time-out, and telling the watchers one after the other; and
 * standing still, being slow, and being cut off from a client. Refuses to own: the objects (store.ts), the
 * queues for a seat (flowControl.ts), and any reaction to a change (controllers, kubelets, proxies, each
 * through its own watch).
 *
 * Not modelled: authentication, admission, quotas, etcd's own limits, several servers.
 */
import {
  createDistribution,
  Phase,
  sampleNs,
  type Distribution,
  type EventHandle,
  type RandomStream,
  type SimTimeNs,
  type Simulation,
} from "../../engine/index.ts";
import { Connection } from "./connection.ts";
import type {
  ApiClient,
  ApiServer,
  ClientOptions,
  Watch,
  WatchOptions,
  WriteCallback,
} from "./contract.ts";
import { evict } from "./eviction.ts";
import { EventRecorder } from "./eventRecorder.ts";
import { FlowControl } from "./flowControl.ts";
import { WatchCache, type WatchEvent } from "./informer.ts";
import type { Seat } from "./priorityLevel.ts";
import type { ApiServerProfile } from "./profile.ts";
import { nodeOf, ObjectStore, type Result } from "./store.ts";
import { TokenBucket } from "./tokenBucket.ts";
import { objectKey, type Kind, type ObjectByKind, type ObjectKey } from "./types.ts";
import { WatchHistory } from "./watchHistory.ts";

/** A client's side of the server. */
interface Client {
  readonly bucket: TokenBucket;
  /** Made with its first Event. */
  recorder: EventRecorder | null;
  readonly stream: RandomStream;
  readonly user: string;
  readonly connection: Connection;
  /** Nobody waits for what it writes. */
  readonly isBackground: boolean;
}

/** One call, from its client's queue to its answer. */
interface Request {
  readonly client: Client;
  readonly kind: Kind;
  readonly namespace: string;
  readonly commit: () => Result<Kind>;
  readonly done: WriteCallback<Kind> | undefined;
  readonly writeNs: number;
  tries: number;
  isAnswered: boolean;
  /** Ends the connection's interest in it. */
  settle: () => void;
}

/** A request that has its seat. */
interface Execution {
  readonly request: Request;
  readonly seat: Seat | null;
  readonly startNs: SimTimeNs;
  readonly end: () => void;
  timer: EventHandle;
}

/** Told of every commit at its instant, for observation only. */
export type CommitListener = <K extends Kind>(
  kind: K,
  previous: ObjectByKind[K] | null,
  object: ObjectByKind[K] | null,
) => void;

/** Watches of one kind: those of everything, and those of one node's pods. */
interface Watchers {
  readonly all: WatchCache<Kind>[];
  readonly byNode: Map<string, WatchCache<Kind>[]>;
  readonly history: WatchHistory;
  /** When the server will have sent all that it has been told of. */
  sentNs: SimTimeNs;
}

/** What stands still. The server: it answers nobody. etcd: reads and watches go on, writes do not end. */
export type Stall = "server" | "etcd";
/** What can be away. The process: its connections are reset and new ones refused, until another starts. */
export type Outage = Stall | "process";

/** mutating_work_estimator.go: so many watchers' events are one seat's work for so long. */
const WATCHES_PER_SEAT = 10;
const EVENT_ADDITIONAL_NS = 5_000_000;

export class SimulatedApiServer implements ApiServer {
  readonly flowControl: FlowControl;
  readonly #sim: Simulation;
  readonly #profile: ApiServerProfile;
  readonly #writeLatency: Distribution;
  readonly #watchLatency: Distribution;
  readonly #store: ObjectStore;
  readonly #watchers = new Map<Kind, Watchers>();
  readonly #connections = new Map<string, Connection>();
  readonly #stalls = new Set<Stall>();
  #isDown = false;
  /** Counts processes: what an earlier one had not begun is forgotten. */
  #process = 0;
  /** Writes that would have ended while something stood still. */
  readonly #suspended = new Set<Execution>();
  #slowness = 1;
  /** Components that are cut off. */
  readonly #partitioned = new Set<string>();
  /** The last selection of each snapshot. */
  readonly #selected = new WeakMap<
    ReadonlyMap<ObjectKey, unknown>,
    { readonly selects: unknown; readonly map: ReadonlyMap<ObjectKey, unknown> }
  >();
  readonly #onDisturbance: (() => void)[] = [];
  #underWay = 0;

  constructor(sim: Simulation, profile: ApiServerProfile, onCommit: CommitListener = () => {}) {
    this.#sim = sim;
    this.#profile = profile;
    this.#writeLatency = createDistribution(profile.writeLatency);
    this.#watchLatency = createDistribution(profile.watchLatency);
    this.flowControl = new FlowControl(sim, profile);
    this.#store = new ObjectStore(sim, (kind, previous, now, last) => {
      onCommit(kind, previous, now);
      const type = now === null ? "deleted" : "put";
      this.#announce(kind, { type, key: objectKey(last), object: last });
    });
  }

  client(options: ClientOptions): ApiClient {
    const client: Client = {
      bucket: new TokenBucket(options.qps, options.burst),
      recorder: null,
      // Its own stream: what one component writes moves no draw of another.
      stream: this.#sim.streams.get(`api/write/${options.name}`),
      user: options.user ?? options.name,
      connection: this.#connectionOf(options.connection ?? options.name),
      isBackground: options.background ?? false,
    };
    const store = this.#store;
    return {
      name: options.name,
      create: (kind, object, done) =>
        this.#request(
          client,
          kind,
          object.metadata.namespace,
          () => store.create(kind, object),
          done,
        ),
      update: (kind, object, done) =>
        this.#request(
          client,
          kind,
          object.metadata.namespace,
          () => store.update(kind, object),
          done,
        ),
      patch: (kind, key, change, done) =>
        this.#request(client, kind, namespaceOf(key), () => store.patch(kind, key, change), done),
      delete: (kind, key, deleteOptions, done) =>
        this.#request(
          client,
          kind,
          namespaceOf(key),
          () => store.delete(kind, key, deleteOptions),
          done,
        ),
      recordEvent: (about) => this.#recorderOf(client, options.name).record(about, this.#sim.nowNs),
      evict: (key, evictOptions, done) =>
        this.#request(
          client,
          "Pod",
          namespaceOf(key),
          () => evict(store, key, evictOptions, this.#sim.nowNs),
          done,
        ),
    };
  }

  watch<K extends Kind>(kind: K, options: WatchOptions<K>): Watch<K> {
    const { nodeName, watcher, selects } = options;
    const watchers = this.#watchersOf(kind);
    const source = {
      list: () => this.#listed(kind, nodeName, selects),
      since: (version: number) => {
        const events = watchers.history.since(version) as WatchEvent<K>[] | null;
        if (events === null || (nodeName === undefined && selects === undefined)) return events;
        return events.filter(
          ({ object }) =>
            (nodeName === undefined || nodeOf(object) === nodeName) && selects?.(object) !== false,
        );
      },
      versionAt: (atNs: SimTimeNs) => watchers.history.versionAt(atNs),
      stopped: () => void among.splice(among.indexOf(erased), 1),
    };
    const cache = new WatchCache(
      this.#sim,
      this.#profile,
      this.#watchLatency,
      kind,
      options,
      this.#connectionOf(options.connection ?? watcher),
      source,
      this.#store.resourceVersion,
    );
    const erased = cache as unknown as WatchCache<Kind>;
    const among = nodeName === undefined ? watchers.all : ofNode(watchers, nodeName);
    among.push(erased);
    return cache;
  }

  preload<K extends Kind>(kind: K, object: ObjectByKind[K]): ObjectByKind[K] {
    return this.#store.preload(kind, object);
  }

  /** The objects of a kind as stored, for whoever checks a run: no component may know them. */
  list<K extends Kind>(kind: K): Iterable<ObjectByKind[K]> {
    return this.#store.of(kind).values();
  }

  /** Nothing that was asked of the server is still under way, in either direction. */
  get isIdle(): boolean {
    const { nowNs } = this.#sim;
    if (this.#underWay > 0 || this.#stalls.size > 0 || this.#isDown) return false;
    for (const [kind, { all, byNode }] of this.#watchers) {
      if (kind === "Lease") continue;
      for (const caches of [all, ...byNode.values()]) {
        if (caches.some((each) => each.lastDeliveryNs > nowNs || !each.isUpToDate)) return false;
      }
    }
    return true;
  }

  /** Something is not as it should be: requests may fail or take long. */
  get isDisturbed(): boolean {
    const isAway = this.#stalls.size > 0 || this.#isDown;
    return isAway || this.#slowness !== 1 || this.#partitioned.size > 0;
  }

  /** Told when that begins, and of each thing that is added to it. */
  onDisturbance(listener: () => void): void {
    this.#onDisturbance.push(listener);
  }

  /** Puts right what was left out of the simulation: no write, and nobody is told. */
  correct<K extends Kind>(
    kind: K,
    key: ObjectKey,
    change: (stored: ObjectByKind[K]) => ObjectByKind[K],
  ): void {
    const objects = this.#store.of(kind);
    const stored = objects.get(key);
    if (stored !== undefined) objects.set(key, change(stored));
  }

  #disturbed(): void {
    for (const listener of this.#onDisturbance) listener();
  }

  /** The server, or only its etcd, stands still until it resumes; or its process is gone. */
  pause(what: Outage = "server"): void {
    if (what === "process") {
      this.#end();
      return;
    }
    if (this.#stalls.has(what)) return;
    this.#stalls.add(what);
    if (what === "server") for (const each of this.#connections.values()) each.cut("server");
    this.#disturbed();
  }

  /** What was under way goes on from where it was. */
  resume(what: Outage = "server"): void {
    if (what === "process") {
      this.#restart();
      return;
    }
    if (!this.#stalls.delete(what)) return;
    if (what === "server") for (const each of this.#connections.values()) each.mend("server");
    if (this.#stalls.size > 0) return;
    for (const execution of this.#suspended) {
      this.#suspended.delete(execution);
      this.#sim.cancel(execution.timer);
      this.#commit(execution);
    }
  }

  /** The process ends. What etcd has been given comes to its end; what waited for a seat is forgotten. */
  #end(): void {
    if (this.#isDown) return;
    this.#isDown = true;
    this.#process++;
    for (const each of this.#connections.values()) each.refuse();
    this.#disturbed();
  }

  /** Another process: its watch cache begins with what is stored now. */
  #restart(): void {
    if (!this.#isDown) return;
    this.#isDown = false;
    for (const { history } of this.#watchers.values()) {
      history.restart(this.#sim.nowNs, this.#store.resourceVersion);
    }
    for (const each of this.#connections.values()) each.accept();
  }

  /** Writes that begin from now on take `factor` times as long; 1 is as ever. */
  slow(factor: number): void {
    this.#slowness = factor;
    if (factor !== 1) this.#disturbed();
  }

  /**
   * Cuts a component off: "kubelet/NODE", "kube-proxy/NODE", "kube-controller-manager", "kube-scheduler".
   * Its requests and watches find out as a client of a dead connection does.
   */
  disconnect(component: string): void {
    this.#connectionOf(component).cut("partition");
    this.#partitioned.add(component);
    this.#disturbed();
  }

  reconnect(component: string): void {
    this.#connectionOf(component).mend("partition");
    this.#partitioned.delete(component);
  }

  #connectionOf(name: string): Connection {
    let connection = this.#connections.get(name);
    if (connection === undefined) {
      connection = new Connection(name, this.#sim, this.#profile);
      if (this.#stalls.has("server")) connection.cut("server");
      if (this.#isDown) connection.refuse();
      this.#connections.set(name, connection);
    }
    return connection;
  }

  /** A call: waits for its token, travels, waits for a seat, costs a write, commits, and is answered. */
  #request<K extends Kind>(
    client: Client,
    kind: K,
    namespace: string,
    commit: () => Result<K>,
    done: WriteCallback<K> | undefined,
  ): void {
    const request: Request = {
      client,
      kind,
      namespace,
      commit: commit as () => Result<Kind>,
      done: done as WriteCallback<Kind> | undefined,
      writeNs: sampleNs(this.#writeLatency, client.stream),
      tries: 0,
      isAnswered: false,
      settle: () => {},
    };
    if (!client.isBackground) this.#underWay++;
    this.#try(request);
  }

  #recorderOf(client: Client, name: string): EventRecorder {
    client.recorder ??= new EventRecorder({
      bucket: client.bucket,
      stream: this.#sim.streams.get(`api/events/${name}`),
      latency: this.#writeLatency,
      networkNs: 2 * this.#profile.networkNs,
    });
    return client.recorder;
  }

  /** Takes a token and sends, now or when its turn has come. */
  #try(request: Request): void {
    request.client.recorder?.catchUp(this.#sim.nowNs);
    const waitNs = request.client.bucket.take(this.#sim.nowNs);
    if (waitNs === 0) this.#send(request);
    else this.#sim.callAfter(waitNs, Phase.start, () => this.#send(request));
  }

  #send(request: Request): void {
    const { connection } = request.client;
    const lost = (): void => this.#answer(request, { error: "Timeout" });
    request.settle = connection.expectAnswer(lost);
    connection.pass("client", () => this.#arriving(request), lost);
  }

  /**
   * The request is on its way to the server, where it will find a seat if there is one now: all that arrive
   * before it are counted already. Then no event is needed for its arrival.
   */
  #arriving(request: Request): void {
    const { networkNs } = this.#profile;
    const arrivalNs = this.#sim.nowNs + networkNs;
    const { level, flow } = this.flowControl.classify({
      user: request.client.user,
      kind: request.kind,
      namespace: request.namespace,
    });
    const { seats, lingerNs } = this.#widthOf(request, level?.maxWidth ?? Infinity);
    const process = this.#process;
    const run = (seat: Seat | null, startNs: SimTimeNs): void => {
      const isOf = process === this.#process;
      const end = (): void => {
        if (seat !== null) level!.end(seat, isOf ? lingerNs : 0);
      };
      if (isOf) this.#execute(request, seat, startNs, end);
      else end();
    };
    if (level === null) {
      run(null, arrivalNs);
      return;
    }
    const seat = level.tryStart(flow, seats);
    if (seat !== null) {
      run(seat, arrivalNs);
      return;
    }
    this.#sim.callAt(arrivalNs, Phase.deliver, () =>
      level.admit(
        flow,
        seats,
        (granted) => run(granted, this.#sim.nowNs),
        () => this.#refuse(request),
      ),
    );
  }

  /** Seats of a write, by how many watchers will be told of it. */
  #widthOf({ kind }: Request, mostSeats: number): { seats: number; lingerNs: number } {
    const count = this.#watchersOf(kind).all.length;
    if (count < WATCHES_PER_SEAT) return { seats: 1, lingerNs: 0 };
    const work = Math.ceil(count / WATCHES_PER_SEAT);
    const seats = Math.min(work, mostSeats);
    return { seats, lingerNs: Math.ceil((work * EVENT_ADDITIONAL_NS) / seats) };
  }

  #execute(request: Request, seat: Seat | null, startNs: SimTimeNs, end: () => void): void {
    const execution: Execution = { request, seat, startNs, end, timer: 0 };
    const { requestTimeoutNs } = this.#profile;
    const writeNs = request.writeNs * this.#slowness;
    if (writeNs > requestTimeoutNs) {
      this.#sim.callAt(startNs + requestTimeoutNs, Phase.timeout, () => this.#giveUp(execution));
      return;
    }
    this.#sim.callAt(startNs + Math.round(writeNs), Phase.topology, () => {
      if (this.#stalls.size === 0) {
        this.#commit(execution);
        return;
      }
      this.#suspended.add(execution);
      const deadlineNs = Math.max(this.#sim.nowNs, startNs + requestTimeoutNs);
      execution.timer = this.#sim.callAt(deadlineNs, Phase.timeout, () =>
        this.#deadline(execution),
      );
    });
  }

  /** etcd has not answered in time. A server that stands still itself notices nothing. */
  #deadline(execution: Execution): void {
    if (this.#stalls.has("server")) return;
    this.#suspended.delete(execution);
    this.#giveUp(execution);
  }

  #giveUp({ request, end }: Execution): void {
    end();
    this.#respond(request, { error: "Timeout" });
  }

  #commit({ request, end }: Execution): void {
    const result = request.commit();
    end();
    this.#respond(request, result);
  }

  /** 429: client-go waits as long as Retry-After says, and tries again with a new token. */
  #refuse(request: Request): void {
    if (request.isAnswered) return;
    const { networkNs, retryAfterNs, maxRetries } = this.#profile;
    if (request.tries++ >= maxRetries) {
      this.#respond(request, { error: "TooManyRequests" });
      return;
    }
    request.settle();
    this.#sim.callAfter(networkNs + retryAfterNs, Phase.start, () => this.#try(request));
  }

  #respond(request: Request, result: Result<Kind>): void {
    if (request.isAnswered) return;
    const lost = (): void => this.#answer(request, { error: "Timeout" });
    const arrives = (): void => this.#answer(request, result);
    request.client.connection.pass(
      "server",
      () => this.#sim.callAfter(this.#profile.networkNs, Phase.deliver, arrives),
      lost,
    );
  }

  #answer(request: Request, result: Result<Kind>): void {
    if (request.isAnswered) return;
    request.isAnswered = true;
    request.settle();
    if (!request.client.isBackground) this.#underWay--;
    if ("object" in result) request.done?.(result.object, null);
    else request.done?.(null, result.error);
  }

  /** One watcher after the other, in the order in which they came: the last hears last. */
  #announce<K extends Kind>(kind: K, event: WatchEvent<K>): void {
    const { nowNs } = this.#sim;
    const { watchSendNs } = this.#profile;
    const watchers = this.#watchersOf(kind);
    watchers.history.add(nowNs, event as unknown as WatchEvent<Kind>);
    let atNs = Math.max(nowNs, watchers.sentNs);
    const tell = (cache: WatchCache<Kind>): void => {
      if (cache.selects !== null && !cache.selects(event.object)) return;
      cache.send(event as unknown as WatchEvent<Kind>, atNs - nowNs);
      atNs += watchSendNs;
    };
    for (const cache of watchers.all) tell(cache);
    const node = nodeOf(event.object);
    for (const cache of (node === null ? undefined : watchers.byNode.get(node)) ?? []) tell(cache);
    watchers.sentNs = atNs;
  }

  /** What a watch's list holds: one map for all watches that begin in one state and select alike. */
  #listed<K extends Kind>(
    kind: K,
    nodeName: string | undefined,
    selects: WatchOptions<K>["selects"],
  ): ReadonlyMap<ObjectKey, ObjectByKind[K]> {
    const all = this.#store.snapshot(kind, nodeName);
    if (selects === undefined) return all;
    const known = this.#selected.get(all);
    if (known !== undefined && known.selects === selects) {
      return known.map as unknown as ReadonlyMap<ObjectKey, ObjectByKind[K]>;
    }
    const map = new Map([...all].filter(([, object]) => selects(object)));
    this.#selected.set(all, { selects, map });
    return map;
  }

  #watchersOf(kind: Kind): Watchers {
    let watchers = this.#watchers.get(kind);
    if (watchers === undefined) {
      const history = new WatchHistory(this.#profile.watchCache);
      this.#watchers.set(kind, (watchers = { all: [], byNode: new Map(), history, sentNs: 0 }));
    }
    return watchers;
  }
}

function ofNode({ byNode }: Watchers, nodeName: string): WatchCache<Kind>[] {
  let caches = byNode.get(nodeName);
  if (caches === undefined) byNode.set(nodeName, (caches = []));
  return caches;
}

function namespaceOf(key: ObjectKey): string {
  return key.slice(0, key.indexOf("/"));
}
