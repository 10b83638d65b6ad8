/**
 * The EndpointSliceMirroring controller: from legacy Endpoints objects that users keep to slices.
 *
 * Owns: which objects it mirrors (of Services without a selector), what becomes of one, and when. Refuses to own:
 * writing the object itself: a user does (faults/setEndpoints.ts). Source: pkg/controller/endpointslicemirroring;
 * timings §2.2. Not modelled: labels and annotations of the object, which its slices share.
 */
import type { Informer } from "../api/contract.ts";
import {
  familyOf,
  MANAGED_BY_LABEL,
  MIRRORING_CONTROLLER,
  objectKey,
  type Endpoint,
  type EndpointAddress,
  type Endpoints,
  type EndpointSlice,
  type IpFamily,
  type Service,
} from "../api/types.ts";
import type { Controller, ControllerContext } from "./contract.ts";
import { recycle, type SliceChanges } from "./endpointReconcile.ts";
import { OwnSlices } from "./ownSlices.ts";
import { nameSuffix, newMeta } from "./pods.ts";
import { WorkQueue } from "./workqueue.ts";

/** Label of an Endpoints object that is not to be mirrored. */
export const SKIP_MIRROR_LABEL = "endpointslice.kubernetes.io/skip-mirror";
/** Annotation of one by which some elect their leader. */
const LEADER_ANNOTATION = "control-plane.alpha.kubernetes.io/leader";

const LABELS = { [MANAGED_BY_LABEL]: MIRRORING_CONTROLLER };

export class EndpointSliceMirroringController implements Controller {
  readonly name = "endpointslice-mirroring-controller";
  #context!: ControllerContext;
  #queue!: WorkQueue;
  #services!: Informer<"Service">;
  #endpoints!: Informer<"Endpoints">;
  #slices!: OwnSlices;

  get isIdle(): boolean {
    return this.#queue.isIdle;
  }

  start(context: ControllerContext, synced: boolean): void {
    this.#context = context;
    const { sim, profile, informers } = context;
    const options = { ...profile, ...profile.mirroring };
    this.#queue = new WorkQueue(sim, options, informers, (key, done) => this.#sync(key, done));
    const ask = (object: Endpoints): void => {
      if (isMirrored(object)) this.#queue.add(objectKey(object));
    };
    this.#endpoints = informers.on("Endpoints", {
      added: ask,
      updated: (previous, object) => ask(isMirrored(object) ? object : previous),
      deleted: ask,
    });
    const { batchPeriodNs } = profile.mirroring;
    this.#slices = new OwnSlices(informers, MIRRORING_CONTROLLER, (service) =>
      this.#queue.addAfter(service, batchPeriodNs),
    );
    const askOf = (service: Service): void => {
      if (service.spec.selector === null) this.#queue.add(objectKey(service));
    };
    this.#services = informers.on("Service", {
      added: askOf,
      updated: (previous, service) => {
        const changed = (previous.spec.selector === null) !== (service.spec.selector === null);
        if (changed) this.#queue.add(objectKey(service));
      },
      deleted: askOf,
    });
    if (!synced) for (const object of this.#endpoints.values()) ask(object);
  }

  #sync(key: string, done: (retry: boolean) => void): void {
    const object = this.#endpoints.get(key);
    const service = this.#services.get(key);
    const { client, sim, profile } = this.#context;
    const existing = this.#slices.of(key);
    const write = (changes: SliceChanges): void =>
      this.#slices.write(client, key, changes, (slice) => slice, done);
    const isWanted = object !== undefined && isMirrored(object);
    if (!isWanted || service === undefined || service.spec.selector !== null) {
      this.#slices.forget(key);
      write({ create: [], update: [], delete: existing });
      return;
    }
    if (this.#slices.isStale(key)) {
      done(true);
      return;
    }
    const stream = sim.streams.get(`names/mirrored/${key}`);
    const nextName = (): string => `${object.metadata.name}-${nameSuffix(stream)}`;
    const { maxEndpointsPerSubset } = profile.mirroring;
    write(reconcileMirrored(object, existing, maxEndpointsPerSubset, nextName));
  }
}

/** shouldMirror. */
export function isMirrored({ metadata }: Endpoints): boolean {
  return (
    metadata.labels[SKIP_MIRROR_LABEL] !== "true" &&
    metadata.annotations[LEADER_ANNOTATION] === undefined
  );
}

/**
 * What takes the slices that there are to those that mirror the object: one for each list of ports and each
 * family, however many subsets.
 * @param maxPerSubset --mirroring-max-endpoints-per-subset: addresses beyond it are left out
 */
export function reconcileMirrored(
  object: Endpoints,
  existing: readonly EndpointSlice[],
  maxPerSubset: number,
  nextName: () => string,
): SliceChanges {
  const create: EndpointSlice[] = [];
  const update: EndpointSlice[] = [];
  const unclaimed = new Set(existing);
  for (const [key, { addressType, ports, endpoints }] of wantedSlices(object, maxPerSubset)) {
    const first = existing.find((slice) => keyOf(slice.addressType, slice.ports) === key);
    if (first === undefined) {
      create.push({ ...emptySlice(object, addressType, nextName()), ports, endpoints });
      continue;
    }
    unclaimed.delete(first);
    if (!sameEndpoints(first.endpoints, endpoints)) update.push({ ...first, endpoints });
  }
  return recycle({ create, update, delete: [...unclaimed] });
}

interface Wanted {
  readonly addressType: IpFamily;
  readonly ports: EndpointSlice["ports"];
  readonly endpoints: Endpoint[];
}

function wantedSlices({ subsets }: Endpoints, maxPerSubset: number): Map<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  for (const { addresses, notReadyAddresses, ports } of subsets) {
    const all = [
      ...addresses.map((address) => mirrored(address, true)),
      ...notReadyAddresses.map((address) => mirrored(address, false)),
    ];
    for (const endpoint of all.slice(0, maxPerSubset)) {
      const addressType = familyOf(endpoint.address);
      const key = keyOf(addressType, ports);
      let slice = wanted.get(key);
      if (slice === undefined) wanted.set(key, (slice = { addressType, ports, endpoints: [] }));
      if (slice.endpoints.length < maxPerSubset) slice.endpoints.push(endpoint);
    }
  }
  return wanted;
}

function keyOf(addressType: IpFamily, ports: EndpointSlice["ports"]): string {
  return JSON.stringify([addressType, ports]);
}

function emptySlice({ metadata }: Endpoints, addressType: IpFamily, name: string): EndpointSlice {
  const { namespace, name: serviceName, uid } = metadata;
  return {
    kind: "EndpointSlice",
    metadata: {
      ...newMeta(namespace, name),
      uid: `endpointslice/${namespace}/${name}`,
      labels: { ...LABELS, "kubernetes.io/service-name": serviceName },
      ownerUid: uid,
    },
    service: `${namespace}/${serviceName}`,
    addressType,
    ports: [],
    endpoints: [],
  };
}

function mirrored(
  { ip, hostname, nodeName, podName, podUid }: EndpointAddress,
  ready: boolean,
): Endpoint {
  return {
    address: ip,
    podUid: podUid ?? "",
    podName: podName ?? "",
    ...(hostname === undefined ? {} : { hostname }),
    nodeName: nodeName ?? "",
    conditions: { ready, serving: true, terminating: false },
    observedCauseNs: null,
  };
}

function sameEndpoints(a: readonly Endpoint[], b: readonly Endpoint[]): boolean {
  const known = new Map(a.map((endpoint) => [endpoint.address, endpoint]));
  return (
    a.length === b.length &&
    b.every(({ address, hostname, nodeName, conditions }) => {
      const same = known.get(address);
      return (
        same?.nodeName === nodeName &&
        same.hostname === hostname &&
        same.conditions.ready === conditions.ready
      );
    })
  );
}
