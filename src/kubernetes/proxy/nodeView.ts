/**
 * A node as its kube-proxy sees it: the node's addresses and kube-proxy's settings.
 *
 * Owns: making a NodeView of a host. Refuses to own: what rules make of it (route.ts).
 */
import {
  parsePrefix,
  type AddressId,
  type AddressTable,
  type Prefix,
} from "../../network/address.ts";
import type { Host } from "../../network/host.ts";
import type { Network } from "../../network/network.ts";
import type { ModeSettings } from "./contract.ts";
import type { KubeProxyProfile } from "./profile.ts";
import type { NodeView } from "./route.ts";

/** Of several CIDRs those of one family, which are the ones that a proxier of that family is given. */
export function ofFamily(cidrs: readonly string[], family: 4 | 6): readonly Prefix[] {
  return cidrs.map(parsePrefix).filter((prefix) => prefix.family === family);
}

/** The cluster's ranges, as kube-proxy is told them: one of each family. */
export interface ClusterRanges {
  readonly podCIDRs: readonly string[];
  readonly serviceCIDRs: readonly string[];
}

export function nodeView(
  network: Network,
  host: Host,
  ranges: ClusterRanges,
  profile: KubeProxyProfile,
  { masqueradeAll, localhostNodePorts, defaultNodePortAddresses }: ModeSettings,
): NodeView {
  const { addresses } = network;
  const loopbacks = new Set([addresses.intern("127.0.0.1"), addresses.intern("::1")]);
  const { clusterCIDR } = profile;
  const nodePortAddresses =
    profile.nodePortAddresses.length === 0 ? defaultNodePortAddresses : profile.nodePortAddresses;
  const podCIDRs = clusterCIDR.length === 0 ? ranges.podCIDRs : clusterCIDR;
  // The proxier of each family gets what is of its family.
  const split = (cidrs: readonly string[]) => [...ofFamily(cidrs, 4), ...ofFamily(cidrs, 6)];
  const own = [...host.namespace.addresses].filter((address) => !loopbacks.has(address));
  const primaryOf = (family: 4 | 6) =>
    own.filter((address) => addresses.family(address) === family).slice(0, 1);
  const primaries = [...primaryOf(4), ...primaryOf(6)];
  // "primary" stands for the node's own addresses.
  const written = nodePortAddresses.flatMap((text) =>
    text === "primary" ? primaries.map((address) => hostPrefix(addresses, address)) : [text],
  );
  return {
    addresses,
    isOwn: (address) => host.namespace.addresses.has(address),
    isLoopback: (address) => loopbacks.has(address),
    isHere: (address) => {
      const { kind } = host.route(address);
      return kind === "local" || kind === "guest" || kind === "unresolved";
    },
    primaryAddresses: primaries,
    podNetworks: split(podCIDRs.filter((cidr) => cidr !== "none")),
    masqueradeAll,
    nodePortAddresses: split(written),
    localhostNodePorts,
    serviceCIDRs: split(ranges.serviceCIDRs),
  };
}

function hostPrefix(addresses: AddressTable, address: AddressId): string {
  return `${addresses.text(address)}/${addresses.family(address) === 4 ? 32 : 128}`;
}
