/**
 * A node's Service ports as syncProxyRules goes through them, whatever the tool.
 *
 * Owns: their order, and which of their chains and filter verdicts there are. Source: syncProxyRules of
 * pkg/proxy/iptables/proxier.go and pkg/proxy/nftables/proxier.go, which agree on this.
 */
import type { RuleEndpoint, ServicePortRules } from "../../kubernetes/proxy/rules.ts";
import { NO_ADDRESS, type AddressId, type Prefix } from "../../network/address.ts";
import type { Programmed } from "./contract.ts";

/** Recognises pods by their source address; null: nothing is recognised. */
export function podNetworkOf({ view, family }: Programmed): Prefix | null {
  return view.podNetworks.find((each) => each.family === family) ?? null;
}

function primaryAddressOf({ view, family }: Programmed): AddressId {
  const { addresses, primaryAddresses } = view;
  return primaryAddresses.find((each) => addresses.family(each) === family) ?? NO_ADDRESS;
}

export interface RenderedPort {
  readonly rules: ServicePortRules;
  readonly cluster: readonly RuleEndpoint[];
  readonly local: readonly RuleEndpoint[];
  /** Endpoints that the ClusterIP leads to; none: no rule leads there. */
  readonly internal: readonly RuleEndpoint[];
  /** Endpoints that external addresses lead to, but for those who are short-circuited. */
  readonly external: readonly RuleEndpoint[];
  readonly usesExternalChain: boolean;
  /** Source ranges are given and there is an address that they guard. */
  readonly hasFirewall: boolean;
  /** Addresses that are let through the source ranges: the node itself is. */
  readonly allowedVIPs: readonly AddressId[];
}

export function renderedPorts(programmed: Programmed): RenderedPort[] {
  const { table, view, family } = programmed;
  const primary = primaryAddressOf(programmed);
  const ports = new Set<ServicePortRules>();
  for (const { rules } of table.destinations()) if (rules.family === family) ports.add(rules);
  const inOrder = [...ports].sort((a, b) => a.position - b.position);
  return inOrder.map((rules) => {
    const { cluster, local, nodePort, externalIPs, loadBalancerVIPs, sourceRanges } = rules;
    const clusterEndpoints = cluster ?? [];
    const localEndpoints = local ?? [];
    const isAccessible = nodePort !== null || externalIPs.length > 0 || loadBalancerVIPs.length > 0;
    const contains = (range: Prefix): boolean => view.addresses.contains(range, primary);
    return {
      rules,
      cluster: clusterEndpoints,
      local: localEndpoints,
      internal: rules.internalTrafficPolicy === "Local" ? localEndpoints : clusterEndpoints,
      external: rules.externalTrafficPolicy === "Local" ? localEndpoints : clusterEndpoints,
      usesExternalChain: rules.hasAny && isAccessible,
      hasFirewall: loadBalancerVIPs.length > 0 && sourceRanges.length > 0,
      allowedVIPs: sourceRanges.some(contains) ? loadBalancerVIPs : [],
    };
  });
}

/** null: node ports answer on every address of the node. */
export function nodePortAddresses({
  view,
  ownAddresses,
  family,
}: Programmed): readonly AddressId[] | null {
  const own = view.nodePortAddresses.filter((prefix) => prefix.family === family);
  if (own.length === 0 || own.some(({ length }) => length === 0)) return null;
  return ownAddresses.filter((address) =>
    own.some((prefix) => view.addresses.contains(prefix, address)),
  );
}
