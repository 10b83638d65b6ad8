/**
 * The API server and its store.
 *
 * Owns: objects with resourceVersions, what a write costs, optimistic concurrency, graceful deletion
 * of pods, and telling the watchers. Refuses to own: any reaction to a change (controllers, kubelets,
 * proxies, each through its own watch).
 *
 * Not modelled: authentication, admission, quotas, requests in flight, etcd's own limits.
 */
import {
  createDistribution,
  Phase,
  sampleNs,
  type Distribution,
  type DurationNs,
  type RandomStream,
  type Simulation,
} from "../../engine/index.ts";
import type {
  ApiClient,
  ApiServer,
  Informer,
  WatchOptions,
  WriteCallback,
  WriteError,
} from "./contract.ts";
import { WatchCache, type WatchEvent } from "./informer.ts";
import type { ApiServerProfile } from "./profile.ts";
import { TokenBucket } from "./tokenBucket.ts";
import {
  objectKey,
  type Kind,
  type ObjectByKind,
  type ObjectKey,
  type ObjectMeta,
  type Pod,
} from "./types.ts";

type Result<K extends Kind> = { readonly object: ObjectByKind[K] } | { readonly error: WriteError };
type DeleteOptions = { readonly gracePeriodNs?: DurationNs | null; readonly uid?: string | null };

/** A client's side of the server. */
interface Connection {
  readonly bucket: TokenBucket;
  readonly stream: RandomStream;
  /** Nobody waits for what it writes. */
  readonly isBackground: boolean;
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
}

/** The objects of a kind at one resourceVersion: all of them, and each node's pods. */
interface Snapshot {
  readonly resourceVersion: number;
  readonly byNode: Map<string | undefined, Map<ObjectKey, ObjectByKind[Kind]>>;
}

export class SimulatedApiServer implements ApiServer {
  readonly #sim: Simulation;
  readonly #profile: ApiServerProfile;
  readonly #writeLatency: Distribution;
  readonly #watchLatency: Distribution;
  readonly #stores = new Map<Kind, Map<ObjectKey, ObjectByKind[Kind]>>();
  readonly #watchers = new Map<Kind, Watchers>();
  readonly #snapshots = new Map<Kind, Snapshot>();
  readonly #onCommit: CommitListener;
  #resourceVersion = 0;
  #uids = 0;
  #lastAnswerNs = 0;

  constructor(sim: Simulation, profile: ApiServerProfile, onCommit: CommitListener = () => {}) {
    this.#sim = sim;
    this.#profile = profile;
    this.#writeLatency = createDistribution(profile.writeLatency);
    this.#watchLatency = createDistribution(profile.watchLatency);
    this.#onCommit = onCommit;
  }

  client(options: {
    readonly name: string;
    readonly qps: number;
    readonly burst: number;
    readonly background?: boolean;
  }): ApiClient {
    const connection: Connection = {
      bucket: new TokenBucket(options.qps, options.burst),
      // Its own stream: what one component writes moves no draw of another.
      stream: this.#sim.streams.get(`api/write/${options.name}`),
      isBackground: options.background ?? false,
    };
    return {
      name: options.name,
      create: (kind, object, done) =>
        this.#request(connection, () => this.#create(kind, object), done),
      update: (kind, object, done) =>
        this.#request(connection, () => this.#update(kind, object), done),
      patch: (kind, key, change, done) =>
        this.#request(connection, () => this.#patch(kind, key, change), done),
      delete: (kind, key, deleteOptions, done) =>
        this.#request(connection, () => this.#delete(kind, key, deleteOptions), done),
    };
  }

  watch<K extends Kind>(kind: K, options: WatchOptions<K>): Informer<K> {
    const { nodeName } = options;
    const cache = new WatchCache(
      this.#sim,
      this.#watchLatency,
      kind,
      options,
      this.#snapshot(kind, nodeName),
    );
    const watchers = this.#watchersOf(kind);
    const erased = cache as unknown as WatchCache<Kind>;
    if (nodeName === undefined) watchers.all.push(erased);
    else watchers.byNode.set(nodeName, [...(watchers.byNode.get(nodeName) ?? []), erased]);
    return cache;
  }

  preload<K extends Kind>(kind: K, object: ObjectByKind[K]): ObjectByKind[K] {
    const stored = this.#complete(object, { creation: true });
    this.#store(kind).set(objectKey(stored), stored);
    return stored;
  }

  /** The objects of a kind as stored, for whoever checks a run: no component may know them. */
  list<K extends Kind>(kind: K): Iterable<ObjectByKind[K]> {
    return this.#store(kind).values();
  }

  /** Nothing that was asked of the server is still under way, in either direction. */
  get isIdle(): boolean {
    const { nowNs } = this.#sim;
    if (this.#lastAnswerNs > nowNs) return false;
    for (const [kind, { all, byNode }] of this.#watchers) {
      if (kind === "Lease") continue;
      for (const caches of [all, ...byNode.values()]) {
        if (caches.some(({ lastDeliveryNs }) => lastDeliveryNs > nowNs)) return false;
      }
    }
    return true;
  }

  /** What a new watch lists. Watches that begin in one state share one snapshot. */
  #snapshot<K extends Kind>(
    kind: K,
    nodeName: string | undefined,
  ): ReadonlyMap<ObjectKey, ObjectByKind[K]> {
    let snapshot = this.#snapshots.get(kind);
    if (snapshot?.resourceVersion !== this.#resourceVersion) {
      snapshot = { resourceVersion: this.#resourceVersion, byNode: new Map() };
      const all = new Map(this.#store(kind));
      snapshot.byNode.set(undefined, all);
      for (const [key, object] of all) {
        const node = nodeOf(object);
        if (node === null) continue;
        let ofNode = snapshot.byNode.get(node);
        if (ofNode === undefined) snapshot.byNode.set(node, (ofNode = new Map()));
        ofNode.set(key, object);
      }
      this.#snapshots.set(kind, snapshot);
    }
    const found = snapshot.byNode.get(nodeName) ?? new Map<ObjectKey, ObjectByKind[Kind]>();
    return found as unknown as ReadonlyMap<ObjectKey, ObjectByKind[K]>;
  }

  /** A call: waits for its token, travels, costs a write, commits, and the response travels back. */
  #request<K extends Kind>(
    { bucket, stream, isBackground }: Connection,
    commit: () => Result<K>,
    done: WriteCallback<K> | undefined,
  ): void {
    const { networkNs } = this.#profile;
    const waitNs = bucket.take(this.#sim.nowNs);
    const writeNs = sampleNs(this.#writeLatency, stream);
    const commitNs = this.#sim.nowNs + waitNs + networkNs + writeNs;
    if (!isBackground) this.#lastAnswerNs = Math.max(this.#lastAnswerNs, commitNs + networkNs);
    this.#sim.callAt(commitNs, Phase.topology, () => {
      const result = commit();
      if (done === undefined) return;
      this.#sim.callAfter(networkNs, Phase.deliver, () => {
        if ("object" in result) done(result.object, null);
        else done(null, result.error);
      });
    });
  }

  #create<K extends Kind>(kind: K, object: ObjectByKind[K]): Result<K> {
    if (this.#store(kind).has(objectKey(object))) return { error: "AlreadyExists" };
    return { object: this.#put(kind, null, this.#complete(object, { creation: true })) };
  }

  #update<K extends Kind>(kind: K, object: ObjectByKind[K]): Result<K> {
    const stored = this.#store(kind).get(objectKey(object));
    if (stored === undefined) return { error: "NotFound" };
    if (stored.metadata.resourceVersion !== object.metadata.resourceVersion) {
      return { error: "Conflict" };
    }
    return { object: this.#put(kind, stored, this.#complete(object, { creation: false })) };
  }

  #patch<K extends Kind>(
    kind: K,
    key: ObjectKey,
    change: (stored: ObjectByKind[K]) => ObjectByKind[K] | null,
  ): Result<K> {
    const stored = this.#store(kind).get(key);
    if (stored === undefined) return { error: "NotFound" };
    const changed = change(stored);
    if (changed === null) return { object: stored };
    return { object: this.#put(kind, stored, this.#complete(changed, { creation: false })) };
  }

  #delete(kind: Kind, key: ObjectKey, options: DeleteOptions): Result<Kind> {
    const stored = this.#store(kind).get(key);
    if (stored === undefined) return { error: "NotFound" };
    if (options.uid && stored.metadata.uid !== options.uid) return { error: "NotFound" };
    if (stored.kind === "Pod") {
      const graceNs = graceOf(stored as Pod, options);
      if (graceNs > 0) return { object: this.#beginDeletion(stored as Pod, graceNs) };
    }
    this.#store(kind).delete(key);
    const last = this.#complete(stored, { creation: false });
    this.#announce(kind, stored, { type: "deleted", object: last } as WatchEvent<Kind>);
    return { object: last };
  }

  /** The grace period only ever shrinks; the deletion time is that of the first delete. */
  #beginDeletion(pod: Pod, graceNs: DurationNs): Pod {
    const { deletionTimestampNs, deletionGracePeriodNs } = pod.metadata;
    if (deletionGracePeriodNs !== null && deletionGracePeriodNs <= graceNs) return pod;
    const metadata: ObjectMeta = {
      ...pod.metadata,
      deletionTimestampNs: deletionTimestampNs ?? this.#sim.nowNs,
      deletionGracePeriodNs: graceNs,
    };
    return this.#put("Pod", pod, this.#complete<"Pod">({ ...pod, metadata }, { creation: false }));
  }

  #put<K extends Kind>(
    kind: K,
    previous: ObjectByKind[K] | null,
    object: ObjectByKind[K],
  ): ObjectByKind[K] {
    this.#store(kind).set(objectKey(object), object);
    this.#announce(kind, previous, { type: "put", object });
    return object;
  }

  #announce<K extends Kind>(kind: K, previous: ObjectByKind[K] | null, event: WatchEvent<K>): void {
    this.#onCommit(kind, previous, event.type === "put" ? event.object : null);
    const watchers = this.#watchersOf(kind);
    for (const cache of watchers.all) cache.send(event);
    const node = nodeOf(event.object);
    if (node === null) return;
    for (const cache of watchers.byNode.get(node) ?? []) cache.send(event);
  }

  #complete<K extends Kind>(
    object: ObjectByKind[K],
    { creation }: { readonly creation: boolean },
  ): ObjectByKind[K] {
    const metadata: ObjectMeta = {
      ...object.metadata,
      uid: object.metadata.uid === "" ? `uid-${++this.#uids}` : object.metadata.uid,
      resourceVersion: ++this.#resourceVersion,
      creationTimestampNs: creation ? this.#sim.nowNs : object.metadata.creationTimestampNs,
    };
    return { ...object, metadata };
  }

  #store<K extends Kind>(kind: K): Map<ObjectKey, ObjectByKind[K]> {
    let store = this.#stores.get(kind);
    if (store === undefined) this.#stores.set(kind, (store = new Map()));
    return store as Map<ObjectKey, ObjectByKind[K]>;
  }

  #watchersOf(kind: Kind): Watchers {
    let watchers = this.#watchers.get(kind);
    if (watchers === undefined)
      this.#watchers.set(kind, (watchers = { all: [], byNode: new Map() }));
    return watchers;
  }
}

function nodeOf(object: ObjectByKind[Kind]): string | null {
  if (object.kind === "Node") return object.metadata.name;
  return object.kind === "Pod" ? object.spec.nodeName : null;
}

/** rest.BeforeDelete and the pod strategy: unscheduled and finished pods go at once (timings §1.3). */
function graceOf(pod: Pod, options: DeleteOptions): DurationNs {
  if (pod.spec.nodeName === null) return 0;
  if (pod.status.phase === "Succeeded" || pod.status.phase === "Failed") return 0;
  return options.gracePeriodNs ?? pod.spec.terminationGracePeriodNs;
}
