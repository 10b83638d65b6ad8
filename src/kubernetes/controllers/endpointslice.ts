/**
 * The EndpointSlice controller: from pods and Services to slices, through its queue and its client.
 *
 * Owns: when a Service is synced and written. A sync that finds its own last write not yet back on the
 * watch counts as stale and waits for its back-off of 1 s, unless a further change asks for the Service
 * sooner: the last change of a burst is the one that waits. Source: pkg/controller/endpointslice; timings §2.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import type { Informer, WriteCallback } from "../api/contract.ts";
import { PodLabelIndex, SelectorIndex } from "../api/selectorIndex.ts";
import {
  MANAGED_BY_LABEL,
  objectKey,
  SLICE_CONTROLLER,
  ZONE_LABEL,
  type EndpointSlice,
  type Node,
  type Pod,
  type Service,
} from "../api/types.ts";
import type { Controller, ControllerContext } from "./contract.ts";
import { isEndpoint, reconcileSlices, type SliceChanges } from "./endpointReconcile.ts";
import { nameSuffix } from "./pods.ts";
import { TopologyCache, usesTopologyMode } from "./topologyHints.ts";
import { TriggerTimeTracker, withTriggerTime } from "./triggerTimes.ts";
import { WorkQueue } from "./workqueue.ts";

export class EndpointSliceController implements Controller {
  readonly name = "endpointslice-controller";
  #context!: ControllerContext;
  #queue!: WorkQueue;
  #services!: Informer<"Service">;
  #topology!: TopologyCache;
  #triggers!: TriggerTimeTracker;
  #nodes!: Informer<"Node">;
  readonly #selectors = new SelectorIndex();
  readonly #pods = new PodLabelIndex();
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  /** resourceVersion of the controller's own last write of a slice, until the watch has shown it. */
  readonly #written = new Map<string, Map<string, number>>();

  get isIdle(): boolean {
    return this.#queue.isIdle;
  }

  start(context: ControllerContext, synced: boolean): void {
    this.#context = context;
    const { sim, profile, informers } = context;
    const options = { ...profile, ...profile.endpointSlice };
    this.#queue = new WorkQueue(sim, options, informers, (key, done) => this.#sync(key, done));
    this.#services = informers.on("Service", {
      added: (service) => this.#putService(service),
      updated: (previous, service) => {
        this.#selectors.remove(previous);
        this.#putService(service);
      },
      deleted: (service) => {
        this.#selectors.remove(service);
        this.#queue.add(objectKey(service));
      },
    });
    const pods = informers.on("Pod", {
      added: (pod) => this.#podChanged(null, pod),
      updated: (previous, pod) => this.#podChanged(previous, pod),
      deleted: (pod) => this.#podDeleted(pod),
    });
    const slices = informers.on("EndpointSlice", {
      added: (slice) => this.#sliceSeen(slice),
      updated: (_previous, slice) => this.#sliceSeen(slice),
      deleted: (slice) => this.#sliceDeleted(slice),
    });
    this.#triggers = new TriggerTimeTracker(synced ? sim.nowNs : null);
    this.#topology = new TopologyCache(profile.endpointSlice.overloadThreshold);
    this.#nodes = informers.on("Node", {
      added: () => this.#nodesChanged(),
      updated: (previous, node) => {
        if (topologyChanged(previous, node)) this.#nodesChanged();
      },
      deleted: () => this.#nodesChanged(),
    });
    this.#topology.setNodes(this.#nodes.values());
    for (const pod of pods.values()) this.#pods.set(pod);
    for (const slice of slices.values()) if (isOwn(slice)) this.#putSlice(slice);
    for (const service of this.#services.values()) {
      const key = objectKey(service);
      this.#selectors.add(service);
      if (!synced) this.#queue.add(key);
      else if (usesTopologyMode(service.metadata)) this.#topology.adopt(key, this.#slicesOf(key));
    }
  }

  #putService(service: Service): void {
    this.#selectors.add(service);
    this.#queue.add(objectKey(service));
  }

  /** checkNodeTopologyDistribution: Services that have become unbalanced are synced. */
  #nodesChanged(): void {
    this.#topology.setNodes(this.#nodes.values());
    for (const key of this.#topology.overloadedServices()) this.#queue.add(key);
  }

  #podChanged(previous: Pod | null, pod: Pod): void {
    this.#pods.set(pod);
    if (previous !== null && !endpointChanged(previous, pod)) return;
    this.#askServicesOf(pod);
  }

  #podDeleted(pod: Pod): void {
    this.#pods.delete(pod);
    this.#askServicesOf(pod);
  }

  #askServicesOf(pod: Pod): void {
    const { batchPeriodNs } = this.#context.profile.endpointSlice;
    for (const service of this.#selectors.servicesOf(pod)) {
      this.#queue.addAfter(objectKey(service), batchPeriodNs);
    }
  }

  #slicesOf(key: string): EndpointSlice[] {
    return [...(this.#slices.get(key)?.values() ?? [])];
  }

  #putSlice(slice: EndpointSlice): void {
    let slices = this.#slices.get(slice.service);
    if (slices === undefined) this.#slices.set(slice.service, (slices = new Map()));
    slices.set(objectKey(slice), slice);
  }

  /** Slices that others keep are none of its business; one of its own that another has written is. */
  #sliceSeen(slice: EndpointSlice): void {
    if (!isOwn(slice)) return;
    this.#putSlice(slice);
    const written = this.#written.get(slice.service);
    const version = written?.get(objectKey(slice));
    const { resourceVersion } = slice.metadata;
    if (version !== undefined && resourceVersion >= version) written!.delete(objectKey(slice));
    // ShouldSync: newer than the last write of its own.
    if (version === undefined || resourceVersion > version) this.#askAfterForeignEdit(slice);
  }

  #sliceDeleted(slice: EndpointSlice): void {
    if (!isOwn(slice)) return;
    this.#slices.get(slice.service)?.delete(objectKey(slice));
    const written = this.#written.get(slice.service);
    const expected = written?.get(objectKey(slice)) === Infinity;
    written?.delete(objectKey(slice));
    if (!expected) this.#askAfterForeignEdit(slice);
  }

  /** queueServiceForEndpointSlice: whoever fights over a slice is slowed down. */
  #askAfterForeignEdit({ service }: EndpointSlice): void {
    const { batchPeriodNs, foreignEditDelayNs } = this.#context.profile.endpointSlice;
    this.#queue.addAfter(service, Math.max(batchPeriodNs, foreignEditDelayNs));
  }

  #sync(key: string, done: (retry: boolean) => void): void {
    const service = this.#services.get(key);
    if (service === undefined || service.spec.selector === null) {
      this.#triggers.forget(key);
      this.#written.delete(key);
      done(false);
      return;
    }
    if ((this.#written.get(key)?.size ?? 0) > 0) {
      done(true);
      return;
    }
    const { selector } = service.spec;
    const pods = this.#pods.podsOf(service.metadata.namespace, selector);
    const stream = this.#context.sim.streams.get(`names/slices/${key}`);
    const { maxEndpointsPerSlice } = this.#context.profile.endpointSlice;
    const nextName = (): string => `${service.metadata.name}-${nameSuffix(stream)}`;
    const triggerNs = this.#triggers.update(key, service.metadata.creationTimestampNs, pods);
    const changes = reconcileSlices(
      service,
      pods,
      this.#slicesOf(key),
      maxEndpointsPerSlice,
      nextName,
      this.#topology,
    );
    this.#write(key, changes, triggerNs, done);
  }

  /** One after the other: creates, updates, deletes. A failure brings the Service back later. */
  #write(
    key: string,
    changes: SliceChanges,
    triggerNs: SimTimeNs | null,
    done: (retry: boolean) => void,
  ): void {
    const { client } = this.#context;
    const writes: ((answered: WriteCallback<"EndpointSlice">) => void)[] = [
      ...changes.create.map(
        (slice) => (answered: WriteCallback<"EndpointSlice">) =>
          client.create("EndpointSlice", withTriggerTime(slice, triggerNs), answered),
      ),
      ...changes.update.map(
        (slice) => (answered: WriteCallback<"EndpointSlice">) =>
          client.update("EndpointSlice", withTriggerTime(slice, triggerNs), answered),
      ),
      ...changes.delete.map(
        (slice) => (answered: WriteCallback<"EndpointSlice">) =>
          client.delete("EndpointSlice", objectKey(slice), {}, (_slice, error) => {
            if (error === null) this.#rememberDeletion(key, objectKey(slice));
            answered(null, error);
          }),
      ),
    ];
    const next = (): void => {
      const write = writes.shift();
      if (write === undefined) {
        done(changes.incomplete === true);
        return;
      }
      write((slice, error) => {
        if (slice !== null) this.#remember(key, slice);
        if (error === null) next();
        else done(true);
      });
    };
    next();
  }

  /** Until the watch has shown this write, what the controller knows is stale. */
  #remember(key: string, slice: EndpointSlice): void {
    const seen = this.#slices.get(key)?.get(objectKey(slice));
    if (seen !== undefined && seen.metadata.resourceVersion >= slice.metadata.resourceVersion) {
      return;
    }
    this.#writtenOf(key).set(objectKey(slice), slice.metadata.resourceVersion);
  }

  /** A deleted slice that the cache still holds is stale too (deletionExpected of the tracker). */
  #rememberDeletion(key: string, slice: string): void {
    if (this.#slices.get(key)?.has(slice)) this.#writtenOf(key).set(slice, Infinity);
  }

  #writtenOf(key: string): Map<string, number> {
    let written = this.#written.get(key);
    if (written === undefined) this.#written.set(key, (written = new Map()));
    return written;
  }
}

function isOwn({ metadata }: EndpointSlice): boolean {
  return metadata.labels[MANAGED_BY_LABEL] === SLICE_CONTROLLER;
}

/** Whether an update of a node can change what zones have, or where endpoints are. */
function topologyChanged(previous: Node, node: Node): boolean {
  return (
    previous.metadata.labels[ZONE_LABEL] !== node.metadata.labels[ZONE_LABEL] ||
    previous.status.ready.status !== node.status.ready.status ||
    previous.status.allocatable.cpuMillis !== node.status.allocatable.cpuMillis
  );
}

/** Whether an update of a pod can change its endpoint (podEndpointsChanged). */
function endpointChanged(previous: Pod, pod: Pod): boolean {
  return (
    isEndpoint(previous) !== isEndpoint(pod) ||
    previous.status.podIPs.join() !== pod.status.podIPs.join() ||
    previous.status.ready.status !== pod.status.ready.status ||
    previous.metadata.deletionTimestampNs !== pod.metadata.deletionTimestampNs
  );
}
