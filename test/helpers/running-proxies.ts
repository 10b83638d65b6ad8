/**
 * kube-proxies on nodes, at rest or cold beside an API server whose every cost is exact, with syncs of
 * exactly 100 ms.
 *
 * Owns: bringing them up and looking into their tables.
 */
import { ms, Simulation } from "../../src/engine/index.ts";
import { SimulatedApiServer } from "../../src/kubernetes/api/server.ts";
import type { EndpointSlice, Service } from "../../src/kubernetes/api/types.ts";
import { ChangeLedger } from "../../src/kubernetes/ledger.ts";
import type { ConnectionTable, ProxyMode, TableSize } from "../../src/kubernetes/proxy/contract.ts";
import { KubeProxy, type KubeProxyOptions } from "../../src/kubernetes/proxy/kubeProxy.ts";
import { iptables } from "../../src/kubernetes/proxy/modes/iptables.ts";
import { kubeProxyProfile } from "../../src/kubernetes/proxy/profile.ts";
import { proxyBase } from "../../src/kubernetes/proxy/proxyBase.ts";
import { RuleBuilder, type ServicePortRules } from "../../src/kubernetes/proxy/rules.ts";
import { AddressTable } from "../../src/network/address.ts";
import { TransportProtocol } from "../../src/network/nat.ts";
import { createObservations } from "../../src/observe/observations.ts";
import { exactApi, node, service, unthrottled } from "./kube-objects.ts";

export const SYNC_NS = ms(100);

interface Cost {
  readonly atNs: number;
  readonly size: TableSize;
  readonly full: boolean;
}

/** Proxies on the nodes given, with syncs of exactly 100 ms, at rest beside these objects. */
export function runningProxies(
  options: {
    services?: readonly Service[];
    slices?: readonly EndpointSlice[];
    nodes?: readonly string[];
    cold?: boolean;
    mode?: ProxyMode;
    connections?: ConnectionTable;
    ledger?: ChangeLedger;
    /** What they tell. */
    told?: Pick<KubeProxyOptions, "programmed" | "synced" | "applied" | "triggerProgrammed">;
    /** Of the cluster's Services. */
    families?: readonly (4 | 6)[];
  } = {},
) {
  const { services = [service()], slices = [], nodes = ["node-0"], cold = false } = options;
  const { families = [4] } = options;
  const sim = new Simulation({ seed: "proxy" });
  const ledger = options.ledger ?? new ChangeLedger(createObservations([]));
  const api = new SimulatedApiServer(sim, exactApi);
  for (const each of services) ledger.addService(api.preload("Service", each));
  for (const each of slices) api.preload("EndpointSlice", each);
  for (const name of nodes) api.preload("Node", node(name));
  const addresses = new AddressTable();
  const builder = new RuleBuilder(addresses, ledger, kubeProxyProfile);
  const costs: Cost[] = [];
  const stale: number[] = [];
  const mode: ProxyMode = {
    ...(options.mode ?? iptables),
    syncNs: (_profile, { size, full, staleEndpoints }) => {
      costs.push({ atNs: sim.nowNs, size, full });
      stale.push(staleEndpoints);
      return SYNC_NS;
    },
  };
  const list = <K extends "Service" | "EndpointSlice">(kind: K) =>
    cold ? [] : [...api.watch(kind, { watcher: "rest", handlers: {} }).values()];
  const bases = families.map((family) =>
    proxyBase(list("Service"), list("EndpointSlice"), builder, family),
  );
  const proxies = nodes.map(
    (name) =>
      new KubeProxy({
        sim,
        api,
        profile: kubeProxyProfile,
        mode,
        node: { name, zone: null },
        builder,
        ledger,
        bases,
        connections: options.connections ?? null,
        ...options.told,
      }),
  );
  const rulesAt = (proxy = proxies[0]!, address = "10.96.0.10"): ServicePortRules | undefined =>
    proxy
      .of(address.includes(":") ? 6 : 4)
      ?.table.atAddress(addresses.intern(address), TransportProtocol.TCP, 80)?.rules;
  /** What the node routes the address to; null: nothing. */
  const endpoints = (proxy?: KubeProxy, address?: string): string[] | null =>
    rulesAt(proxy, address)?.cluster?.map(({ text }) => text) ?? null;
  return {
    sim,
    addresses,
    hand: api.client(unthrottled),
    costs,
    stale,
    proxies,
    rulesAt,
    endpoints,
  };
}
