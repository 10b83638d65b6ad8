/**
 * A controller: what every member of this folder is given. index.ts lists the members.
 *
 * Owns: the contract, and the informers that one kube-controller-manager shares among its controllers.
 */
import type { Simulation } from "../../engine/index.ts";
import type { ApiClient, ApiServer, Informer, InformerHandlers, Watch } from "../api/contract.ts";
import { objectKey, type Kind, type ObjectByKind, type Pod } from "../api/types.ts";
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
}

export interface Controller {
  readonly name: string;
  /** Nothing is left to do until something changes. */
  readonly isIdle: boolean;
  /** Begins to watch and to work. `synced`: what exists already is in order, only changes count. */
  start(context: ControllerContext, synced: boolean): void;
}

/** One watch for each kind, whatever the number of controllers that look. */
export class SharedInformers {
  readonly #api: ApiServer;
  readonly #watcher: string;
  readonly #informers = new Map<Kind, { informer: Watch<Kind>; handlers: unknown[] }>();
  #podsByOwner: PodsByOwner | null = null;
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
    shared.handlers.push(handlers);
    return shared.informer as unknown as Informer<K>;
  }

  /** Their process ends. */
  stop(): void {
    for (const { informer } of this.#informers.values()) informer.stop();
  }

  /** Ask for it before you subscribe to pods: it has heard of a change when your handler hears of it. */
  podsByOwner(): PodsByOwner {
    this.#podsByOwner ??= new PodsByOwner(this);
    return this.#podsByOwner;
  }
}

/** The pods of each owner, by its uid. */
export class PodsByOwner {
  readonly #pods = new Map<string, Map<string, Pod>>();

  constructor(informers: SharedInformers) {
    const put = (pod: Pod): void => {
      const { ownerUid } = pod.metadata;
      if (ownerUid === null) return;
      let own = this.#pods.get(ownerUid);
      if (own === undefined) this.#pods.set(ownerUid, (own = new Map()));
      own.set(objectKey(pod), pod);
    };
    const pods = informers.on("Pod", {
      added: put,
      updated: (_previous, pod) => put(pod),
      deleted: (pod) => this.#remove(pod),
    });
    for (const pod of pods.values()) put(pod);
  }

  #remove(pod: Pod): void {
    const { ownerUid } = pod.metadata;
    const own = this.#pods.get(ownerUid ?? "");
    own?.delete(objectKey(pod));
    if (own?.size === 0) this.#pods.delete(ownerUid ?? "");
  }

  /** In order of their arrival. */
  of(ownerUid: string): Pod[] {
    return [...(this.#pods.get(ownerUid)?.values() ?? [])];
  }
}
