/**
 * From the pods of a Service to its legacy Endpoints object, as pure functions.
 *
 * Owns: which addresses it has, how they are packed into subsets, and which are left out beyond the capacity.
 * Source: pkg/controller/endpoint/endpoints_controller.go, pkg/api/v1/endpoints/util.go; timings §2.2. Unlike
 * upstream subsets are in the order of their ports' text, not of a hash of them.
 */
import {
  familyOf,
  LAST_CHANGE_TRIGGER_TIME,
  OVER_CAPACITY,
  TRUNCATED,
  type EndpointAddress,
  type Endpoints,
  type EndpointSubset,
  type Labels,
  type Pod,
  type Service,
} from "../api/types.ts";
import { hostnameIn, isEndpoint, portsOf } from "./endpointReconcile.ts";
import { newMeta } from "./pods.ts";

const HEADLESS_LABEL = "service.kubernetes.io/headless";

/** RepackSubsets: addresses that share all their ports share a subset, in the order of their text. */
export function desiredSubsets(service: Service, pods: readonly Pod[]): EndpointSubset[] {
  const [family = "IPv4"] = service.spec.ipFamilies ?? [];
  const { publishNotReadyAddresses } = service.spec;
  const subsets = new Map<string, MutableSubset>();
  for (const pod of pods) {
    const isGoing = pod.metadata.deletionTimestampNs !== null;
    // Unlike a slice, the object has no word for a pod that terminates.
    if (!isEndpoint(pod) || (isGoing && !publishNotReadyAddresses)) continue;
    const ip = pod.status.podIPs.find((each) => familyOf(each) === family);
    const ports = portsOf(service, pod);
    if (ip === undefined || (ports.length === 0 && service.spec.ports.length > 0)) continue;
    const key = JSON.stringify(ports);
    let subset = subsets.get(key);
    if (subset === undefined) {
      subset = { addresses: [], notReadyAddresses: [], ports };
      subsets.set(key, subset);
    }
    const isReady = publishNotReadyAddresses || pod.status.ready.status;
    const { name: podName, uid: podUid } = pod.metadata;
    const hostname = hostnameIn(service, pod);
    const address = { ip, ...hostname, nodeName: pod.spec.nodeName, podName, podUid };
    (isReady ? subset.addresses : subset.notReadyAddresses).push(address);
  }
  for (const { addresses, notReadyAddresses } of subsets.values()) {
    addresses.sort(byText);
    notReadyAddresses.sort(byText);
  }
  const keys = [...subsets.keys()].sort();
  return keys.map((key) => subsets.get(key)!);
}

interface MutableSubset extends EndpointSubset {
  readonly addresses: EndpointAddress[];
  readonly notReadyAddresses: EndpointAddress[];
}

function byText(a: EndpointAddress, b: EndpointAddress): number {
  if (a.ip !== b.ip) return a.ip < b.ip ? -1 : 1;
  return (a.podUid ?? "") < (b.podUid ?? "") ? -1 : 1;
}

/**
 * truncateEndpoints: beyond the capacity each subset keeps its share, rounded up; ready addresses come before
 * others. Null when all fit.
 */
export function truncated(
  subsets: readonly EndpointSubset[],
  capacity: number,
): EndpointSubset[] | null {
  const ready = subsets.reduce((sum, { addresses }) => sum + addresses.length, 0);
  const notReady = subsets.reduce((sum, each) => sum + each.notReadyAddresses.length, 0);
  if (ready + notReady <= capacity) return null;
  const cutsReady = ready > capacity;
  const [most, total] = cutsReady ? [capacity, ready] : [capacity - ready, notReady];
  let left = most;
  return subsets.map((subset) => {
    const list = cutsReady ? subset.addresses : subset.notReadyAddresses;
    const share = Math.min(left, Math.ceil((list.length / total) * most));
    const kept = list.slice(0, share);
    left -= kept.length;
    return cutsReady
      ? { ...subset, addresses: kept, notReadyAddresses: [] }
      : { ...subset, notReadyAddresses: kept };
  });
}

/** What the object is to be; null when nothing has to be written. */
export function desiredEndpoints(
  service: Service,
  pods: readonly Pod[],
  current: Endpoints | undefined,
  triggerNs: number | null,
  capacity: number,
): Endpoints | null {
  const subsets = desiredSubsets(service, pods);
  if (current !== undefined && isAsItShouldBe(service, current, subsets, capacity)) return null;
  const {
    [LAST_CHANGE_TRIGGER_TIME]: _time,
    [OVER_CAPACITY]: _capacity,
    ...others
  } = current?.metadata.annotations ?? {};
  const cut = truncated(subsets, capacity);
  const { namespace, name } = service.metadata;
  return {
    kind: "Endpoints",
    metadata: {
      ...(current?.metadata ?? newMeta(namespace, name)),
      labels: labelsOf(service),
      annotations: {
        ...others,
        ...(triggerNs === null ? {} : { [LAST_CHANGE_TRIGGER_TIME]: String(triggerNs) }),
        ...(cut === null ? {} : { [OVER_CAPACITY]: TRUNCATED }),
      },
    },
    subsets: cut ?? subsets,
  };
}

/** An object over its capacity never is: upstream compares what it holds with what was not cut yet. */
function isAsItShouldBe(
  service: Service,
  { metadata, subsets: now }: Endpoints,
  subsets: readonly EndpointSubset[],
  capacity: number,
): boolean {
  return (
    countOf(now) <= capacity &&
    metadata.annotations[OVER_CAPACITY] === undefined &&
    sameLabels(metadata.labels, labelsOf(service)) &&
    sameSubsets(now, subsets)
  );
}

function countOf(subsets: readonly EndpointSubset[]): number {
  return subsets.reduce(
    (sum, { addresses, notReadyAddresses }) => sum + addresses.length + notReadyAddresses.length,
    0,
  );
}

function labelsOf({ metadata, spec }: Service): Labels {
  return spec.clusterIP === "None" ? { ...metadata.labels, [HEADLESS_LABEL]: "" } : metadata.labels;
}

function sameLabels(a: Labels, b: Labels): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

export function sameSubsets(a: readonly EndpointSubset[], b: readonly EndpointSubset[]): boolean {
  return (
    a.length === b.length &&
    a.every(
      (subset, i) =>
        sameAddresses(subset.addresses, b[i]!.addresses) &&
        sameAddresses(subset.notReadyAddresses, b[i]!.notReadyAddresses) &&
        JSON.stringify(subset.ports) === JSON.stringify(b[i]!.ports),
    )
  );
}

function sameAddresses(a: readonly EndpointAddress[], b: readonly EndpointAddress[]): boolean {
  return (
    a.length === b.length &&
    a.every(
      ({ ip, nodeName, podUid }, i) =>
        ip === b[i]!.ip && podUid === b[i]!.podUid && nodeName === b[i]!.nodeName,
    )
  );
}

/** Whether writing `wanted` over `current` would change nothing: the API server then keeps the version. */
export function isSame(current: Endpoints, wanted: Endpoints): boolean {
  return (
    sameSubsets(current.subsets, wanted.subsets) &&
    sameLabels(current.metadata.labels, wanted.metadata.labels) &&
    sameLabels(current.metadata.annotations, wanted.metadata.annotations)
  );
}
