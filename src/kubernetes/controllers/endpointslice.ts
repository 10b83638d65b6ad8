/**
 * The EndpointSlice controller: from pods and Services to slices, through its queue and its client.
 *
 * Owns: when a Service is synced and written. A sync that finds its own last write not yet back on the
 * watch counts as stale and waits for its back-off of 1 s, unless a further change asks for the Service
 * sooner: the last change of a burst is the one that waits. Source: pkg/controller/endpointslice; timings §2.
 */
import type { Informer } from "../api/contract.ts";
import {
  objectKey,
  SLICE_CONTROLLER,
  ZONE_LABEL,
  type EndpointSlice,
  type Node,
} from "../api/types.ts";
import type { Controller, ControllerContext } from "./contract.ts";
import { reconcileSlices } from "./endpointReconcile.ts";
import { OwnSlices } from "./ownSlices.ts";
import { nameSuffix } from "./pods.ts";
import { ServicePods } from "./servicePods.ts";
import { TopologyCache, usesTopologyMode } from "./topologyHints.ts";
import { TriggerTimeTracker, withTriggerTime } from "./triggerTimes.ts";
import { WorkQueue } from "./workqueue.ts";

export class EndpointSliceController implements Controller {
  readonly name = "endpointslice-controller";
  #context!: ControllerContext;
  #queue!: WorkQueue;
  #known!: ServicePods;
  #topology!: TopologyCache;
  #triggers!: TriggerTimeTracker;
  #nodes!: Informer<"Node">;
  #slices!: OwnSlices;

  get isIdle(): boolean {
    return this.#queue.isIdle;
  }

  start(context: ControllerContext, synced: boolean): void {
    this.#context = context;
    const { sim, profile, informers } = context;
    const options = { ...profile, ...profile.endpointSlice };
    this.#queue = new WorkQueue(sim, options, informers, (key, done) => this.#sync(key, done));
    const { batchPeriodNs } = profile.endpointSlice;
    this.#known = new ServicePods(informers, {
      service: (key) => this.#queue.add(key),
      pods: (key) => this.#queue.addAfter(key, batchPeriodNs),
    });
    // queueServiceForEndpointSlice: whoever fights over a slice is slowed down.
    const editDelayNs = Math.max(batchPeriodNs, profile.endpointSlice.foreignEditDelayNs);
    this.#slices = new OwnSlices(informers, SLICE_CONTROLLER, (service) =>
      this.#queue.addAfter(service, editDelayNs),
    );
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
    for (const service of this.#known.services.values()) {
      const key = objectKey(service);
      if (!synced) this.#queue.add(key);
      else if (usesTopologyMode(service.metadata)) this.#topology.adopt(key, this.#slices.of(key));
    }
  }

  /** checkNodeTopologyDistribution: Services that have become unbalanced are synced. */
  #nodesChanged(): void {
    this.#topology.setNodes(this.#nodes.values());
    for (const key of this.#topology.overloadedServices()) this.#queue.add(key);
  }

  #sync(key: string, done: (retry: boolean) => void): void {
    const service = this.#known.services.get(key);
    if (service === undefined || service.spec.selector === null) {
      this.#triggers.forget(key);
      this.#slices.forget(key);
      done(false);
      return;
    }
    if (this.#slices.isStale(key)) {
      done(true);
      return;
    }
    const pods = this.#known.podsOf(service);
    const stream = this.#context.sim.streams.get(`names/slices/${key}`);
    const { maxEndpointsPerSlice } = this.#context.profile.endpointSlice;
    const nextName = (): string => `${service.metadata.name}-${nameSuffix(stream)}`;
    const triggerNs = this.#triggers.update(key, service.metadata.creationTimestampNs, pods);
    const changes = reconcileSlices(
      service,
      pods,
      this.#slices.of(key),
      maxEndpointsPerSlice,
      nextName,
      this.#topology,
    );
    const finish = (slice: EndpointSlice): EndpointSlice => withTriggerTime(slice, triggerNs);
    this.#slices.write(this.#context.client, key, changes, finish, (failed) =>
      done(failed || changes.incomplete === true),
    );
  }
}

/** Whether an update of a node can change what zones have, or where endpoints are. */
function topologyChanged(previous: Node, node: Node): boolean {
  return (
    previous.metadata.labels[ZONE_LABEL] !== node.metadata.labels[ZONE_LABEL] ||
    previous.status.ready.status !== node.status.ready.status ||
    previous.status.allocatable.cpuMillis !== node.status.allocatable.cpuMillis
  );
}
