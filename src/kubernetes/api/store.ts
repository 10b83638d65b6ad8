/**
 * The store behind the API server: the objects of each kind, as last written.
 *
 * Owns: resourceVersions, optimistic concurrency, what a delete does to a pod, snapshots for lists.
 * Refuses to own: when a write happens and who hears of it (server.ts).
 */
import type { DurationNs, SimTimeNs } from "../../engine/index.ts";
import type { WriteError } from "./contract.ts";
import {
  objectKey,
  type Kind,
  type ObjectByKind,
  type ObjectKey,
  type ObjectMeta,
  type Pod,
} from "./types.ts";

export type Result<K extends Kind> =
  { readonly object: ObjectByKind[K] } | { readonly error: WriteError };
export interface DeleteOptions {
  readonly gracePeriodNs?: DurationNs | null;
  readonly uid?: string | null;
}

/** Told of every write: the object before, null for none; after, null when it has gone; its last state. */
export type WriteListener = <K extends Kind>(
  kind: K,
  previous: ObjectByKind[K] | null,
  now: ObjectByKind[K] | null,
  last: ObjectByKind[K],
) => void;

/** The objects of a kind at one resourceVersion: all of them, and each node's pods. */
interface Snapshot {
  readonly resourceVersion: number;
  readonly byNode: Map<string | undefined, Map<ObjectKey, ObjectByKind[Kind]>>;
}

export class ObjectStore {
  readonly #clock: { readonly nowNs: SimTimeNs };
  readonly #written: WriteListener;
  readonly #stores = new Map<Kind, Map<ObjectKey, ObjectByKind[Kind]>>();
  readonly #snapshots = new Map<Kind, Snapshot>();
  #resourceVersion = 0;
  #uids = 0;

  constructor(clock: { readonly nowNs: SimTimeNs }, written: WriteListener) {
    this.#clock = clock;
    this.#written = written;
  }

  /** The version of the last write. */
  get resourceVersion(): number {
    return this.#resourceVersion;
  }

  /** Objects of a kind. */
  of<K extends Kind>(kind: K): Map<ObjectKey, ObjectByKind[K]> {
    let store = this.#stores.get(kind);
    if (store === undefined) this.#stores.set(kind, (store = new Map()));
    return store as Map<ObjectKey, ObjectByKind[K]>;
  }

  preload<K extends Kind>(kind: K, object: ObjectByKind[K]): ObjectByKind[K] {
    const stored = this.#complete(object, { creation: true });
    this.of(kind).set(objectKey(stored), stored);
    return stored;
  }

  /** What a list or a new watch gets. Watches that begin in one state share one snapshot. */
  snapshot<K extends Kind>(
    kind: K,
    nodeName: string | undefined,
  ): ReadonlyMap<ObjectKey, ObjectByKind[K]> {
    let snapshot = this.#snapshots.get(kind);
    if (snapshot?.resourceVersion !== this.#resourceVersion) {
      snapshot = { resourceVersion: this.#resourceVersion, byNode: new Map() };
      const all = new Map(this.of(kind));
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

  create<K extends Kind>(kind: K, object: ObjectByKind[K]): Result<K> {
    if (this.of(kind).has(objectKey(object))) return { error: "AlreadyExists" };
    return { object: this.#put(kind, null, this.#complete(object, { creation: true })) };
  }

  update<K extends Kind>(kind: K, object: ObjectByKind[K]): Result<K> {
    const stored = this.of(kind).get(objectKey(object));
    if (stored === undefined) return { error: "NotFound" };
    if (stored.metadata.resourceVersion !== object.metadata.resourceVersion) {
      return { error: "Conflict" };
    }
    return { object: this.#put(kind, stored, this.#complete(object, { creation: false })) };
  }

  patch<K extends Kind>(
    kind: K,
    key: ObjectKey,
    change: (stored: ObjectByKind[K]) => ObjectByKind[K] | null,
  ): Result<K> {
    const stored = this.of(kind).get(key);
    if (stored === undefined) return { error: "NotFound" };
    const changed = change(stored);
    if (changed === null) return { object: stored };
    return { object: this.#put(kind, stored, this.#complete(changed, { creation: false })) };
  }

  delete(kind: Kind, key: ObjectKey, options: DeleteOptions): Result<Kind> {
    const stored = this.of(kind).get(key);
    if (stored === undefined) return { error: "NotFound" };
    if (options.uid && stored.metadata.uid !== options.uid) return { error: "NotFound" };
    if (stored.kind === "Pod") {
      const graceNs = graceOf(stored as Pod, options);
      if (graceNs > 0) return { object: this.#beginDeletion(stored as Pod, graceNs) };
    }
    this.of(kind).delete(key);
    const last = this.#complete(stored, { creation: false });
    this.#written(kind, stored, null, last);
    return { object: last };
  }

  /** The grace period only ever shrinks; the deletion time is that of the first delete. */
  #beginDeletion(pod: Pod, graceNs: DurationNs): Pod {
    const { deletionTimestampNs, deletionGracePeriodNs } = pod.metadata;
    if (deletionGracePeriodNs !== null && deletionGracePeriodNs <= graceNs) return pod;
    const metadata: ObjectMeta = {
      ...pod.metadata,
      deletionTimestampNs: deletionTimestampNs ?? this.#clock.nowNs,
      deletionGracePeriodNs: graceNs,
    };
    return this.#put("Pod", pod, this.#complete<"Pod">({ ...pod, metadata }, { creation: false }));
  }

  #put<K extends Kind>(
    kind: K,
    previous: ObjectByKind[K] | null,
    object: ObjectByKind[K],
  ): ObjectByKind[K] {
    this.of(kind).set(objectKey(object), object);
    this.#written(kind, previous, object, object);
    return object;
  }

  #complete<K extends Kind>(
    object: ObjectByKind[K],
    { creation }: { readonly creation: boolean },
  ): ObjectByKind[K] {
    const metadata: ObjectMeta = {
      ...object.metadata,
      uid: object.metadata.uid === "" ? `uid-${++this.#uids}` : object.metadata.uid,
      resourceVersion: ++this.#resourceVersion,
      creationTimestampNs: creation ? this.#clock.nowNs : object.metadata.creationTimestampNs,
    };
    return { ...object, metadata };
  }
}

export function nodeOf(object: ObjectByKind[Kind]): string | null {
  if (object.kind === "Node") return object.metadata.name;
  return object.kind === "Pod" ? object.spec.nodeName : null;
}

/** rest.BeforeDelete and the pod strategy: unscheduled and finished pods go at once (timings §1.3). */
function graceOf(pod: Pod, options: DeleteOptions): DurationNs {
  if (pod.spec.nodeName === null) return 0;
  if (pod.status.phase === "Succeeded" || pod.status.phase === "Failed") return 0;
  return options.gracePeriodNs ?? pod.spec.terminationGracePeriodNs;
}
