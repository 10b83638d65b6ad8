/**
 * Which endpoints of a Service port a node may use, and for whom.
 *
 * Owns: kube-proxy's CategorizeEndpoints, as a pure function. Source: pkg/proxy/topology.go; rules of
 * kube-proxy, sections 1 to 3 (docs/sources.md).
 */
import type { TrafficPolicy } from "../api/types.ts";

/** An endpoint as one node's kube-proxy sees it. */
export interface ProxyEndpoint {
  /** "ip:port", by which endpoints are sorted and compared. */
  readonly text: string;
  readonly isLocal: boolean;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly zoneHints: readonly string[] | null;
  readonly nodeHints: readonly string[] | null;
}

export interface CategorizeOptions {
  readonly nodeName: string | null;
  readonly zone: string | null;
  readonly internalTrafficPolicy: TrafficPolicy;
  readonly externalTrafficPolicy: TrafficPolicy;
  /** Has a node port, a load balancer's address or an external IP. */
  readonly externallyAccessible: boolean;
  /** The gate PreferSameTrafficDistribution. */
  readonly preferSameTrafficDistribution: boolean;
}

export interface Categorized<E extends ProxyEndpoint> {
  /** null: this Service port never uses such endpoints. */
  readonly cluster: readonly E[] | null;
  readonly local: readonly E[] | null;
  /** Everything reachable from this node, in the order of the input. */
  readonly all: readonly E[];
  /** Whether any endpoint anywhere could serve: without one the answer is REJECT, else DROP. */
  readonly hasAny: boolean;
}

export function categorizeEndpoints<E extends ProxyEndpoint>(
  endpoints: readonly E[],
  options: CategorizeOptions,
): Categorized<E> {
  const { internalTrafficPolicy, externalTrafficPolicy, externallyAccessible } = options;
  const usesCluster = internalTrafficPolicy === "Cluster" || externallyAccessible;
  const usesLocal =
    internalTrafficPolicy === "Local" ||
    (externallyAccessible && externalTrafficPolicy === "Local");
  const cluster = usesCluster ? clusterEndpoints(endpoints, options) : null;
  if (!usesLocal) {
    const all = cluster ?? [];
    return { cluster, local: null, all, hasAny: all.length > 0 };
  }
  const local = readyOrFallback(endpoints.filter((endpoint) => endpoint.isLocal));
  const usable = new Set<E>([...(cluster ?? []), ...local]);
  const all = cluster === null ? local : endpoints.filter((endpoint) => usable.has(endpoint));
  const hasAny = endpoints.some((each) => each.ready || isFallback(each));
  return { cluster, local, all, hasAny };
}

function clusterEndpoints<E extends ProxyEndpoint>(
  endpoints: readonly E[],
  options: CategorizeOptions,
): readonly E[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready);
  const chosen = byTopology(ready, options);
  return chosen.length > 0 ? chosen : endpoints.filter(isFallback);
}

/** Node hints, else zone hints, else all: a kind of hint counts only if every ready endpoint has it. */
function byTopology<E extends ProxyEndpoint>(
  ready: readonly E[],
  { nodeName, zone, preferSameTrafficDistribution }: CategorizeOptions,
): readonly E[] {
  if (preferSameTrafficDistribution && nodeName !== null) {
    const sameNode = hinted(ready, (endpoint) => endpoint.nodeHints, nodeName);
    if (sameNode !== null) return sameNode;
  }
  if (zone === null) return ready;
  return hinted(ready, (endpoint) => endpoint.zoneHints, zone) ?? ready;
}

function hinted<E extends ProxyEndpoint>(
  ready: readonly E[],
  hintsOf: (endpoint: E) => readonly string[] | null,
  here: string,
): readonly E[] | null {
  if (!ready.every((endpoint) => (hintsOf(endpoint)?.length ?? 0) > 0)) return null;
  const matching = ready.filter((endpoint) => hintsOf(endpoint)!.includes(here));
  return matching.length > 0 ? matching : null;
}

function readyOrFallback<E extends ProxyEndpoint>(endpoints: readonly E[]): readonly E[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready);
  return ready.length > 0 ? ready : endpoints.filter(isFallback);
}

function isFallback(endpoint: ProxyEndpoint): boolean {
  return endpoint.serving && endpoint.terminating;
}
