/**
 * The watch cache's window of one kind: the last events, for watches that come back.
 *
 * Owns: which events are kept, and whether a resourceVersion is too old to continue from. Source:
 * apiserver storage/cacher/watch_cache.go; timings §6.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import type { WatchEvent } from "./informer.ts";
import type { ApiServerProfile } from "./profile.ts";
import type { Kind } from "./types.ts";

interface Entry {
  readonly atNs: SimTimeNs;
  readonly event: WatchEvent<Kind>;
}

export class WatchHistory {
  readonly #limits: ApiServerProfile["watchCache"];
  #entries: Entry[] = [];
  /** Entries before it have been dropped. */
  #first = 0;
  /** The last that was dropped. */
  #droppedVersion = 0;
  #droppedNs: SimTimeNs = 0;

  constructor(limits: ApiServerProfile["watchCache"]) {
    this.#limits = limits;
  }

  add(atNs: SimTimeNs, event: WatchEvent<Kind>): void {
    this.#entries.push({ atNs, event });
    const { minEvents, maxEvents, freshNs } = this.#limits;
    const kept = (): number => this.#entries.length - this.#first;
    const isStale = (): boolean => this.#entries[this.#first]!.atNs < atNs - freshNs;
    while (kept() > maxEvents || (kept() > minEvents && isStale())) {
      this.#droppedVersion = versionOf(this.#entries[this.#first]!);
      this.#droppedNs = this.#entries[this.#first]!.atNs;
      this.#first++;
    }
    if (this.#first > 1000 && 2 * this.#first > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
  }

  /** A new process: it knows what is stored, at that version, and nothing of what was before. */
  restart(atNs: SimTimeNs, version: number): void {
    this.#entries = [];
    this.#first = 0;
    this.#droppedVersion = version;
    this.#droppedNs = atNs;
  }

  /** The version of the last event at or before a time, what a bookmark then said; 0 when that is forgotten. */
  versionAt(atNs: SimTimeNs): number {
    for (let i = this.#entries.length - 1; i >= this.#first; i--) {
      if (this.#entries[i]!.atNs <= atNs) return versionOf(this.#entries[i]!);
    }
    return this.#droppedNs <= atNs ? this.#droppedVersion : 0;
  }

  /** What has happened since a version, in order; null: "too old resource version". */
  since(version: number): WatchEvent<Kind>[] | null {
    if (version < this.#droppedVersion) return null;
    const found: WatchEvent<Kind>[] = [];
    for (let i = this.#entries.length - 1; i >= this.#first; i--) {
      if (versionOf(this.#entries[i]!) <= version) break;
      found.push(this.#entries[i]!.event);
    }
    return found.toReversed();
  }
}

function versionOf({ event }: Entry): number {
  return event.object.metadata.resourceVersion;
}
