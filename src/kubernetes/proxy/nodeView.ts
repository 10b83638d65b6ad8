/**
 * A node as its kube-proxy sees it: the node's addresses and kube-proxy's settings.
 *
 * Owns: making a NodeView of a host. Refuses to own: what rules make of it (route.ts).
 */
import { parsePrefix, type Prefix } from "../../network/address.ts";
import type { Host } from "../../network/host.ts";
import type { Network } from "../../network/network.ts";
import type { KubeProxyProfile } from "./profile.ts";
import type { NodeView } from "./route.ts";

export function nodeView(
  network: Network,
  host: Host,
  podNetwork: Prefix,
  serviceCIDRs: readonly Prefix[],
  profile: KubeProxyProfile,
): NodeView {
  const { addresses } = network;
  const loopbacks = new Set([addresses.intern("127.0.0.1"), addresses.intern("::1")]);
  const { nodePortAddresses, masqueradeAll, localhostNodePorts } = profile;
  return {
    addresses,
    isOwn: (address) => host.namespace.addresses.has(address),
    isLoopback: (address) => loopbacks.has(address),
    primaryAddress: host.address,
    podNetwork,
    masqueradeAll,
    nodePortAddresses: nodePortAddresses.length === 0 ? null : nodePortAddresses.map(parsePrefix),
    localhostNodePorts,
    serviceCIDRs,
  };
}
