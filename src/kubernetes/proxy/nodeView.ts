/**
 * A node as its kube-proxy sees it: the node's addresses and kube-proxy's settings.
 *
 * Owns: making a NodeView of a host. Refuses to own: what rules make of it (route.ts).
 */
import { parsePrefix, type Prefix } from "../../network/address.ts";
import type { Host } from "../../network/host.ts";
import type { Network } from "../../network/network.ts";
import type { ModeSettings } from "./contract.ts";
import type { KubeProxyProfile } from "./profile.ts";
import type { NodeView } from "./route.ts";

/** Of several CIDRs those of one family, which are the ones that a proxier of that family is given. */
export function ofFamily(cidrs: readonly string[], family: 4 | 6): readonly Prefix[] {
  return cidrs.map(parsePrefix).filter((prefix) => prefix.family === family);
}

/** The cluster's ranges, as kube-proxy is told them. */
export interface ClusterRanges {
  readonly podCIDR: string;
  readonly serviceCIDRs: readonly string[];
}

export function nodeView(
  network: Network,
  host: Host,
  ranges: ClusterRanges,
  profile: KubeProxyProfile,
  { masqueradeAll, localhostNodePorts }: ModeSettings,
): NodeView {
  const { addresses } = network;
  const loopbacks = new Set([addresses.intern("127.0.0.1"), addresses.intern("::1")]);
  const family = addresses.family(host.address);
  const { nodePortAddresses, clusterCIDR } = profile;
  return {
    addresses,
    isOwn: (address) => host.namespace.addresses.has(address),
    isLoopback: (address) => loopbacks.has(address),
    isHere: (address) => {
      const { kind } = host.route(address);
      return kind === "local" || kind === "guest" || kind === "unresolved";
    },
    primaryAddress: host.address,
    podNetwork: parsePrefix(clusterCIDR === "" ? ranges.podCIDR : clusterCIDR),
    masqueradeAll,
    nodePortAddresses: nodePortAddresses.length === 0 ? null : ofFamily(nodePortAddresses, family),
    localhostNodePorts,
    serviceCIDRs: ofFamily(ranges.serviceCIDRs, family),
  };
}
