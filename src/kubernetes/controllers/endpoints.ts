/**
 * The Endpoints controller: from pods and Services to one legacy Endpoints object each, 1,000 addresses at most.
 *
 * Owns: when a Service is synced and its object written. A sync that still finds the version it has written over
 * fails and is tried again soon. Refuses to own: what the object holds (endpointsReconcile.ts), objects of Services
 * without a selector. It runs where profile.kubernetes.controllerManager.endpoints.enabled says so: nothing that
 * routes packets reads what it writes. Source: pkg/controller/endpoint; timings §2.2.
 */
import type { Informer, WriteCallback } from "../api/contract.ts";
import { objectKey, type Endpoints, type ObjectKey } from "../api/types.ts";
import type { Controller, ControllerContext } from "./contract.ts";
import { desiredEndpoints, isSame } from "./endpointsReconcile.ts";
import { ServicePods } from "./servicePods.ts";
import { syncQueue, tried, written, WriteFailed, type Steps } from "./steps.ts";
import { TriggerTimeTracker } from "./triggerTimes.ts";
import type { WorkQueue } from "./workqueue.ts";

export class EndpointsController implements Controller {
  readonly name = "endpoints-controller";
  #context!: ControllerContext;
  #queue!: WorkQueue;
  #known!: ServicePods;
  #endpoints!: Informer<"Endpoints">;
  #triggers!: TriggerTimeTracker;
  /** staleEndpointsTracker: the version of each object that the last update was made from. */
  readonly #overwritten = new Map<ObjectKey, number>();

  get isIdle(): boolean {
    return this.#queue.isIdle;
  }

  start(context: ControllerContext, synced: boolean): void {
    this.#context = context;
    const { sim, profile, informers } = context;
    const { workers, maxRetries, batchPeriodNs } = profile.endpoints;
    this.#queue = syncQueue(context, { workers, maxRetries }, (key) => this.#sync(key));
    this.#known = new ServicePods(informers, {
      service: (key) => this.#queue.add(key),
      pods: (key) => this.#queue.addAfter(key, batchPeriodNs),
    });
    this.#endpoints = informers.on("Endpoints", {
      deleted: (object) => this.#queue.add(objectKey(object)),
    });
    this.#triggers = new TriggerTimeTracker(synced ? sim.nowNs : null);
    if (synced) return;
    for (const service of this.#known.services.values()) this.#queue.add(objectKey(service));
    // checkLeftoverEndpoints: those whose Service has gone meanwhile.
    for (const object of this.#endpoints.values()) this.#queue.add(objectKey(object));
  }

  *#sync(key: ObjectKey): Steps<void> {
    const service = this.#known.services.get(key);
    if (service === undefined) {
      yield* this.#remove(key);
      return;
    }
    if (service.spec.type === "ExternalName" || service.spec.selector === null) return;
    const pods = this.#known.podsOf(service);
    const triggerNs = this.#triggers.update(key, service.metadata.creationTimestampNs, pods);
    const current = this.#endpoints.get(key);
    if (current !== undefined) {
      if (this.#overwritten.get(key) === current.metadata.resourceVersion) {
        throw new WriteFailed("the cache is out of date");
      }
    }
    const { maxCapacity } = this.#context.profile.endpoints;
    const wanted = desiredEndpoints(service, pods, current, triggerNs, maxCapacity);
    if (wanted !== null) yield* this.#write(key, current, wanted);
  }

  *#write(key: ObjectKey, current: Endpoints | undefined, wanted: Endpoints): Steps<void> {
    const { client } = this.#context;
    if (current === undefined) {
      yield* written<"Endpoints">((done) => client.create("Endpoints", wanted, done));
      return;
    }
    // The API server stores no new version of what is as it was.
    const write = isSame(current, wanted)
      ? (done: WriteCallback<"Endpoints">) => client.patch("Endpoints", key, () => null, done)
      : (done: WriteCallback<"Endpoints">) => client.update("Endpoints", wanted, done);
    const { metadata } = yield* written<"Endpoints">(write);
    if (metadata.resourceVersion !== current.metadata.resourceVersion) {
      this.#overwritten.set(key, current.metadata.resourceVersion);
    }
  }

  *#remove(key: ObjectKey): Steps<void> {
    const { client } = this.#context;
    const { error } = yield* tried((done) => client.delete("Endpoints", key, {}, done));
    if (error !== null && error !== "NotFound") throw new WriteFailed(error);
    this.#triggers.forget(key);
    this.#overwritten.delete(key);
  }
}
