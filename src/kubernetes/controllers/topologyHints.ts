/**
 * Hints of EndpointSlices: for which zones and nodes each endpoint is meant.
 *
 * Owns: trafficDistribution, which knows no more than each endpoint's own place, and the older annotation
 * topology-mode Auto, which spreads endpoints over zones by their CPU. Refuses to own: what a node makes of a
 * hint (proxy/categorize.ts). Source: k8s.io/endpointslice topologycache/ and trafficdist/; timings §2.1.
 * Upstream takes zones in the random order of Go's maps; here in the order of their names.
 */
import {
  ZONE_LABEL,
  type Endpoint,
  type EndpointSlice,
  type IpFamily,
  type Labels,
  type Node,
  type Service,
} from "../api/types.ts";

/** What has to be written, and what stays as it is, of one Service and family. */
export interface SliceSet {
  create: EndpointSlice[];
  update: EndpointSlice[];
  unchanged: EndpointSlice[];
}

/** Nodes with these labels count for nothing when CPUs are added up. */
const EXCLUDED_LABELS = [
  "node-role.kubernetes.io/control-plane",
  "node-role.kubernetes.io/master",
] as const;

/** The annotation wins over spec.trafficDistribution; its old name over its new one. */
export function usesTopologyMode({ annotations }: { readonly annotations: Labels }): boolean {
  const value =
    annotations["service.kubernetes.io/topology-aware-hints"] ??
    annotations["service.kubernetes.io/topology-mode"];
  return value === "Auto" || value === "auto";
}

/** Endpoints that one zone must have, may have, and should have. */
interface Allocation {
  readonly minimum: number;
  readonly maximum: number;
  readonly desired: number;
}

type ZoneCounts = Map<string, number>;

/** What the controller knows of nodes and zones, and how many hints it has given to each zone. */
export class TopologyCache {
  readonly #overloadThreshold: number;
  readonly #zoneByNode = new Map<string, string>();
  /** null: nobody has said which nodes there are. */
  #nodes: ReadonlySet<string> | null = null;
  /** Share of all CPUs, by zone in order of name; null while some node does not say enough. */
  #ratios: ReadonlyMap<string, number> | null = null;
  readonly #allocated = new Map<string, Map<IpFamily, ZoneCounts>>();

  constructor(overloadThreshold: number) {
    this.#overloadThreshold = overloadThreshold;
  }

  setNodes(nodes: Iterable<Node>): void {
    const all = [...nodes];
    this.#nodes = new Set(all.map(({ metadata }) => metadata.name));
    this.#zoneByNode.clear();
    for (const { metadata } of all) {
      const zone = metadata.labels[ZONE_LABEL];
      if (zone) this.#zoneByNode.set(metadata.name, zone);
    }
    this.#ratios = cpuRatios(all);
  }

  /** The node of a pod is not among those that are known. */
  lacksNode(nodeName: string | null): boolean {
    return this.#nodes !== null && nodeName !== null && !this.#nodes.has(nodeName);
  }

  zoneOf(nodeName: string): string | undefined {
    return this.#zoneByNode.get(nodeName);
  }

  /** Services of which some zone has fewer endpoints than it must. */
  overloadedServices(): string[] {
    return [...this.#allocated]
      .filter(([, families]) => [...families.values()].some((zones) => this.#isOverloaded(zones)))
      .map(([service]) => service);
  }

  /** Brings the hints of a Service's slices in order, as its annotation or its spec asks. */
  reconcile(service: Service, key: string, family: IpFamily, slices: SliceSet): void {
    if (usesTopologyMode(service.metadata)) {
      const zones = this.#spread(slices);
      if (zones === null) this.#forget(key, family);
      else this.#remember(key, family, zones);
      return;
    }
    this.#forget(key, family);
    const { trafficDistribution = null } = service.spec;
    setHints(slices, (endpoint) => ownPlace(endpoint, trafficDistribution));
  }

  /** Counts hints that stand already, as those of a controller that has run for days do. */
  adopt(key: string, slices: Iterable<EndpointSlice>): void {
    for (const { addressType, endpoints } of slices) {
      const zones = this.#allocated.get(key)?.get(addressType) ?? new Map<string, number>();
      for (const zone of endpoints.flatMap(({ zoneHints }) => zoneHints ?? [])) add(zones, zone, 1);
      if (zones.size > 0) this.#remember(key, addressType, zones);
    }
  }

  #remember(key: string, family: IpFamily, zones: ZoneCounts): void {
    let families = this.#allocated.get(key);
    if (families === undefined) this.#allocated.set(key, (families = new Map()));
    families.set(family, zones);
  }

  #forget(key: string, family: IpFamily): void {
    const families = this.#allocated.get(key);
    families?.delete(family);
    if (families?.size === 0) this.#allocated.delete(key);
  }

  /** AddHints: how many hints each zone has got; null when there are none. */
  #spread(slices: SliceSet): ZoneCounts | null {
    const total = [...slices.create, ...slices.update, ...slices.unchanged]
      .flatMap(({ endpoints }) => endpoints)
      .filter(({ conditions }) => conditions.ready).length;
    const allocations = this.#allocations(total);
    const hasZones = [...slices.create, ...slices.update]
      .flatMap(({ endpoints }) => endpoints)
      .every(({ conditions, zone }) => !conditions.ready || zone !== undefined);
    if (allocations === null || !hasZones) {
      setHints(slices, () => ({}));
      return null;
    }
    const zones = keepValidHints(slices, allocations);
    const open = [...slices.create, ...slices.update].flatMap(({ endpoints }) => endpoints);
    const ready = open.filter(({ conditions }) => conditions.ready);
    for (const { zone } of ready) add(zones, zone!, 1);
    const hints = redistribute(ready, allocations, zones);
    const rehint = (slice: EndpointSlice): EndpointSlice =>
      withHints(slice, (endpoint) => {
        const zone = endpoint.conditions.ready ? (hints.get(endpoint) ?? endpoint.zone) : undefined;
        return zone === undefined ? {} : { zoneHints: [zone] };
      });
    slices.create = slices.create.map(rehint);
    slices.update = slices.update.map(rehint);
    return zones.size === 0 ? null : zones;
  }

  /** getAllocations: null when no allocation keeps every endpoint below the overload threshold. */
  #allocations(endpoints: number): ReadonlyMap<string, Allocation> | null {
    const ratios = this.#ratios;
    if (ratios === null || ratios.size > endpoints) return null;
    const minima = [...ratios].map(([zone, ratio]) => {
      const desired = ratio * endpoints;
      const minimum = Math.ceil(desired * (1 / (1 + this.#overloadThreshold)));
      return { zone, minimum, desired: Math.max(desired, minimum) };
    });
    const left = minima.reduce((rest, { minimum }) => rest - minimum, endpoints);
    if (left < 0) return null;
    return new Map(
      minima.map(({ zone, minimum, desired }) => {
        return [zone, { minimum, desired, maximum: minimum + left }];
      }),
    );
  }

  /** serviceOverloaded. */
  #isOverloaded(zones: ReadonlyMap<string, number>): boolean {
    if (zones.size === 0) return false;
    if (this.#ratios === null) return true;
    const total = [...zones.values()].reduce((sum, count) => sum + count, 0);
    return [...this.#ratios].some(([zone, ratio]) => {
      const minimum = Math.ceil(total * ratio * (1 / (1 + this.#overloadThreshold)));
      return (zones.get(zone) ?? -1) < minimum;
    });
  }
}

/** SetNodes: null with one zone only, or as soon as one node names no zone or no CPU. */
function cpuRatios(nodes: readonly Node[]): ReadonlyMap<string, number> | null {
  const byZone: ZoneCounts = new Map();
  let total = 0;
  for (const { metadata, status } of nodes) {
    const isExcluded = EXCLUDED_LABELS.some((label) => Object.hasOwn(metadata.labels, label));
    if (isExcluded || !status.ready.status) continue;
    const zone = metadata.labels[ZONE_LABEL];
    const { cpuMillis } = status.allocatable;
    if (!zone || cpuMillis === 0) return null;
    add(byZone, zone, cpuMillis);
    total += cpuMillis;
  }
  if (byZone.size < 2) return null;
  const sorted = [...byZone].sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(sorted.map(([zone, cpu]) => [zone, cpu / total]));
}

/**
 * getAllocatedHintsByZone: slices whose hints no longer do are to be written as well.
 * @returns the hints of those that stay
 */
function keepValidHints(
  slices: SliceSet,
  allocations: ReadonlyMap<string, Allocation>,
): ZoneCounts {
  const zones: ZoneCounts = new Map();
  const unchanged: EndpointSlice[] = [];
  for (const slice of slices.unchanged) {
    const own = validHints(slice, zones, allocations);
    if (own === null) {
      slices.update.push(slice);
      continue;
    }
    unchanged.push(slice);
    for (const [zone, count] of own) add(zones, zone, count);
  }
  slices.unchanged = unchanged;
  return zones;
}

/** getHintsByZone: null for an endpoint without a hint, or for more hints than a zone may have. */
function validHints(
  { endpoints }: EndpointSlice,
  others: ReadonlyMap<string, number>,
  allocations: ReadonlyMap<string, Allocation>,
): ZoneCounts | null {
  const zones: ZoneCounts = new Map();
  for (const { conditions, zoneHints = [] } of endpoints) {
    if (!conditions.ready) continue;
    if (zoneHints.length === 0) return null;
    for (const zone of zoneHints) add(zones, zone, 1);
  }
  for (const [zone, count] of zones) {
    const allocation = allocations.get(zone);
    if (allocation === undefined || count + (others.get(zone) ?? 0) > allocation.maximum)
      return null;
  }
  return zones;
}

/**
 * Takes endpoints of zones with more than they should have for zones with fewer, and corrects `zones`.
 * @returns the new zone of each endpoint that is given away
 */
function redistribute(
  endpoints: readonly Endpoint[],
  allocations: ReadonlyMap<string, Allocation>,
  zones: ZoneCounts,
): Map<Endpoint, string> {
  const { giving, receiving } = exchanges(allocations, zones);
  const moved = new Map<Endpoint, string>();
  for (const endpoint of endpoints) {
    const from = endpoint.zone!;
    const [to] = receiving.keys();
    if (to === undefined) break;
    if ((giving.get(from) ?? 0) === 0) continue;
    moved.set(endpoint, to);
    add(giving, from, -1);
    add(receiving, to, -1);
    if (receiving.get(to) === 0) receiving.delete(to);
    add(zones, from, -1);
    add(zones, to, 1);
  }
  return moved;
}

/** getGivingAndReceivingZones: whole endpoints, from the largest surplus to the largest want. */
function exchanges(
  allocations: ReadonlyMap<string, Allocation>,
  zones: ReadonlyMap<string, number>,
): { readonly giving: ZoneCounts; readonly receiving: ZoneCounts } {
  const surplus: ZoneCounts = new Map();
  const want: ZoneCounts = new Map();
  for (const [zone, { desired }] of allocations) {
    const excess = (zones.get(zone) ?? 0) - desired;
    if (excess > 0) surplus.set(zone, excess);
    else if (excess < 0) want.set(zone, -excess);
  }
  const giving: ZoneCounts = new Map();
  const receiving: ZoneCounts = new Map();
  for (;;) {
    const [from, toGive] = largest(surplus);
    const [to, toReceive] = largest(want);
    if (Math.max(toGive, toReceive) < 1 || Math.min(toGive, toReceive) < 0.5) break;
    add(giving, from, 1);
    add(surplus, from, -1);
    add(receiving, to, 1);
    add(want, to, -1);
  }
  return { giving, receiving };
}

function largest(zones: ReadonlyMap<string, number>): readonly [string, number] {
  let best: readonly [string, number] = ["", 0];
  for (const entry of zones) if (entry[1] > best[1]) best = entry;
  return best;
}

function add(counts: ZoneCounts, zone: string, count: number): void {
  counts.set(zone, (counts.get(zone) ?? 0) + count);
}

type Hints = Pick<Endpoint, "zoneHints" | "nodeHints">;

/** preferCloseHeuristic, and for no wish at all the default one, which takes hints away. */
function ownPlace(
  { conditions, zone, nodeName, zoneHints, nodeHints }: Endpoint,
  wish: Service["spec"]["trafficDistribution"],
): Hints {
  if (wish === null || wish === undefined) return {};
  // Hints of an endpoint that is not ready stay as they are: nobody looks at them.
  if (!conditions.ready) return hintsOf(zoneHints, nodeHints);
  return hintsOf(
    zone === undefined ? undefined : [zone],
    wish === "PreferSameNode" && nodeName !== "" ? [nodeName] : undefined,
  );
}

function hintsOf(zoneHints: Endpoint["zoneHints"], nodeHints: Endpoint["nodeHints"]): Hints {
  return {
    ...(zoneHints === undefined ? {} : { zoneHints }),
    ...(nodeHints === undefined ? {} : { nodeHints }),
  };
}

/** Gives every endpoint its hints; slices that were to stay and have others are written too. */
function setHints(slices: SliceSet, hints: (endpoint: Endpoint) => Hints): void {
  slices.create = slices.create.map((slice) => withHints(slice, hints));
  slices.update = slices.update.map((slice) => withHints(slice, hints));
  const unchanged: EndpointSlice[] = [];
  for (const slice of slices.unchanged) {
    const hinted = withHints(slice, hints);
    (hinted === slice ? unchanged : slices.update).push(hinted);
  }
  slices.unchanged = unchanged;
}

/** The slice with these hints: itself where nothing changes. */
function withHints(slice: EndpointSlice, hints: (endpoint: Endpoint) => Hints): EndpointSlice {
  let differs = false;
  const endpoints = slice.endpoints.map((endpoint) => {
    const wanted = hints(endpoint);
    const isSame =
      sameTexts(endpoint.zoneHints, wanted.zoneHints) &&
      sameTexts(endpoint.nodeHints, wanted.nodeHints);
    if (isSame) return endpoint;
    differs = true;
    const { zoneHints: _zones, nodeHints: _nodes, ...bare } = endpoint;
    return { ...bare, ...wanted };
  });
  return differs ? { ...slice, endpoints } : slice;
}

function sameTexts(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return a === b || (a?.length === b?.length && (a ?? []).every((text, i) => text === b![i]));
}
