/**
 * nftables mode: verdict maps that a first packet looks itself up in, and transactions of what changed: of a Service
 * that did, every endpoint's chain is written anew.
 *
 * Owns: its costs, and affinity by sets that hold any number of clients. Refuses to own: the route
 * (route.ts) and the uniform choice (choosers.ts). Source: pkg/proxy/nftables/proxier.go;
 * rules of kube-proxy, section 9.
 */
import { AffinityLists } from "../affinity.ts";
import { randomRules } from "../choosers.ts";
import type { ProxyMode, SyncWork } from "../contract.ts";
import type { KubeProxyProfile } from "../profile.ts";
import type { RouteTraits } from "../route.ts";

export const nftablesTraits: RouteTraits = {
  localhostNodePorts: false,
  acceptsHealthChecks: false,
  refusesExternalAtOutput: true,
  refusesOnAllAddresses: false,
  rejectsUnknownPorts: true,
  dropsUnknownAddresses: true,
  dropsInvalid: false,
  sourceRangesFirst: true,
  withoutLocal: "drop",
};

export const nftables: ProxyMode = {
  // No node ports on loopback in this mode.
  settings: ({ nftables: own }) => ({
    ...own,
    localhostNodePorts: false,
    defaultNodePortAddresses: ["primary"],
  }),
  hasLargeClusterMode: false,
  syncNs(profile: KubeProxyProfile, work: SyncWork) {
    const { transactionNs, serviceNs, endpointNs } = profile.nftables;
    const { size, full, changedServices, rewrittenEndpoints } = work;
    const services = full ? size.services : changedServices;
    const endpoints = full ? size.endpoints : rewrittenEndpoints;
    return transactionNs + services * serviceNs + endpoints * endpointNs;
  },
  rules(plane) {
    const { lookupNs } = plane.profile.nftables;
    return randomRules(plane, nftablesTraits, new AffinityLists(Infinity), () => lookupNs);
  },
};
