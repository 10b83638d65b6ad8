/**
 * A watch and its local cache: what one component believes.
 *
 * Owns: delivering events to one watcher, in order and late, and the cache they make. Refuses to own:
 * what the watcher does about them.
 */
import {
  Phase,
  sampleNs,
  type Distribution,
  type RandomStream,
  type Simulation,
} from "../../engine/index.ts";
import type { Informer, InformerHandlers, WatchOptions } from "./contract.ts";
import { OverlayMap } from "./overlayMap.ts";
import { objectKey, type Kind, type ObjectByKind, type ObjectKey } from "./types.ts";

/** A commit as a watch sees it: the object as it is now, or as it last was. */
export interface WatchEvent<K extends Kind> {
  readonly type: "put" | "deleted";
  readonly object: ObjectByKind[K];
}

export class WatchCache<K extends Kind> implements Informer<K> {
  readonly #sim: Simulation;
  readonly #latency: Distribution;
  readonly #stream: RandomStream;
  readonly #handlers: InformerHandlers<K>;
  readonly #objects: OverlayMap<ObjectKey, ObjectByKind[K]>;
  /** When the last event that was sent arrives. */
  lastDeliveryNs = 0;

  constructor(
    sim: Simulation,
    latency: Distribution,
    kind: K,
    options: WatchOptions<K>,
    initial: ReadonlyMap<ObjectKey, ObjectByKind[K]>,
  ) {
    this.#sim = sim;
    this.#latency = latency;
    this.#stream = sim.streams.get(`watch/${options.watcher}/${kind}`);
    this.#handlers = options.handlers;
    this.#objects = new OverlayMap(initial);
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: ObjectKey): ObjectByKind[K] | undefined {
    return this.#objects.get(key);
  }

  values(): IterableIterator<ObjectByKind[K]> {
    return this.#objects.values();
  }

  /** A commit is on its way to this watcher. No event overtakes an earlier one. */
  send(event: WatchEvent<K>): void {
    const arrivalNs = this.#sim.nowNs + sampleNs(this.#latency, this.#stream);
    this.lastDeliveryNs = Math.max(this.lastDeliveryNs, arrivalNs);
    this.#sim.callAt(this.lastDeliveryNs, Phase.deliver, () => this.#receive(event));
  }

  #receive({ type, object }: WatchEvent<K>): void {
    const key = objectKey(object);
    const previous = this.#objects.get(key);
    if (type === "deleted") {
      this.#objects.delete(key);
      if (previous !== undefined) this.#handlers.deleted?.(object);
      return;
    }
    this.#objects.set(key, object);
    if (previous === undefined) this.#handlers.added?.(object);
    else this.#handlers.updated?.(previous, object);
  }
}
