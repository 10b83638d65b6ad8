/**
 * iptables mode: a list of rules that a first packet walks, and a table that is restored in one go.
 *
 * Owns: affinity by xt_recent lists, the walk's cost and what a sync costs. Refuses to own: the route (route.ts)
 * and the uniform choice (choosers.ts). Source: pkg/proxy/iptables/proxier.go; rules of kube-proxy, sections 5 to 8.
 */
import { AffinityLists } from "../affinity.ts";
import { randomRules } from "../choosers.ts";
import type { DataPlane, ProxyMode, SyncWork, TableSize } from "../contract.ts";
import type { KubeProxyProfile } from "../profile.ts";
import type { Route, RouteTraits } from "../route.ts";
import { DestinationKind, type RuleEndpoint } from "../rules.ts";

export const iptablesTraits: RouteTraits = {
  localhostNodePorts: true,
  acceptsHealthChecks: true,
  refusesExternalAtOutput: false,
  refusesOnAllAddresses: true,
  rejectsUnknownPorts: false,
  dropsUnknownAddresses: false,
  dropsInvalid: true,
  sourceRangesFirst: false,
  withoutLocal: "drop",
};

/** Rules that the chosen endpoint's own chain has: hairpin mark and DNAT, and the jump there. */
const ENDPOINT_RULES = 3;

/**
 * Rules passed on the way. Node ports hang behind every rule of KUBE-SERVICES, in a chain of their own; a
 * Service's place in either list is as good as any (upstream iterates over a Go map).
 */
function rulesWalked(plane: DataPlane, route: Route, chosen: RuleEndpoint | null): number {
  const { destination, candidates } = route;
  const { listed, nodePorts } = plane.table;
  let walked = listed;
  if (destination === null) {
    if (route.ownAddress) walked += nodePorts;
  } else {
    const { position } = destination.rules;
    if (destination.kind === DestinationKind.nodePort) walked += Math.min(position, nodePorts);
    else walked = Math.min(position, listed);
  }
  if (chosen === null) return walked;
  const affinityRules = destination!.rules.affinityNs === null ? 0 : candidates.length;
  return walked + affinityRules + candidates.indexOf(chosen) + ENDPOINT_RULES;
}

/** One rule a Service port, one jump and two rules an endpoint (timings §7.2), and the jump to KUBE-NODEPORTS. */
function ruleCount({ services, endpoints }: TableSize): number {
  return 1 + services + 3 * endpoints;
}

/** The line through the two points around `size`; through the last two behind them; 0 at nothing. */
export function interpolate(points: readonly (readonly [number, number])[], size: number): number {
  let left: readonly [number, number] = [0, 0];
  let right = points[0]!;
  for (const point of points) {
    right = point;
    if (size <= point[0]) break;
    if (point !== points.at(-1)) left = point;
  }
  const slope = (right[1] - left[1]) / (right[0] - left[0]);
  return Math.round(left[1] + slope * (size - left[0]));
}

export const iptables: ProxyMode = {
  settings: ({ iptables: own }) => ({ ...own, defaultNodePortAddresses: [] }),
  hasLargeClusterMode: true,
  syncNs(profile: KubeProxyProfile, { size, full, staleEndpoints }: SyncWork) {
    const { backend, fullSyncByRules, partialSync } = profile.iptables;
    // Stale chains have lost their jump, but their two rules are still in the table.
    const rules = ruleCount(size) + 2 * staleEndpoints;
    const measure = backend === "nft" ? size.services : rules;
    // Starting the program and taking its lock cost that much at least, however small the table.
    const partialNs = Math.max(
      partialSync[backend][0]![1],
      interpolate(partialSync[backend], measure),
    );
    if (!full) return partialNs;
    return Math.max(partialNs, interpolate(fullSyncByRules[backend], rules));
  },
  rules(plane) {
    const { ruleWalkNs, recentListLimit } = plane.profile.iptables;
    const cost = (route: Route, chosen: RuleEndpoint | null): number =>
      Math.round(rulesWalked(plane, route, chosen) * ruleWalkNs);
    return randomRules(plane, iptablesTraits, new AffinityLists(recentListLimit), cost);
  },
};
