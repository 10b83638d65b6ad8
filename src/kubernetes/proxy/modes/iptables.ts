/**
 * iptables mode: a list of rules that a first packet walks, and a table that is restored in one go.
 *
 * Owns: the verdict, the uniform choice, masquerading and the walk's cost, from the rules in force.
 * Source: pkg/proxy/iptables/proxier.go; rules of kube-proxy, sections 4 to 7. Not modelled yet:
 * session affinity, load balancer and external addresses, source ranges, localhost node ports.
 */
import {
  NatVerdict,
  type FirstPacket,
  type NatDecision,
  type NatHookPoint,
  type NatRules,
} from "../../../network/nat.ts";
import type { DataPlane, ProxyMode, TableSize } from "../contract.ts";
import type { KubeProxyProfile } from "../profile.ts";
import type { RuleEndpoint, ServicePortRules } from "../rules.ts";

class IptablesRules implements NatRules {
  readonly #plane: DataPlane;
  readonly #ruleWalkNs: number;

  constructor(plane: DataPlane) {
    this.#plane = plane;
    this.#ruleWalkNs = plane.profile.iptables.ruleWalkNs;
  }

  decide(point: NatHookPoint, packet: FirstPacket, decision: NatDecision): void {
    const { table } = this.#plane;
    const { protocol, destination, destinationPort } = packet;
    const rules = table.atAddress(destination, protocol, destinationPort);
    if (rules !== undefined) {
      this.#decideClusterIP(rules, packet, decision);
      return;
    }
    // Node ports hang behind every Service's rule.
    decision.walkNs = this.#walkNs(table.size);
    if (!packet.destinationIsLocal) return;
    const external = table.atNodePort(protocol, destinationPort);
    if (external !== undefined) this.#decideNodePort(external, point, packet, decision);
  }

  #decideClusterIP(rules: ServicePortRules, packet: FirstPacket, decision: NatDecision): void {
    const endpoints = rules.internalTrafficPolicy === "Local" ? rules.local : rules.cluster;
    decision.walkNs = this.#walkNs(rules.position);
    if (this.#refuse(rules, endpoints, decision)) return;
    const { podNetwork, addresses, profile } = this.#plane;
    const masquerade = profile.masqueradeAll || !addresses.contains(podNetwork, packet.source);
    this.#choose(endpoints!, packet, decision, masquerade);
  }

  /** KUBE-EXT: policy Cluster masquerades all; policy Local short-circuits pods and the node itself. */
  #decideNodePort(
    rules: ServicePortRules,
    point: NatHookPoint,
    packet: FirstPacket,
    decision: NatDecision,
  ): void {
    const { podNetwork, addresses } = this.#plane;
    if (rules.externalTrafficPolicy === "Cluster") {
      if (this.#refuse(rules, rules.cluster, decision)) return;
      this.#choose(rules.cluster!, packet, decision, true);
      return;
    }
    const fromPod = addresses.contains(podNetwork, packet.source);
    const fromNode = point === "OUTPUT";
    const endpoints = fromPod || fromNode ? rules.cluster : rules.local;
    if (this.#refuse(rules, endpoints, decision)) return;
    this.#choose(endpoints!, packet, decision, fromNode);
  }

  /** REJECT when nobody can serve, DROP when somebody could but not from here. */
  #refuse(
    rules: ServicePortRules,
    endpoints: readonly RuleEndpoint[] | null,
    decision: NatDecision,
  ): boolean {
    if (endpoints !== null && endpoints.length > 0) return false;
    decision.verdict = rules.hasAny ? NatVerdict.drop : NatVerdict.reject;
    decision.rule = rules.hasAny ? "no_local_endpoints" : "no_endpoints";
    return true;
  }

  /** Rule i of n matches with probability 1/(n-i): each endpoint gets 1/n, one draw a connection. */
  #choose(
    endpoints: readonly RuleEndpoint[],
    packet: FirstPacket,
    decision: NatDecision,
    masquerade: boolean,
  ): void {
    const { stream, routed } = this.#plane;
    const index = stream.below(endpoints.length);
    const endpoint = endpoints[index]!;
    decision.dnatAddress = endpoint.address;
    decision.dnatPort = endpoint.port;
    decision.masquerade = masquerade || packet.source === endpoint.address;
    // One rule each for the endpoints passed over, and two in the chosen one's own chain.
    decision.walkNs += this.#walkNs(index + 3);
    routed(packet.originSocket, endpoint);
  }

  #walkNs(rules: number): number {
    return Math.round(rules * this.#ruleWalkNs);
  }
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
  syncNs(profile: KubeProxyProfile, size: TableSize, full: boolean) {
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
  rules: (plane) => new IptablesRules(plane),
};
