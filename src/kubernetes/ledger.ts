/**
 * The book of endpoint changes: what changed, when it really happened, when each node's rules held it.
 *
 * Owns: deciding what counts as a change of a Service's endpoint, numbering changes and endpoints, and
 * matching what a node has programmed with the change it came from. Refuses to own: any decision of
 * the model. Components report here; none reads anything back that it acts on.
 */
import type { SimTimeNs } from "../engine/index.ts";
import type { Observations } from "../observe/observations.ts";
import { SelectorIndex } from "./api/selectorIndex.ts";
import {
  familyOf,
  objectKey,
  type Endpoint,
  type EndpointSlice,
  type IpFamily,
  type IpText,
  type Pod,
  type Service,
} from "./api/types.ts";

export type EndpointChangeKind = "added" | "removed" | "condition";

/** What has not happened; no time is negative. */
const NEVER = -1;

interface Change {
  readonly id: number;
  readonly usable: boolean;
  readonly atNs: SimTimeNs;
  /** When its kubelet noticed, and when the pod's status was stored; NEVER where it took neither. */
  seenAtNs: SimTimeNs | typeof NEVER;
  statusAtNs: SimTimeNs | typeof NEVER;
  /** When a slice told of it for the first time; NEVER until then. */
  writtenAtNs: SimTimeNs | typeof NEVER;
}

/** How a change came to a node: its kube-proxy was told, took note of it, and began the sync that holds it. */
export interface ArrivalTimes {
  readonly deliveredNs: SimTimeNs;
  readonly trackedNs: SimTimeNs;
  readonly syncStartedNs: SimTimeNs;
}

/** An endpoint as slices and rules name it: a pod, in the family of its slice. */
export interface EndpointName {
  /** namespace/name. */
  readonly service: string;
  readonly podUid: string;
  readonly addressType: IpFamily;
}

/** One address of a pod as an endpoint of one Service: a dual-stack Service has two of each pod. */
interface Tracked {
  /** Dense index of the endpoint for observations. */
  readonly index: number;
  address: string;
  usable: boolean;
  readonly changes: Change[];
  /** Changes that slices told of under another cause than their own, by `told()`, the newest last. */
  readonly toldAs: Map<string, Change[]>;
}

export class ChangeLedger {
  readonly #observations: Observations;
  readonly #selectors = new SelectorIndex();
  readonly #serviceIndex = new Map<string, number>();
  readonly #tracked = new Map<string, Tracked>();
  readonly #byName = new WeakMap<EndpointName, Tracked>();
  /** By Service and address of the pod. */
  readonly #lastAt = new Map<string, number>();
  /** By endpoint index: 1 while it should get no new connection. */
  readonly #gone: number[] = [];
  /** Uids of pods that were told to go: a kubelet may still find one ready whose object is gone. */
  readonly #deleted = new Set<string>();
  #changes = 0;

  constructor(observations: Observations) {
    this.#observations = observations;
  }

  addService(service: Service): void {
    const index = this.#serviceIndex.size;
    this.#serviceIndex.set(objectKey(service), index);
    this.#observations.serviceNamed(index, objectKey(service));
    this.#selectors.add(service);
  }

  /** Index of a Service "namespace/name" in the observations. */
  serviceIndex(key: string): number {
    return this.#serviceIndex.get(key) ?? -1;
  }

  /** A pod that is ready when the run begins: an endpoint without a change. */
  atRest(pod: Pod): void {
    for (const service of this.#selectors.servicesOf(pod)) {
      for (const address of addressesOf(service, pod)) {
        this.#track(service, pod, address).usable = true;
      }
    }
  }

  /** A pod's readiness changed in truth: a probe's verdict, or its process ended. */
  readiness(pod: Pod, ready: boolean, atNs: SimTimeNs): void {
    if (this.#deleted.has(pod.metadata.uid) || pod.status.podIPs.length === 0) return;
    for (const service of this.#selectors.servicesOf(pod)) {
      const usable = ready || service.spec.publishNotReadyAddresses;
      for (const address of addressesOf(service, pod)) {
        const isNew = !this.#tracked.has(trackKey(service, pod, familyOf(address)));
        // A pod that has not been ready yet backs nothing.
        if (!usable && isNew) continue;
        const tracked = this.#track(service, pod, address);
        if (tracked.usable === usable) continue;
        this.#open(service, tracked, isNew ? "added" : "condition", usable, atNs);
      }
    }
  }

  /** A pod was told to go, or is gone at once: for good, whatever its probe says in its last grace. */
  deleted(pod: Pod, atNs: SimTimeNs): void {
    this.#deleted.add(pod.metadata.uid);
    for (const service of this.#selectors.servicesOf(pod)) {
      for (const tracked of this.#trackedOf(service, pod)) {
        if (tracked.usable) this.#open(service, tracked, "removed", false, atNs);
      }
    }
  }

  /**
   * Index under which a pod as endpoint of a Service is observed, by its address of one family.
   * @returns -1 for an address that no pod of the run has had in that Service
   */
  endpointIndex(service: string, podUid: string, addressType: IpFamily): number {
    return this.#tracked.get(`${service}|${podUid}|${addressType}`)?.index ?? -1;
  }

  /** The endpoint that last had an address in a Service; -1 for none. */
  endpointAt(service: string, address: string): number {
    return this.#lastAt.get(`${service}|${address}`) ?? -1;
  }

  isGone(endpoint: number): boolean {
    return this.#gone[endpoint] === 1;
  }

  /** A status of the pod with another readiness has been stored. */
  statusWritten(pod: Pod, atNs: SimTimeNs): void {
    const { ready, observedCauseNs, observedSeenNs } = pod.status;
    for (const service of this.#selectors.servicesOf(pod)) {
      const usable = ready.status || service.spec.publishNotReadyAddresses;
      for (const tracked of this.#trackedOf(service, pod)) {
        const change = match(tracked, usable, observedCauseNs);
        if (change === undefined || change.statusAtNs !== NEVER) continue;
        // An older one is of another change: this one no kubelet saw, as when a node is lost.
        const seenAtNs = observedSeenNs ?? NEVER;
        change.seenAtNs = seenAtNs >= change.atNs ? seenAtNs : NEVER;
        change.statusAtNs = atNs;
      }
    }
  }

  /** A slice has been stored: what is new in it has been written for the first time, or was before. */
  sliceWritten(previous: EndpointSlice | null, slice: EndpointSlice | null, atNs: SimTimeNs): void {
    const { service, addressType } = (slice ?? previous)!;
    const before = new Set<Endpoint>(previous?.endpoints);
    const present = new Set<string>();
    for (const endpoint of slice?.endpoints ?? []) {
      present.add(endpoint.podUid);
      if (before.has(endpoint)) continue;
      const { podUid, conditions, observedCauseNs } = endpoint;
      const was = previous?.endpoints.find((each) => each.podUid === podUid);
      const isFlip = was !== undefined && was.conditions.ready !== conditions.ready;
      const name = { service, podUid, addressType };
      this.#written(name, conditions.ready, observedCauseNs, atNs, isFlip);
    }
    for (const { podUid, conditions } of before) {
      if (present.has(podUid)) continue;
      const name = { service, podUid, addressType };
      if (conditions.ready) this.#written(name, false, null, atNs, true);
      const left = this.endpointIndex(service, podUid, addressType);
      if (left >= 0) this.#observations.endpointLeftSlice(left, atNs);
    }
  }

  #written(
    name: EndpointName,
    usable: boolean,
    causeNs: SimTimeNs | null,
    atNs: SimTimeNs,
    isFlip: boolean,
  ): void {
    const tracked = this.#named(name);
    if (tracked === undefined) return;
    const found = match(tracked, usable, causeNs);
    // A pod whose node is back is ready again for the reason that it was ready before.
    const newest = tracked.changes.findLast((each) => each.usable === usable);
    const change = isFlip && found !== undefined && isWritten(found) ? newest : found;
    if (change === undefined) return;
    if (change.atNs !== causeNs) noteTold(tracked, told(usable, causeNs), change);
    if (isWritten(change)) return;
    change.writtenAtNs = atNs;
    this.#observations.endpointWritten(change.id, change.seenAtNs, change.statusAtNs, atNs);
  }

  /**
   * From now on a node's rules hold the endpoint as usable, or no longer.
   * @param causeNs the cause that the endpoint's slice named; null when it had left the slice
   */
  programmed(
    node: string,
    name: EndpointName,
    usable: boolean,
    causeNs: SimTimeNs | null,
    { deliveredNs, trackedNs, syncStartedNs }: ArrivalTimes,
    atNs: SimTimeNs,
  ): void {
    const tracked = this.#named(name);
    if (tracked === undefined) return;
    const change = heardOf(tracked, usable, causeNs, deliveredNs);
    if (change === undefined) return;
    const { id } = change;
    this.#observations.endpointProgrammed(id, node, atNs, deliveredNs, trackedNs, syncStartedNs);
  }

  /** From `atNs` on the answers of a DNS server hold the endpoint as usable, or no longer. */
  answered(
    server: string,
    name: EndpointName,
    usable: boolean,
    causeNs: SimTimeNs | null,
    knownNs: SimTimeNs,
    atNs: SimTimeNs,
  ): void {
    const tracked = this.#named(name);
    const change = tracked && heardOf(tracked, usable, causeNs, knownNs);
    if (change !== undefined) this.#observations.endpointAnswered(change.id, server, knownNs, atNs);
  }

  #open(
    service: Service,
    tracked: Tracked,
    kind: EndpointChangeKind,
    usable: boolean,
    atNs: SimTimeNs,
  ): void {
    const id = this.#changes++;
    tracked.usable = usable;
    const steps = { seenAtNs: NEVER, statusAtNs: NEVER, writtenAtNs: NEVER } as const;
    tracked.changes.push({ id, usable, atNs, ...steps });
    this.#gone[tracked.index] = usable ? 0 : 1;
    this.#observations.endpointChanged(
      id,
      objectKey(service),
      tracked.address,
      kind,
      atNs,
      usable ? 1 : 0,
      tracked.index,
      service.spec.clusterIP === "None" ? 1 : 0,
    );
  }

  /** Whoever has a name for many nodes asks with the same one. */
  #named(name: EndpointName): Tracked | undefined {
    let tracked = this.#byName.get(name);
    if (tracked === undefined) {
      tracked = this.#tracked.get(`${name.service}|${name.podUid}|${name.addressType}`);
      if (tracked !== undefined) this.#byName.set(name, tracked);
    }
    return tracked;
  }

  /** What has been an endpoint of the Service, of each family. */
  *#trackedOf(service: Service, pod: Pod): Generator<Tracked> {
    for (const family of familiesOf(service)) {
      const tracked = this.#tracked.get(trackKey(service, pod, family));
      if (tracked !== undefined) yield tracked;
    }
  }

  #track(service: Service, pod: Pod, ip: IpText): Tracked {
    const key = trackKey(service, pod, familyOf(ip));
    const address = endpointAddress(service, pod, ip);
    let tracked = this.#tracked.get(key);
    if (tracked === undefined) {
      const index = this.#gone.length;
      tracked = { index, address: "", usable: false, changes: [], toldAs: new Map() };
      this.#tracked.set(key, tracked);
      this.#gone.push(0);
    }
    // Its node has booted, and the pod has a new sandbox: the same endpoint at another address.
    if (tracked.address !== address) {
      tracked.address = address;
      this.#lastAt.set(`${objectKey(service)}|${ip}`, tracked.index);
      this.#observations.endpointNamed(
        tracked.index,
        this.serviceIndex(objectKey(service)),
        address,
        objectKey(pod),
        pod.spec.nodeName ?? "",
      );
    }
    return tracked;
  }
}

/**
 * The change that somebody tells of: the one that a slice told of so; else the one with that cause; else the last
 * one alike that is not younger than the cause, as a second container's exit does not change a pod again.
 */
function match(
  { changes, toldAs }: Tracked,
  usable: boolean,
  causeNs: SimTimeNs | null,
  among: (change: Change) => boolean = () => true,
): Change | undefined {
  const isAlike = (each: Change): boolean => each.usable === usable && among(each);
  return (
    (toldAs.size === 0 ? undefined : toldAs.get(told(usable, causeNs))?.findLast(among)) ??
    changes.findLast((each) => isAlike(each) && each.atNs === causeNs) ??
    changes.findLast((each) => isAlike(each) && each.atNs <= (causeNs ?? Infinity))
  );
}

/** That of which somebody can tell who was told at `atNs`: a slice had told of it by then. */
function heardOf(
  tracked: Tracked,
  usable: boolean,
  causeNs: SimTimeNs | null,
  atNs: SimTimeNs,
): Change | undefined {
  const hasCome = (each: Change): boolean => isWritten(each) && each.writtenAtNs <= atNs;
  return match(tracked, usable, causeNs, hasCome) ?? match(tracked, usable, causeNs);
}

const isWritten = ({ writtenAtNs }: Change): boolean => writtenAtNs !== NEVER;

function noteTold({ toldAs }: Tracked, how: string, change: Change): void {
  const changes = toldAs.get(how);
  if (changes === undefined) toldAs.set(how, [change]);
  else if (changes.at(-1) !== change) changes.push(change);
}

function told(usable: boolean, causeNs: SimTimeNs | null): string {
  return `${usable}|${causeNs}`;
}

function trackKey(service: Service, pod: Pod, family: IpFamily): string {
  return `${objectKey(service)}|${pod.metadata.uid}|${family}`;
}

function familiesOf({ spec }: Service): readonly IpFamily[] {
  return spec.ipFamilies ?? ["IPv4"];
}

/** The pod's address in each of the Service's families. */
function addressesOf(service: Service, { status }: Pod): IpText[] {
  return familiesOf(service).flatMap(
    (family) => status.podIPs.find((ip) => familyOf(ip) === family) ?? [],
  );
}

/** "ip:port" by the Service's first port, as endpoint_load.csv names it. */
function endpointAddress(service: Service, pod: Pod, ip: IpText): string {
  const first = service.spec.ports[0];
  const port = first === undefined ? 0 : resolveTargetPort(first.targetPort, pod);
  return `${ip.includes(":") ? `[${ip}]` : ip}:${port ?? 0}`;
}

/** A target port as the pod understands it: a name is looked up in its containers' ports. */
export function resolveTargetPort(targetPort: number | string, pod: Pod): number | null {
  if (typeof targetPort === "number") return targetPort;
  for (const container of pod.spec.containers) {
    for (const port of container.ports) {
      if (port.name === targetPort) return port.containerPort;
    }
  }
  return null;
}
