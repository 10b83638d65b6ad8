/**
 * A watch and its local cache: what one component believes (client-go's reflector and informer).
 *
 * Owns: delivering events to one watcher, in order and late; the cache they make; and coming back after
 * its connection was closed: from where it was, or by a list when that is too old or nobody answers.
 * Refuses to own: what the watcher does about them. Source: client-go tools/cache/reflector.go; timings §6.
 */
import {
  Phase,
  sampleNs,
  type Distribution,
  type DurationNs,
  type RandomStream,
  type SimTimeNs,
  type Simulation,
} from "../../engine/index.ts";
import type { Connection } from "./connection.ts";
import type { InformerHandlers, Watch, WatchOptions } from "./contract.ts";
import { OverlayMap } from "./overlayMap.ts";
import type { ApiServerProfile } from "./profile.ts";
import { objectKey, type Kind, type ObjectByKind, type ObjectKey } from "./types.ts";

/** A commit as a watch sees it: the object as it is now, or as it last was. */
export interface WatchEvent<K extends Kind> {
  readonly type: "put" | "deleted";
  /** Of the object: made once for all watchers. */
  readonly key: ObjectKey;
  readonly object: ObjectByKind[K];
}

/** The server's side of one watch. */
export interface WatchSource<K extends Kind> {
  /** What is stored now, by the watch's selector. */
  readonly list: () => ReadonlyMap<ObjectKey, ObjectByKind[K]>;
  /** Events since a version, by the watch's selector; null when that is too old. */
  readonly since: (version: number) => readonly WatchEvent<K>[] | null;
  /** The version that a bookmark told by then. */
  readonly versionAt: (atNs: SimTimeNs) => number;
  /** The watch has ended for good. */
  readonly stopped: () => void;
}

export class WatchCache<K extends Kind> implements Watch<K> {
  readonly #sim: Simulation;
  readonly #profile: ApiServerProfile;
  readonly #latency: Distribution;
  readonly #stream: RandomStream;
  readonly #name: string;
  readonly #connection: Connection;
  readonly #source: WatchSource<K>;
  readonly #handlers: InformerHandlers<K>;
  readonly #objects: OverlayMap<ObjectKey, ObjectByKind[K]>;
  /** The server sends it what happens. */
  #isWatching = true;
  /** Counts connections: what an earlier one still holds is void. */
  #generation = 0;
  #version: number;
  #backoffNs: DurationNs;
  #attemptNs: SimTimeNs = 0;
  /** Ends for good: its component is no more. */
  #isStopped = false;
  /** Label selector; null: it watches everything. */
  readonly selects: ((object: ObjectByKind[K]) => boolean) | null;
  /** Lists so far: the first, and those after a watch had expired or nobody had answered. */
  lists = 1;
  /** When the last event that was sent arrives. */
  lastDeliveryNs = 0;

  constructor(
    sim: Simulation,
    profile: ApiServerProfile,
    latency: Distribution,
    kind: K,
    options: WatchOptions<K>,
    connection: Connection,
    source: WatchSource<K>,
    version: number,
  ) {
    this.#sim = sim;
    this.#profile = profile;
    this.#latency = latency;
    this.#name = `watch/${options.watcher}/${kind}`;
    this.#stream = sim.streams.get(this.#name);
    this.#handlers = options.handlers;
    this.selects = options.selects ?? null;
    this.#connection = connection;
    this.#source = source;
    this.#version = version;
    this.#backoffNs = profile.connection.relistBaseNs;
    this.#objects = new OverlayMap(source.list());
    connection.onClosed((silentNs) => this.#closed(silentNs));
  }

  get size(): number {
    return this.#objects.size;
  }

  /** Nothing has happened that it would not hear of by now but for its delivery. */
  get isUpToDate(): boolean {
    return this.#isStopped || (this.#isWatching && this.#connection.isThroughFrom("server"));
  }

  get(key: ObjectKey): ObjectByKind[K] | undefined {
    return this.#objects.get(key);
  }

  values(): IterableIterator<ObjectByKind[K]> {
    return this.#objects.values();
  }

  stop(): void {
    this.#isStopped = true;
    this.#isWatching = false;
    this.#generation++;
    this.#source.stopped();
  }

  /**
   * A commit is on its way to this watcher. No event overtakes an earlier one.
   * @param delayNs until the server comes to this watcher
   */
  send(event: WatchEvent<K>, delayNs: DurationNs): void {
    if (!this.#isWatching) return;
    const latencyNs = delayNs + sampleNs(this.#latency, this.#stream);
    if (this.#connection.isThroughFrom("server")) {
      this.#arrive(event, latencyNs);
      return;
    }
    const generation = this.#generation;
    this.#connection.pass(
      "server",
      () => {
        if (generation === this.#generation) this.#arrive(event, latencyNs);
      },
      () => {},
    );
  }

  #arrive(event: WatchEvent<K>, latencyNs: DurationNs): void {
    this.#connection.sent();
    this.lastDeliveryNs = Math.max(this.lastDeliveryNs, this.#sim.nowNs + latencyNs);
    const generation = this.#generation;
    this.#sim.callAt(this.lastDeliveryNs, Phase.deliver, () => {
      if (generation === this.#generation) this.#receive(event);
    });
  }

  #receive({ type, key, object }: WatchEvent<K>): void {
    this.#version = object.metadata.resourceVersion;
    if (type === "deleted") this.#drop(key, object);
    else this.#put(key, object);
  }

  #put(key: ObjectKey, object: ObjectByKind[K]): void {
    const previous = this.#objects.set(key, object);
    if (previous === undefined) this.#handlers.added?.(object);
    else this.#handlers.updated?.(previous, object);
  }

  #drop(key: ObjectKey, object: ObjectByKind[K]): void {
    if (this.#objects.delete(key)) this.#handlers.deleted?.(object);
  }

  /** The connection is gone, and with it the stream of events. */
  #closed(silentNs: DurationNs): void {
    if (!this.#isWatching) return;
    this.#isWatching = false;
    this.#generation++;
    const { bookmarkNs } = this.#profile.watchCache;
    // A bookmark came at least that long before the silence.
    const toldNs = this.#sim.nowNs - silentNs - bookmarkNs;
    this.#version = Math.max(this.#version, this.#source.versionAt(toldNs));
    this.#connect("watch");
  }

  #connect(how: "watch" | "list"): void {
    if (this.#isStopped) return;
    this.#attemptNs = this.#sim.nowNs;
    this.#connection.pass(
      "client",
      () => this.#sim.callAfter(this.#profile.networkNs, Phase.deliver, () => this.#begin(how)),
      // Refused: the server will know where the watch ended (isWatchErrorRetriable).
      (refused) => this.#later(refused ? how : "list"),
    );
  }

  /** The request has reached the server. */
  #begin(how: "watch" | "list"): void {
    if (this.#isStopped) return;
    const events = how === "watch" ? this.#source.since(this.#version) : null;
    if (how === "list") {
      this.#list();
    } else if (events === null) {
      // 410 Gone: too old resource version.
      this.#later("list");
    } else {
      this.#isWatching = true;
      const { watchSendNs } = this.#profile;
      for (const [index, event] of events.entries()) this.send(event, index * watchSendNs);
    }
  }

  /** BackoffUntil: 0.8 s doubling to 30 s, each times 1 to 2; anew after two minutes of peace. */
  #later(how: "watch" | "list"): void {
    const { relistBaseNs, relistMaxNs } = this.#profile.connection;
    if (this.#sim.nowNs - this.#attemptNs > 4 * relistMaxNs) this.#backoffNs = relistBaseNs;
    const draw = this.#sim.streams.get(`${this.#name}/backoff`).uniform();
    const waitNs = Math.floor(this.#backoffNs * (1 + draw));
    this.#backoffNs = Math.min(relistMaxNs, 2 * this.#backoffNs);
    this.#sim.callAfter(waitNs, Phase.start, () => this.#connect(how));
  }

  /** The whole state, then what happens after it. */
  #list(): void {
    const { networkNs, watchSendNs } = this.#profile;
    const listed = this.#source.list();
    this.lists++;
    this.#isWatching = true;
    this.lastDeliveryNs = Math.max(
      this.lastDeliveryNs,
      this.#sim.nowNs + networkNs + listed.size * watchSendNs,
    );
    const generation = this.#generation;
    this.#sim.callAt(this.lastDeliveryNs, Phase.deliver, () => {
      if (generation === this.#generation) this.#replace(listed);
    });
  }

  /** DeltaFIFO.Replace: what is new or newer, then what has gone, as it was last known. */
  #replace(listed: ReadonlyMap<ObjectKey, ObjectByKind[K]>): void {
    for (const [key, object] of listed) {
      const { resourceVersion } = object.metadata;
      this.#version = Math.max(this.#version, resourceVersion);
      if (this.#objects.get(key)?.metadata.resourceVersion !== resourceVersion)
        this.#put(key, object);
    }
    for (const object of this.#objects.values()) {
      const key = objectKey(object);
      if (!listed.has(key)) this.#drop(key, object);
    }
  }
}
