/**
 * iptables mode: a list of rules that a first packet walks, and a table that is restored in one go.
 *
 * Owns: the uniform choice, affinity by xt_recent lists, the walk's cost and what a sync costs. Refuses to
 * own: the route (route.ts). Source: pkg/proxy/iptables/proxier.go; rules of kube-proxy, sections 5 to 8.
 */
import type { FirstPacket } from "../../../network/nat.ts";
import { AffinityLists } from "../affinity.ts";
import type { DataPlane, ProxyMode, SyncWork, TableSize } from "../contract.ts";
import { RoutedRules, type Chooser } from "../natRules.ts";
import type { KubeProxyProfile } from "../profile.ts";
import type { Route, RouteTraits } from "../route.ts";
import { DestinationKind, type RuleEndpoint } from "../rules.ts";

export const iptablesTraits: RouteTraits = {
  localhostNodePorts: true,
  nodePortsOnAllAddresses: true,
  acceptsHealthChecks: true,
  guardsClusterIPs: false,
  sourceRangesFirst: false,
};

/** Rules that the chosen endpoint's own chain has: hairpin mark and DNAT, and the jump there. */
const ENDPOINT_RULES = 3;

/** Rule i of n matches with probability 1/(n-i): each endpoint gets 1/n, one draw a connection. */
export class RandomChooser implements Chooser {
  readonly #plane: DataPlane;
  readonly #affinity: AffinityLists;
  readonly #cost: (route: Route, chosen: RuleEndpoint | null) => number;

  constructor(
    plane: DataPlane,
    affinity: AffinityLists,
    cost: (route: Route, chosen: RuleEndpoint | null) => number,
  ) {
    this.#plane = plane;
    this.#affinity = affinity;
    this.#cost = cost;
  }

  choose({ candidates, destination }: Route, { source }: FirstPacket): RuleEndpoint {
    const { stream, sim } = this.#plane;
    const { rules } = destination!;
    const { affinityNs } = rules;
    if (affinityNs === null) return candidates[stream.below(candidates.length)]!;
    const { nowNs } = sim;
    const chosen =
      this.#affinity.find(rules, candidates, source, affinityNs, nowNs) ??
      candidates[stream.below(candidates.length)]!;
    this.#affinity.remember(rules, chosen, source, nowNs);
    return chosen;
  }

  walkNs(route: Route, chosen: RuleEndpoint | null): number {
    return this.#cost(route, chosen);
  }
}

/** Rules passed on the way; node ports hang behind every Service's rule. */
function rulesWalked(plane: DataPlane, route: Route, chosen: RuleEndpoint | null): number {
  const { destination, candidates } = route;
  const isListed = destination !== null && destination.kind !== DestinationKind.nodePort;
  const upToService = isListed ? destination.rules.position : plane.table.size;
  if (chosen === null) return upToService;
  const affinityRules = destination!.rules.affinityNs === null ? 0 : candidates.length;
  return upToService + affinityRules + candidates.indexOf(chosen) + ENDPOINT_RULES;
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
  syncNs(profile: KubeProxyProfile, { size, full }: SyncWork) {
    const { backend, fullSyncByRules, partialSync } = profile.iptables;
    const measure = backend === "nft" ? size.services : ruleCount(size);
    // Starting the program and taking its lock cost that much at least, however small the table.
    const partialNs = Math.max(
      partialSync[backend][0]![1],
      interpolate(partialSync[backend], measure),
    );
    if (!full) return partialNs;
    return Math.max(partialNs, interpolate(fullSyncByRules[backend], ruleCount(size)));
  },
  rules(plane) {
    const { ruleWalkNs, recentListLimit } = plane.profile.iptables;
    const cost = (route: Route, chosen: RuleEndpoint | null): number =>
      Math.round(rulesWalked(plane, route, chosen) * ruleWalkNs);
    const chooser = new RandomChooser(plane, new AffinityLists(recentListLimit), cost);
    return new RoutedRules(plane, iptablesTraits, chooser);
  },
};
