/**
 * A controller: what every member of this folder is given. index.ts lists the members.
 *
 * Owns: the contract, and the informers that one kube-controller-manager shares among its controllers.
 */
import type { Simulation } from "../../engine/index.ts";
import type { ApiClient, ApiServer, Informer, InformerHandlers } from "../api/contract.ts";
import type { Kind, ObjectByKind } from "../api/types.ts";
import type { ControllerManagerProfile } from "./profile.ts";

export interface ControllerContext {
  readonly sim: Simulation;
  readonly profile: ControllerManagerProfile;
  /** The controller's own client with its own token bucket. */
  readonly client: ApiClient;
  readonly informers: SharedInformers;
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
  readonly #informers = new Map<Kind, { informer: Informer<Kind>; handlers: unknown[] }>();

  constructor(api: ApiServer, watcher: string) {
    this.#api = api;
    this.#watcher = watcher;
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
      shared = { informer: informer as unknown as Informer<Kind>, handlers: all };
      this.#informers.set(kind, shared);
    }
    shared.handlers.push(handlers);
    return shared.informer as unknown as Informer<K>;
  }
}
