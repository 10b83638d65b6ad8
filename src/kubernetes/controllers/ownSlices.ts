/**
 * The EndpointSlices that one controller keeps, as its watch has shown them, and its writes of them.
 *
 * Owns: whose slices they are by the label managed-by, writing one after the other, and which writes the watch
 * has not shown yet: then what the controller knows is stale. Refuses to own: what is to be written, and when.
 * Source: k8s.io/endpointslice util/endpointslice_tracker.go; timings §2.
 */
import type { ApiClient, WriteCallback } from "../api/contract.ts";
import { MANAGED_BY_LABEL, objectKey, type EndpointSlice } from "../api/types.ts";
import type { SharedInformers } from "./contract.ts";
import type { SliceChanges } from "./endpointReconcile.ts";

export class OwnSlices {
  readonly #keeper: string;
  /** Somebody else has written or deleted a slice of the Service. */
  readonly #edited: (service: string) => void;
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  /** resourceVersion of the controller's own last write of a slice, until the watch has shown it. */
  readonly #written = new Map<string, Map<string, number>>();

  /** @param keeper value of the label managed-by */
  constructor(informers: SharedInformers, keeper: string, edited: (service: string) => void) {
    this.#keeper = keeper;
    this.#edited = edited;
    const slices = informers.on("EndpointSlice", {
      added: (slice) => this.#seen(slice),
      updated: (_previous, slice) => this.#seen(slice),
      deleted: (slice) => this.#gone(slice),
    });
    for (const slice of slices.values()) if (this.#isOwn(slice)) this.#put(slice);
  }

  of(service: string): EndpointSlice[] {
    return [...(this.#slices.get(service)?.values() ?? [])];
  }

  /** The watch has not shown all that was written of this Service. */
  isStale(service: string): boolean {
    return (this.#written.get(service)?.size ?? 0) > 0;
  }

  forget(service: string): void {
    this.#written.delete(service);
  }

  /**
   * One after the other: creates, updates, deletes.
   * @param finish makes of each slice what is sent
   * @param done called once, with whether a write has failed
   */
  write(
    client: ApiClient,
    service: string,
    changes: SliceChanges,
    finish: (slice: EndpointSlice) => EndpointSlice,
    done: (failed: boolean) => void,
  ): void {
    const writes: ((answered: WriteCallback<"EndpointSlice">) => void)[] = [
      ...changes.create.map(
        (slice) => (answered: WriteCallback<"EndpointSlice">) =>
          client.create("EndpointSlice", finish(slice), answered),
      ),
      ...changes.update.map(
        (slice) => (answered: WriteCallback<"EndpointSlice">) =>
          client.update("EndpointSlice", finish(slice), answered),
      ),
      ...changes.delete.map(
        (slice) => (answered: WriteCallback<"EndpointSlice">) =>
          client.delete("EndpointSlice", objectKey(slice), {}, (_slice, error) => {
            if (error === null) this.#rememberDeletion(service, objectKey(slice));
            answered(null, error);
          }),
      ),
    ];
    const next = (): void => {
      const write = writes.shift();
      if (write === undefined) {
        done(false);
        return;
      }
      write((slice, error) => {
        if (slice !== null) this.#remember(service, slice);
        if (error === null) next();
        else done(true);
      });
    };
    next();
  }

  #isOwn({ metadata }: EndpointSlice): boolean {
    return metadata.labels[MANAGED_BY_LABEL] === this.#keeper;
  }

  #put(slice: EndpointSlice): void {
    let slices = this.#slices.get(slice.service);
    if (slices === undefined) this.#slices.set(slice.service, (slices = new Map()));
    slices.set(objectKey(slice), slice);
  }

  /** Slices that others keep are none of its business; one of its own that another has written is. */
  #seen(slice: EndpointSlice): void {
    if (!this.#isOwn(slice)) return;
    this.#put(slice);
    const written = this.#written.get(slice.service);
    const version = written?.get(objectKey(slice));
    const { resourceVersion } = slice.metadata;
    if (version !== undefined && resourceVersion >= version) written!.delete(objectKey(slice));
    // ShouldSync: newer than the last write of its own.
    if (version === undefined || resourceVersion > version) this.#edited(slice.service);
  }

  #gone(slice: EndpointSlice): void {
    if (!this.#isOwn(slice)) return;
    this.#slices.get(slice.service)?.delete(objectKey(slice));
    const written = this.#written.get(slice.service);
    const expected = written?.get(objectKey(slice)) === Infinity;
    written?.delete(objectKey(slice));
    if (!expected) this.#edited(slice.service);
  }

  /** Until the watch has shown this write, what the controller knows is stale. */
  #remember(service: string, slice: EndpointSlice): void {
    const seen = this.#slices.get(service)?.get(objectKey(slice));
    if (seen !== undefined && seen.metadata.resourceVersion >= slice.metadata.resourceVersion) {
      return;
    }
    this.#writtenOf(service).set(objectKey(slice), slice.metadata.resourceVersion);
  }

  /** A deleted slice that the cache still holds is stale too (deletionExpected of the tracker). */
  #rememberDeletion(service: string, slice: string): void {
    if (this.#slices.get(service)?.has(slice)) this.#writtenOf(service).set(slice, Infinity);
  }

  #writtenOf(service: string): Map<string, number> {
    let written = this.#written.get(service);
    if (written === undefined) this.#written.set(service, (written = new Map()));
    return written;
  }
}
