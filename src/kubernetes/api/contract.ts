/**
 * What a component may ask of the API server, and what it is told.
 *
 * Owns: the contract only; server.ts implements it. Every component sees the cluster through its own
 * Informer, at its own time: nobody reads the store itself.
 */
import type { DurationNs } from "../../engine/index.ts";
import type { Kind, ObjectByKind, ObjectKey } from "./types.ts";

/**
 * Timeout: no answer, whether the write has happened or not. TooManyRequests: turned away, and again each time
 * that the client has tried anew after a second.
 */
export type WriteError =
  | "NotFound"
  | "AlreadyExists"
  | "Conflict"
  | "TooManyRequests"
  | "Timeout"
  /** An eviction of a pod that two budgets cover. */
  | "InternalError";

/** Called at the instant the response reaches the client: exactly one of the two is non-null. */
export type WriteCallback<K extends Kind> = (
  object: ObjectByKind[K] | null,
  error: WriteError | null,
) => void;

/**
 * A component's own connection to the API server, with its client-side rate limit (token bucket).
 * Calls wait for a token in call order, then cost one write at the server.
 */
export interface ApiClient {
  readonly name: string;
  /** `object.metadata` is completed by the server (uid if empty, resourceVersion, creation time). */
  create<K extends Kind>(kind: K, object: ObjectByKind[K], done?: WriteCallback<K>): void;
  /**
   * Replaces the object if its stored resourceVersion still equals `object.metadata.resourceVersion`,
   * otherwise fails with Conflict.
   */
  update<K extends Kind>(kind: K, object: ObjectByKind[K], done?: WriteCallback<K>): void;
  /**
   * A PATCH: `change` gets the stored object at commit and returns the new one, or null for nothing
   * to do (the callback then gets the stored object). Never conflicts.
   */
  patch<K extends Kind>(
    kind: K,
    key: ObjectKey,
    change: (stored: ObjectByKind[K]) => ObjectByKind[K] | null,
    done?: WriteCallback<K>,
  ): void;
  /**
   * Pods: sets deletionTimestamp and grace (only ever shortened), or removes the object at once when
   * the grace is 0, or when the pod was never scheduled or is in a terminal phase. Others: removed.
   * `uid` is a precondition (NotFound when another object has taken the name), null for none.
   */
  delete(
    kind: Kind,
    key: ObjectKey,
    options: { readonly gracePeriodNs?: DurationNs | null; readonly uid?: string | null },
    done?: WriteCallback<Kind>,
  ): void;
  /**
   * Writes a Kubernetes Event, some time and by the client's own tokens.
   * @param about uid of the object that it is about
   */
  recordEvent(about: string): void;
  /**
   * The eviction subresource of a pod: a delete, if its PodDisruptionBudget allows it (eviction.ts).
   * TooManyRequests: the budget is spent; nobody tries again by himself.
   */
  evict(
    key: ObjectKey,
    options: { readonly gracePeriodNs?: DurationNs | null },
    done?: WriteCallback<"Pod">,
  ): void;
}

export interface InformerHandlers<K extends Kind> {
  readonly added?: (object: ObjectByKind[K]) => void;
  readonly updated?: (previous: ObjectByKind[K], object: ObjectByKind[K]) => void;
  readonly deleted?: (object: ObjectByKind[K]) => void;
}

/** A watch with its local cache: what one component believes. */
export interface Informer<K extends Kind> {
  get(key: ObjectKey): ObjectByKind[K] | undefined;
  /** In order of first arrival at this informer. */
  values(): IterableIterator<ObjectByKind[K]>;
  readonly size: number;
}

/** An informer that can be ended, with its component. */
export interface Watch<K extends Kind> extends Informer<K> {
  stop(): void;
}

export interface WatchOptions<K extends Kind> {
  /** Who watches: names the random stream of its delivery latency, and shows in traces. */
  readonly watcher: string;
  /** The connection that the watch shares; absent: one by the watcher's name. */
  readonly connection?: string;
  /** Field selector of a kubelet: spec.nodeName of Pods, its own Node. Absent: everything. */
  readonly nodeName?: string;
  /**
   * Label selector: the server sends nothing of other objects. An object is selected or not all its life long. Watches that
   * select alike share one function.
   */
  readonly selects?: (object: ObjectByKind[K]) => boolean;
  readonly handlers: InformerHandlers<K>;
}

export interface ClientOptions {
  readonly name: string;
  readonly qps: number;
  readonly burst: number;
  /** Who it is, by which its priority level is found; absent: an ordinary user of that name. */
  readonly user?: string;
  /** The connection that it shares; absent: one by its name. */
  readonly connection?: string;
  /** What it writes comes and goes for ever, as heartbeats do: an idle server may be busy with it. */
  readonly background?: boolean;
}

export interface ApiServer {
  client(options: ClientOptions): ApiClient;
  /**
   * Starts a watch whose cache is filled at once with the stored objects (no handler is called for
   * these): a component that has been running since before the simulation began. Later events come
   * in resourceVersion order, each after its delivery latency, with no overtaking in one watch.
   */
  watch<K extends Kind>(kind: K, options: WatchOptions<K>): Watch<K>;
  /** Stores an object at no cost and tells no one. Only before any watch of its kind has started. */
  preload<K extends Kind>(kind: K, object: ObjectByKind[K]): ObjectByKind[K];
}
