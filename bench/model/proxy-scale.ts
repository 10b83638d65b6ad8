/**
 * kube-proxies of a large cluster: what it costs to build them at rest, and what one endpoint change costs on
 * all of them, by mode, number of Services and number of nodes. Our own work must not grow with the table: compare the
 * rates of one mode at 10 and at 10,000 Services; and grow with the nodes, which all hear of it, no faster than they. (What a change costs the simulated node does grow.)
 */
import { createHash } from "node:crypto";
import { seconds, Simulation } from "../../src/engine/index.ts";
import { apiServerProfile } from "../../src/kubernetes/api/profile.ts";
import { SimulatedApiServer } from "../../src/kubernetes/api/server.ts";
import type { Endpoint, EndpointSlice, Service } from "../../src/kubernetes/api/types.ts";
import { newMeta } from "../../src/kubernetes/controllers/pods.ts";
import { ChangeLedger } from "../../src/kubernetes/ledger.ts";
import { KubeProxy } from "../../src/kubernetes/proxy/kubeProxy.ts";
import { proxyBase } from "../../src/kubernetes/proxy/proxyBase.ts";
import { proxyModes, type ProxyModeName } from "../../src/kubernetes/proxy/modes/index.ts";
import { nodeView } from "../../src/kubernetes/proxy/nodeView.ts";
import { kubeProxyProfile } from "../../src/kubernetes/proxy/profile.ts";
import { RuleBuilder } from "../../src/kubernetes/proxy/rules.ts";
import { Network } from "../../src/network/network.ts";
import { linuxProfile } from "../../src/network/profile.ts";
import { createObservations } from "../../src/observe/observations.ts";
import type { Benchmark, BenchmarkResult } from "../harness.ts";

const NODES = 1000;
const ENDPOINTS = 10;
/** In the tests: few of both. */
const TINY_NODES = 5;
const TINY_SERVICES = 50;

function clusterService(index: number): Service {
  return {
    kind: "Service",
    metadata: newMeta("default", `s${index}`),
    spec: {
      type: "ClusterIP",
      clusterIP: `10.96.${index >> 8}.${index & 255}`,
      selector: null,
      ports: [{ name: null, protocol: "TCP", port: 80, targetPort: 80, nodePort: null }],
      sessionAffinity: "None",
      sessionAffinityTimeoutNs: 0,
      externalTrafficPolicy: "Cluster",
      internalTrafficPolicy: "Cluster",
      publishNotReadyAddresses: false,
    },
  };
}

function sliceOf(service: number): EndpointSlice {
  const endpoints = Array.from({ length: ENDPOINTS }, (_, i): Endpoint => {
    const number = service * ENDPOINTS + i;
    const address = `10.${128 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
    return {
      address,
      podUid: address,
      podName: address,
      nodeName: `node-${number % NODES}`,
      conditions: { ready: true, serving: true, terminating: false },
      observedCauseNs: null,
    };
  });
  return {
    kind: "EndpointSlice",
    metadata: newMeta("default", `s${service}-slice`),
    service: `default/s${service}`,
    addressType: "IPv4",
    ports: [{ name: null, protocol: "TCP", port: 80 }],
    endpoints,
  };
}

/** Every node's proxy and rules, at rest. */
function build(modeName: ProxyModeName, services: number, nodes: number) {
  const sim = new Simulation({ seed: "scale" });
  const network = new Network(sim, linuxProfile);
  const ledger = new ChangeLedger(createObservations([]));
  const api = new SimulatedApiServer(sim, apiServerProfile);
  for (let i = 0; i < services; i++) {
    ledger.addService(api.preload("Service", clusterService(i)));
    api.preload("EndpointSlice", sliceOf(i));
  }
  const builder = new RuleBuilder(network.addresses, ledger, kubeProxyProfile);
  const base = proxyBase(api.list("Service"), api.list("EndpointSlice"), builder, 4);
  const mode = proxyModes[modeName];
  const profile = kubeProxyProfile;
  const ranges = { podCIDRs: ["10.128.0.0/9"], serviceCIDRs: ["10.96.0.0/12"] };
  const proxies = Array.from({ length: nodes }, (_, i) => {
    const name = `node-${i}`;
    const host = network.addHost({
      name,
      address: `172.16.${i >> 8}.${i & 255}`,
      cores: 4,
      tracked: true,
    });
    const connections = host.conntrack;
    const node = { name, zone: null };
    const shared = { sim, api, profile, mode, builder, ledger, bases: [base] };
    const proxy = new KubeProxy({ ...shared, node, connections });
    const proxier = proxy.of(4)!;
    proxier.kernel = mode.rules({
      sim,
      table: proxier.table,
      view: nodeView(network, host, ranges, profile, mode.settings(profile)),
      size: () => proxier.size(),
      profile,
      stream: sim.streams.get(`proxy/${name}`),
      connections,
      routed: () => {},
    });
    host.program(proxier.kernel);
    return proxier;
  });
  return { sim, api, proxies };
}

function resultOf({ sim, proxies }: ReturnType<typeof build>, work: number): BenchmarkResult {
  const sizes = proxies.map((proxy) => `${proxy.syncs} ${proxy.size().endpoints}`);
  const hash = createHash("sha256").update(`${sim.fingerprint()} ${sizes.join()}`).digest("hex");
  return { work, hash: hash.slice(0, 16) };
}

/** Services whose endpoints change: as many in a small table as in a large one, so that the work is the same. */
const CHANGING = 10;

/** One endpoint of one Service after the other goes or comes, ten seconds apart, on every node. */
export function proxyChange(mode: ProxyModeName, services: number, nodes = NODES): Benchmark {
  const prepare = (size: number) => {
    const isTiny = size < 10;
    const count = isTiny ? Math.min(services, TINY_SERVICES) : services;
    const built = build(mode, count, isTiny ? TINY_NODES : nodes);
    const hand = built.api.client({ name: "bench", qps: 1e6, burst: 1e6 });
    return () => {
      for (let i = 0; i < size; i++) {
        const service = i % CHANGING;
        const key = `default/s${service}-slice`;
        hand.patch("EndpointSlice", key, (stored) => {
          const isWhole = stored.endpoints.length === ENDPOINTS;
          const whole = sliceOf(service).endpoints;
          return { ...stored, endpoints: isWhole ? whole.slice(1) : whole };
        });
        built.sim.run(built.sim.nowNs + seconds(10));
      }
      return resultOf(built, size);
    };
  };
  return {
    name: `proxy scale: one endpoint change on ${nodes} nodes, ${services} Services, ${mode}`,
    unit: "changes",
    size: Math.max(20, 20_000 / nodes),
    tinySize: 2,
    run: (size) => prepare(size)(),
    prepare,
  };
}

export const proxyBuild: Benchmark = {
  name: `proxy build: ${NODES} nodes, 10 endpoints a Service`,
  unit: "Services",
  size: 10_000,
  tinySize: 20,
  run(size) {
    return resultOf(build("nftables", size, size < 100 ? TINY_NODES : NODES), size);
  },
};
