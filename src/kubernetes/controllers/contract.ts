/**
 * A controller: what every member of this folder is given. index.ts lists the members.
 *
 * Owns: the contract, and the informers that one kube-controller-manager shares among its controllers.
 */
import type { Simulation } from "../../engine/index.ts";
import type { ApiClient, ApiServer, Informer, InformerHandlers, Watch } from "../api/contract.ts";
import { objectKey, type Kind, type ObjectByKind, type ObjectKey } from "../api/types.ts";
import type { ControllerManagerProfile } from "./profile.ts";
import type { PodMetric } from "./replicaCalculator.ts";

export interface ControllerContext {
  readonly sim: Simulation;
  readonly profile: ControllerManagerProfile;
  /** The controller's own client with its own token bucket. */
  readonly client: ApiClient;
  readonly informers: SharedInformers;
  /** Seconds since 1970 at time 0 of the run. Absent: none. */
  readonly epochSeconds?: number;
  /** What the metrics API says of pods, by uid. Absent: there is none. */
  readonly podMetrics?: () => ReadonlyMap<string, PodMetric>;
  /** Whoever checks what controllers do. Absent: nobody. */
  readonly acts?: ActListener;
}

/** Told of each sync and what it asks for, for observation only. */
export interface ActListener {
  /** A sync begins, by what its process believes at this instant. */
  begins(controller: string, key: ObjectKey, believed: SharedInformers): void;
  /** It asks that an object be created, or replaced by this one. */
  asks(controller: string, kind: Kind, object: ObjectByKind[Kind]): void;
  /** It is told what is stored now. */
  hears(controller: string, kind: Kind, object: ObjectByKind[Kind]): void;
}

export interface Controller {
  readonly name: string;
  /** Nothing is left to do until something changes. */
  readonly isIdle: boolean;
  /** Begins to watch and to work. `synced`: what exists already is in order, only changes count. */
  start(context: ControllerContext, synced: boolean): void;
}

interface Shared {
  readonly informer: Watch<Kind>;
  readonly handlers: unknown[];
}

/** One watch for each kind, whatever the number of controllers that look. */
export class SharedInformers {
  readonly #api: ApiServer;
  readonly #watcher: string;
  readonly #informers = new Map<Kind, Shared>();
  readonly #byOwner = new Map<Kind, ByOwner<Kind>>();
  #waitingForSync: (() => void)[] | null = [];

  constructor(api: ApiServer, watcher: string) {
    this.#api = api;
    this.#watcher = watcher;
  }

  /** Calls `then` once every controller watches what it looks at and has its first lists; at once if that is so. */
  whenSynced(then: () => void): void {
    if (this.#waitingForSync === null) then();
    else this.#waitingForSync.push(then);
  }

  /** Every controller has been started: a first list is there as soon as its watch is. */
  synced(): void {
    const waiting = this.#waitingForSync ?? [];
    this.#waitingForSync = null;
    for (const then of waiting) then();
  }

  /** The informer of a kind; `handlers` are called from now on, in order of subscription. */
  on<K extends Kind>(kind: K, handlers: InformerHandlers<K>): Informer<K> {
    const { informer, handlers: all } = this.#sharedOf(kind);
    all.push(handlers);
    return informer as unknown as Informer<K>;
  }

  /** What the process believes of a kind. */
  of<K extends Kind>(kind: K): Informer<K> {
    return this.#sharedOf(kind).informer as unknown as Informer<K>;
  }

  #sharedOf<K extends Kind>(kind: K): Shared {
    let shared = this.#informers.get(kind);
    if (shared === undefined) {
      const all: InformerHandlers<K>[] = [];
      const informer = this.#api.watch(kind, {
        watcher: this.#watcher,
        handlers: {
          added: (object: ObjectByKind[K]) => all.forEach((each) => each.added?.(object)),
          updated: (previous: ObjectByKind[K], object: ObjectByKind[K]) =>
            all.forEach((each) => each.updated?.(previous, object)),
          deleted: (object: ObjectByKind[K]) => all.forEach((each) => each.deleted?.(object)),
        },
      });
      shared = { informer: informer as unknown as Watch<Kind>, handlers: all };
      this.#informers.set(kind, shared);
    }
    return shared;
  }

  /** Their process ends. */
  stop(): void {
    for (const { informer } of this.#informers.values()) informer.stop();
  }

  /** Ask for it before you subscribe to its kind: it has heard of a change when your handler hears of it. */
  byOwner<K extends Kind>(kind: K): ByOwner<K> {
    let own = this.#byOwner.get(kind) as ByOwner<K> | undefined;
    if (own === undefined) {
      own = new ByOwner(this, kind);
      this.#byOwner.set(kind, own as unknown as ByOwner<Kind>);
    }
    return own;
  }
}

/** The objects of each owner, by its uid. */
export class ByOwner<K extends Kind> {
  readonly #objects = new Map<string, Map<ObjectKey, ObjectByKind[K]>>();

  constructor(informers: SharedInformers, kind: K) {
    const put = (object: ObjectByKind[K]): void => {
      const { ownerUid } = object.metadata;
      if (ownerUid === null) return;
      let own = this.#objects.get(ownerUid);
      if (own === undefined) this.#objects.set(ownerUid, (own = new Map()));
      own.set(objectKey(object), object);
    };
    const all = informers.on(kind, {
      added: put,
      updated: (_previous, object) => put(object),
      deleted: (object) => this.#remove(object),
    });
    for (const object of all.values()) put(object);
  }

  #remove(object: ObjectByKind[K]): void {
    const { ownerUid } = object.metadata;
    const own = this.#objects.get(ownerUid ?? "");
    own?.delete(objectKey(object));
    if (own?.size === 0) this.#objects.delete(ownerUid ?? "");
  }

  /** In order of their arrival. */
  of(ownerUid: string): ObjectByKind[K][] {
    return [...(this.#objects.get(ownerUid)?.values() ?? [])];
  }
}
