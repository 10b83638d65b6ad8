/**
 * From the pods of a Service to its EndpointSlices, as pure functions.
 *
 * Owns: which endpoints a Service has, with which conditions, and how they are packed into slices.
 * Source: k8s.io/endpointslice reconciler.go and utils.go; timings §2. Slices are never merged or
 * rebalanced: a half-empty one stays so until something must be added.
 */
import {
  familyOf,
  HEADLESS_LABEL,
  MANAGED_BY_LABEL,
  objectKey,
  SLICE_CONTROLLER,
  type Endpoint,
  type EndpointSlice,
  type IpFamily,
  type IpText,
  type Pod,
  type Service,
} from "../api/types.ts";
import { resolveTargetPort } from "../ledger.ts";
import { newMeta } from "./pods.ts";
import { TopologyCache, type SliceSet } from "./topologyHints.ts";

/** Of every slice that the controller keeps; others are left alone. */
const OWN_LABELS = { [MANAGED_BY_LABEL]: SLICE_CONTROLLER };
/** setEndpointSliceLabels: by it kube-proxy's watch leaves them out. */
const HEADLESS_LABELS = { ...OWN_LABELS, [HEADLESS_LABEL]: "" };

export type SlicePorts = EndpointSlice["ports"];

/** What has to be written for the slices to hold the desired endpoints. */
export interface SliceChanges {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly delete: readonly EndpointSlice[];
  /** A pod was left out because its node is not known: the Service is to be tried again. */
  readonly incomplete?: boolean;
}

/** Endpoints that share one list of port numbers: they go into slices of their own. */
export interface PortGroup {
  readonly ports: SlicePorts;
  /** By uid of the pod: it has one address of a family. */
  readonly endpoints: ReadonlyMap<string, Endpoint>;
}

/** podToEndpoint: terminating at once, ready no longer, serving as long as the readiness probe passes. */
export function endpointOf(
  service: Service,
  pod: Pod,
  address: IpText = pod.status.podIPs[0]!,
  zone?: string,
): Endpoint {
  const serving = pod.status.ready.status;
  const terminating = pod.metadata.deletionTimestampNs !== null;
  return {
    address,
    podUid: pod.metadata.uid,
    podName: pod.metadata.name,
    ...hostnameIn(service, pod),
    nodeName: pod.spec.nodeName!,
    conditions: {
      ready: service.spec.publishNotReadyAddresses || (serving && !terminating),
      serving,
      terminating,
    },
    observedCauseNs: pod.metadata.deletionTimestampNs ?? pod.status.observedCauseNs,
    ...(zone === undefined ? {} : { zone }),
  };
}

/** ShouldSetHostname: in the Service that the pod names as its subdomain. */
export function hostnameIn(service: Service, { metadata, spec }: Pod): Pick<Endpoint, "hostname"> {
  const isOwn =
    spec.subdomain === service.metadata.name && metadata.namespace === service.metadata.namespace;
  return isOwn && spec.hostname !== undefined ? { hostname: spec.hostname } : {};
}

/** ShouldPodBeInEndpoints: has an address and a node, and is not finished. */
export function isEndpoint(pod: Pod): boolean {
  return (
    pod.status.podIPs.length > 0 &&
    pod.spec.nodeName !== null &&
    pod.status.phase !== "Succeeded" &&
    pod.status.phase !== "Failed"
  );
}

export function desiredGroups(
  service: Service,
  pods: readonly Pod[],
  family: IpFamily = "IPv4",
  zoneOf: (nodeName: string) => string | undefined = () => undefined,
): PortGroup[] {
  const groups = new Map<string, { ports: SlicePorts; endpoints: Map<string, Endpoint> }>();
  let group: { ports: SlicePorts; endpoints: Map<string, Endpoint> } | undefined;
  let groupKey = "";
  for (const pod of pods) {
    if (!isEndpoint(pod)) continue;
    const member = memberOf(service, pod, family, zoneOf(pod.spec.nodeName!));
    if (member === null) continue;
    // Mostly that of the pod before.
    if (group === undefined || member.key !== groupKey) {
      groupKey = member.key;
      group = groups.get(groupKey);
      if (group === undefined) {
        groups.set(groupKey, (group = { ports: member.ports, endpoints: new Map() }));
      }
    }
    group.endpoints.set(pod.metadata.uid, member.endpoint);
  }
  return [...groups.values()];
}

interface Member {
  readonly service: Service;
  readonly family: IpFamily;
  readonly zone: string | undefined;
  readonly ports: SlicePorts;
  readonly key: string;
  readonly endpoint: Endpoint;
}

/** What each version of a pod last was in a Service: a sync looks at all pods, and few have changed. */
const members = new WeakMap<Pod, Member>();

/** null: the pod has no address of that family. */
function memberOf(
  service: Service,
  pod: Pod,
  family: IpFamily,
  zone: string | undefined,
): Member | null {
  const known = members.get(pod);
  if (known?.service === service && known.family === family && known.zone === zone) return known;
  const address = pod.status.podIPs.find((each) => familyOf(each) === family);
  if (address === undefined) return null;
  const ports = portsOf(service, pod);
  const endpoint = endpointOf(service, pod, address, zone);
  const member: Member = { service, family, zone, ports, key: JSON.stringify(ports), endpoint };
  members.set(pod, member);
  return member;
}

/**
 * The writes that take `existing` to what `pods` ask for: each family of the Service by itself.
 * @param nextName gives the name of a new slice
 * @param topology what is known of zones, and who gets which hint
 */
export function reconcileSlices(
  service: Service,
  pods: readonly Pod[],
  existing: readonly EndpointSlice[],
  maxEndpoints: number,
  nextName: () => string,
  topology: TopologyCache = new TopologyCache(0),
): SliceChanges {
  const families = service.spec.ipFamilies ?? ["IPv4"];
  const known = service.spec.publishNotReadyAddresses
    ? pods
    : pods.filter(({ spec }) => !topology.lacksNode(spec.nodeName));
  const changes = families.map((family) => {
    const own = existing.filter(({ addressType }) => addressType === family);
    return reconcileFamily(service, family, known, own, { maxEndpoints, nextName, topology });
  });
  const orphans = existing.filter(({ addressType }) => !families.includes(addressType));
  return {
    create: changes.flatMap((each) => each.create),
    update: changes.flatMap((each) => each.update),
    delete: [...changes.flatMap((each) => each.delete), ...orphans],
    incomplete: known.length < pods.length,
  };
}

/** reconcileByAddressType. */
function reconcileFamily(
  service: Service,
  family: IpFamily,
  pods: readonly Pod[],
  existing: readonly EndpointSlice[],
  {
    maxEndpoints,
    nextName,
    topology,
  }: { maxEndpoints: number; nextName: () => string; topology: TopologyCache },
): SliceChanges {
  const zoneOf = (nodeName: string): string | undefined => topology.zoneOf(nodeName);
  const groups = desiredGroups(service, pods, family, zoneOf);
  const slices: SliceSet = { create: [], update: [], unchanged: [] };
  const remove: EndpointSlice[] = [];
  const unclaimed = new Set(existing);
  for (const group of groups) {
    const key = JSON.stringify(group.ports);
    const own = existing.filter((slice) => JSON.stringify(slice.ports) === key);
    for (const slice of own) unclaimed.delete(slice);
    const packed = packGroup(group, own, maxEndpoints);
    slices.update.push(...packed.update);
    slices.unchanged.push(...packed.unchanged);
    remove.push(...packed.empty);
    for (const endpoints of packed.create) {
      slices.create.push(newSlice(service, family, group.ports, endpoints, nextName()));
    }
  }
  remove.push(...unclaimed);
  if (groups.length === 0) keepPlaceholder(service, family, slices, remove, nextName);
  topology.reconcile(service, objectKey(service), family, slices);
  return recycle({ create: slices.create, update: slices.update, delete: remove });
}

interface Packed {
  readonly update: EndpointSlice[];
  readonly unchanged: EndpointSlice[];
  readonly empty: EndpointSlice[];
  readonly create: Endpoint[][];
}

/**
 * reconcileByPortMapping: refresh in place, then top up slices that change anyway, then others. A slice
 * that has lost all its endpoints goes: nothing is put into it.
 */
function packGroup(group: PortGroup, slices: readonly EndpointSlice[], max: number): Packed {
  const left = new Map(group.endpoints);
  const changed: { slice: EndpointSlice; endpoints: Endpoint[] }[] = [];
  const unchanged: EndpointSlice[] = [];
  const empty: EndpointSlice[] = [];
  for (const slice of slices) {
    const { endpoints, differs } = refresh(slice, left);
    if (!differs) unchanged.push(slice);
    else if (endpoints.length > 0) changed.push({ slice, endpoints });
    else empty.push(slice);
  }
  const leftovers = [...left.values()];
  // Fullest first, so that slices fill up.
  for (const { endpoints } of [...changed].sort(
    (a, b) => b.endpoints.length - a.endpoints.length,
  )) {
    endpoints.push(...leftovers.splice(0, max - endpoints.length));
  }
  const create: Endpoint[][] = [];
  while (leftovers.length > 0) {
    const part = leftovers.splice(0, max);
    const host = bestFit(unchanged, part.length, max);
    if (host === null) {
      create.push(part);
    } else {
      unchanged.splice(unchanged.indexOf(host), 1);
      changed.push({ slice: host, endpoints: [...host.endpoints, ...part] });
    }
  }
  const update = changed.map(({ slice, endpoints }) => Object.assign({}, slice, { endpoints }));
  return { update, unchanged, empty, create };
}

/** The slice's endpoints as they should be; takes those it holds out of `left`. */
function refresh(
  slice: EndpointSlice,
  left: Map<string, Endpoint>,
): { readonly endpoints: Endpoint[]; readonly differs: boolean } {
  const endpoints: Endpoint[] = [];
  let differs = false;
  for (const present of slice.endpoints) {
    const wanted = left.get(present.podUid);
    if (wanted?.address !== present.address) {
      differs = true;
      continue;
    }
    left.delete(present.podUid);
    const same = present === wanted || sameConditions(present, wanted);
    endpoints.push(same ? present : wanted);
    if (!same) differs = true;
  }
  return { endpoints, differs };
}

/** getSliceToFill: the fullest slice that has room for all of them. */
function bestFit(
  slices: readonly EndpointSlice[],
  count: number,
  max: number,
): EndpointSlice | null {
  let best: EndpointSlice | null = null;
  for (const slice of slices) {
    if (slice.endpoints.length + count > max) continue;
    if (best === null || slice.endpoints.length > best.endpoints.length) best = slice;
  }
  return best;
}

/** finalize: a slice that would go takes the contents of one that would come. */
export function recycle({ create, update, delete: remove }: SliceChanges): SliceChanges {
  const count = Math.min(create.length, remove.length);
  const recycled = remove
    .slice(0, count)
    .map((slice, i) => Object.assign({}, slice, contentsOf(create[i]!)));
  return {
    create: create.slice(count),
    update: [...update, ...recycled],
    delete: remove.slice(count),
  };
}

function contentsOf({
  ports,
  endpoints,
}: EndpointSlice): Pick<EndpointSlice, "ports" | "endpoints"> {
  return { ports, endpoints };
}

/** A Service without endpoints keeps one slice, empty and without ports. */
function keepPlaceholder(
  service: Service,
  family: IpFamily,
  slices: SliceSet,
  remove: EndpointSlice[],
  nextName: () => string,
): void {
  const [only, ...others] = remove;
  const isThere = only?.endpoints.length === 0 && only.ports.length === 0;
  if (isThere && others.length === 0) {
    remove.length = 0;
    return;
  }
  // One that goes becomes it: then the new name is never seen.
  const name = only?.metadata.name ?? nextName();
  slices.create.push(newSlice(service, family, [], [], name));
}

function newSlice(
  service: Service,
  addressType: IpFamily,
  ports: SlicePorts,
  endpoints: readonly Endpoint[],
  name: string,
): EndpointSlice {
  return {
    kind: "EndpointSlice",
    metadata: {
      ...newMeta(service.metadata.namespace, name),
      labels: service.spec.clusterIP === "None" ? HEADLESS_LABELS : OWN_LABELS,
      ownerUid: service.metadata.uid,
    },
    service: objectKey(service),
    addressType,
    ports,
    endpoints,
  };
}

export function portsOf(service: Service, pod: Pod): SlicePorts {
  return service.spec.ports.flatMap(({ name, protocol, targetPort }) => {
    const port = resolveTargetPort(targetPort, pod);
    return port === null ? [] : [{ name, protocol, port }];
  });
}

function sameConditions(a: Endpoint, b: Endpoint): boolean {
  return (
    a.zone === b.zone &&
    a.conditions.ready === b.conditions.ready &&
    a.conditions.serving === b.conditions.serving &&
    a.conditions.terminating === b.conditions.terminating
  );
}
