/**
 * nftables mode: verdict maps that a first packet looks itself up in, and transactions of what changed.
 *
 * Owns: its costs, and affinity by sets that hold any number of clients. Refuses to own: the route
 * (route.ts) and the uniform choice, which is iptables mode's. Source: pkg/proxy/nftables/proxier.go;
 * rules of kube-proxy, section 9.
 */
import { AffinityLists } from "../affinity.ts";
import type { ProxyMode, SyncWork } from "../contract.ts";
import { RoutedRules } from "../natRules.ts";
import type { KubeProxyProfile } from "../profile.ts";
import type { RouteTraits } from "../route.ts";
import { RandomChooser } from "./iptables.ts";

export const nftablesTraits: RouteTraits = {
  localhostNodePorts: false,
  nodePortsOnAllAddresses: false,
  acceptsHealthChecks: false,
  guardsClusterIPs: true,
  sourceRangesFirst: true,
};

export const nftables: ProxyMode = {
  syncNs(profile: KubeProxyProfile, work: SyncWork) {
    const { transactionNs, serviceNs, endpointNs } = profile.nftables;
    const { size, full, changedServices, changedEndpoints } = work;
    const services = full ? size.services : changedServices;
    const endpoints = full ? size.endpoints : changedEndpoints;
    return transactionNs + services * serviceNs + endpoints * endpointNs;
  },
  rules(plane) {
    const { lookupNs } = plane.profile.nftables;
    const chooser = new RandomChooser(plane, new AffinityLists(Infinity), () => lookupNs);
    return new RoutedRules(plane, nftablesTraits, chooser);
  },
};
