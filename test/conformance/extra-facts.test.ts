/**
 * Other facts of upstream's unit tests, group by group, against the code that simulated nodes run. Data:
 * test/conformance/README.md.
 *
 * Seen to fail: with TCP entries judged as UDP ones are (7 entries), with a clean-up that takes terminating
 * or unready endpoints for serving ones, with trigger times kept when their slice is deleted, with
 * ingress addresses of ipMode Proxy programmed.
 */
import { describe, expect, it, test } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import { computeProbability } from "../../src/inspect/rules/names.ts";
import { ChangeLedger } from "../../src/kubernetes/ledger.ts";
import { ChangeTracker } from "../../src/kubernetes/proxy/changeTracker.ts";
import { FlowCleaner } from "../../src/kubernetes/proxy/conntrackCleanup.ts";
import { ServiceHealthServer } from "../../src/kubernetes/proxy/healthServer.ts";
import { iptablesTraits } from "../../src/kubernetes/proxy/modes/iptables.ts";
import { ofFamily } from "../../src/kubernetes/proxy/nodeView.ts";
import { kubeProxyProfile } from "../../src/kubernetes/proxy/profile.ts";
import { emptyRoute, Router, type NodeView } from "../../src/kubernetes/proxy/route.ts";
import { RuleBuilder, RuleTable, tableBase } from "../../src/kubernetes/proxy/rules.ts";
import type {
  Endpoint,
  EndpointSlice,
  LoadBalancerIngress,
  Service,
} from "../../src/kubernetes/api/types.ts";
import { AddressTable, NO_ADDRESS } from "../../src/network/address.ts";
import { blankFirstPacket, TransportProtocol } from "../../src/network/nat.ts";
import { createObservations } from "../../src/observe/observations.ts";
import { endpoint, service, slice } from "../helpers/kube-objects.ts";
import { ownData, readData } from "./data.ts";
import { RepeatedSyncs } from "./syncs.ts";

interface Entry {
  readonly protocol: keyof typeof TransportProtocol;
  readonly origDst: string | null;
  readonly origDstPort: number;
  readonly replySrc: string;
  readonly kept: boolean;
}

interface IngressCase {
  readonly name: string;
  readonly loadBalancerIPModeGate: boolean;
  readonly clusterIP: string;
  readonly ingressIP: string;
  readonly ipMode: "Proxy" | "VIP" | null;
  readonly ruleForIngressIP: boolean;
}

/** A policy that is null was not set: Cluster. */
interface Metric {
  readonly name: string;
  readonly internalTrafficPolicy?: "Cluster" | "Local" | null;
  readonly externalTrafficPolicy?: "Cluster" | "Local" | null;
  readonly endpoints: readonly LocalEndpoint[];
  readonly expected: { readonly internal: number; readonly external: number };
}

/** A condition that is not there is nil: ready, serving, not terminating. */
interface LocalEndpoint {
  readonly service?: string;
  readonly ip: string;
  readonly port?: number;
  readonly nodeName: string | null;
  readonly ready?: boolean | null;
  readonly serving?: boolean | null;
  readonly terminating?: boolean | null;
}

/** Every group is optional: another file may have fewer of them. */
interface ExtraFacts {
  readonly noLocalEndpointsMetric?: { readonly cases: readonly Metric[] };
  readonly healthCheckEndpoints?: {
    readonly cases: readonly {
      readonly name: string;
      readonly endpoints: readonly LocalEndpoint[];
      /** By Service, or of the one that there is. */
      readonly expected: Readonly<Record<string, number>> | number;
    }[];
  };
  readonly iptablesPartialSync?: {
    readonly steps: readonly {
      readonly change: string;
      readonly rulesWritten: number | null;
      readonly rulesTotal: number | null;
    }[];
  };
  readonly nftablesTransactionSizes?: {
    readonly steps: readonly { readonly change: string; readonly operations: number | null }[];
  };
  readonly computeProbability?: { readonly cases: readonly { n: number; text: string }[] };
  readonly loadBalancerIngressIPMode?: {
    readonly iptables: readonly IngressCase[];
    readonly nftables: readonly IngressCase[];
  };
  readonly ignoredServices?: {
    readonly cases: readonly { readonly service: string; readonly servicePorts: number }[];
  };
  readonly conntrackCleanup?: {
    readonly service: {
      readonly clusterIP: string;
      readonly externalIPs: readonly string[];
      readonly loadBalancerIPs: readonly string[];
      readonly ports: readonly {
        readonly name: string;
        readonly protocol: "TCP" | "UDP" | "SCTP";
        readonly port: number;
        readonly nodePort: number | null;
      }[];
    };
    readonly endpoints: readonly { readonly ip: string; readonly serving: boolean }[];
    readonly before: number;
    readonly after: number;
    readonly entries: readonly Entry[];
    readonly serviceWithoutEndpoints?: { readonly entries: readonly Entry[] };
  };
  readonly lastChangeTriggerTime?: {
    readonly cases: readonly {
      readonly name: string;
      readonly ops: readonly (readonly ["add" | "update" | "delete", string, number | null])[];
      readonly expected: Readonly<Record<string, readonly number[]>>;
    }[];
  };
  readonly iptablesLargeClusterMode?: { readonly threshold: number };
  readonly nftablesServiceCIDRs?: {
    readonly cases: readonly {
      readonly family: "IPv4" | "IPv6";
      readonly given: readonly string[];
      readonly used: string;
    }[];
  };
}

/** Groups that a file does not have are those of our own second one. */
const facts: ExtraFacts = {
  ...ownData<ExtraFacts>("sync-facts.json"),
  ...named(readData<ExtraFacts>("EXTRA_FACTS", "extra-facts.json")),
};

/** Two groups whose names another file may word in its own way. */
function named(read: ExtraFacts): ExtraFacts {
  const words = (key: string): string =>
    /no_?local_?endpoint/i.test(key)
      ? "noLocalEndpointsMetric"
      : /health_?check/i.test(key)
        ? "healthCheckEndpoints"
        : key;
  return Object.fromEntries(Object.entries(read).map(([key, group]) => [words(key), group]));
}
const READ = new Set([
  "computeProbability",
  "loadBalancerIngressIPMode",
  "ignoredServices",
  "conntrackCleanup",
  "lastChangeTriggerTime",
  "iptablesLargeClusterMode",
  "nftablesServiceCIDRs",
  "noLocalEndpointsMetric",
  "healthCheckEndpoints",
  "iptablesPartialSync",
  "nftablesTransactionSizes",
]);
const NODE = { name: "test-node", zone: null };
type Gates = ConstructorParameters<typeof RuleBuilder>[2];

function newBuilder(gates: Gates = kubeProxyProfile) {
  const addresses = new AddressTable();
  return {
    addresses,
    builder: new RuleBuilder(addresses, new ChangeLedger(createObservations([])), gates),
  };
}

test("every group of the file is read here", () => {
  expect(Object.keys(facts).filter((group) => !READ.has(group))).toEqual([]);
});

describe.runIf(facts.computeProbability)("computeProbability", () => {
  const cases = facts.computeProbability?.cases ?? [];
  it.each(cases)("1/$n", ({ n, text }) => expect(computeProbability(n)).toBe(text));

  it("rises as n falls, from 100,000 to 2", () => {
    let last = "";
    for (let n = 100_000; n >= 2; n--) {
      const text = computeProbability(n);
      // Equally long, so the order of texts is that of numbers.
      if (text <= last) throw new Error(`${text} for ${n} is not above ${last}`);
      last = text;
    }
    expect(last).toBe("0.5000000000");
  });
});

describe.runIf(facts.loadBalancerIngressIPMode)("loadBalancerIngressIPMode", () => {
  const { iptables = [], nftables = [] } = facts.loadBalancerIngressIPMode ?? {};
  // Broken on purpose: a gate that nobody looks at fails the case with the gate off and ipMode Proxy.
  it.each([...iptables, ...nftables])("$name ($ingressIP)", (written) => {
    const { clusterIP, ingressIP, ipMode, ruleForIngressIP } = written;
    const gates = { loadBalancerIPMode: written.loadBalancerIPModeGate };
    const { addresses, builder } = newBuilder(gates);
    const given = service({
      type: "LoadBalancer",
      clusterIP,
      ports: [{ name: "p80", protocol: "TCP", port: 80, targetPort: 80, nodePort: 3001 }],
    });
    const ingress = [{ ip: ingressIP, ...(ipMode && { ipMode }) } as LoadBalancerIngress];
    const balanced: Service = { ...given, status: { ingress } };
    const own = slice("s", [endpoint("10.180.0.1")], given);
    const table = new RuleTable(tableBase(builder.build(balanced, [own], NODE, 4)));
    const rule = table.atAddress(addresses.intern(ingressIP), TransportProtocol.TCP, 80);
    expect(rule !== undefined).toBe(ruleForIngressIP);
    expect(table.atNodePort(TransportProtocol.TCP, 3001)).toBeDefined();
  });
});

describe.runIf(facts.ignoredServices)("ignoredServices", () => {
  const cases = facts.ignoredServices?.cases ?? [];
  const ignored = (text: string): Partial<Service["spec"]>[] => {
    if (text.startsWith("type ExternalName")) {
      return [{ type: "ExternalName", clusterIP: "172.30.55.4" }];
    }
    if (!/\b(headless|clusterIP None)\b/i.test(text)) throw new Error(`unknown case "${text}"`);
    return [{ clusterIP: "None" }, { clusterIP: "None", ports: [] }];
  };
  it.each(cases)("$service", ({ service: text, servicePorts }) => {
    for (const spec of ignored(text)) {
      expect(newBuilder().builder.build(service(spec), [], NODE, 4)).toHaveLength(servicePorts);
    }
  });
});

describe.runIf(facts.conntrackCleanup)("conntrackCleanup", () => {
  const group = facts.conntrackCleanup!;

  /** Which entries stay, with these endpoints behind the case's Service. */
  function keptOf(entries: readonly Entry[], endpoints: typeof group.endpoints): Entry[] {
    const { addresses, builder } = newBuilder();
    const written = group.service;
    const given = service({
      type: "LoadBalancer",
      clusterIP: written.clusterIP,
      externalIPs: written.externalIPs,
      ports: written.ports.map((port) => ({ ...port, targetPort: port.port })),
    });
    const status = {
      ingress: written.loadBalancerIPs.map((ip) => ({ ip, ipMode: "VIP" as const })),
    };
    const own = slice(
      "s",
      endpoints.map(({ ip, serving }) =>
        endpoint(ip, { conditions: { ready: serving, serving, terminating: !serving } }),
      ),
      given,
    );
    const cleaner = new FlowCleaner(builder.build({ ...given, status }, [own], NODE, 4), addresses);
    return entries.filter(
      ({ protocol, origDst, origDstPort, replySrc }) =>
        !cleaner.isStale({
          protocol: TransportProtocol[protocol],
          originalDestination: origDst === null ? NO_ADDRESS : addresses.intern(origDst),
          originalDestinationPort: origDstPort,
          replySource: addresses.intern(replySrc),
        }),
    );
  }

  it("takes the UDP flows to what does not serve, and no other", () => {
    const { entries, endpoints, before, after } = group;
    const kept = keptOf(entries, endpoints);
    expect(kept).toEqual(entries.filter((entry) => entry.kept));
    expect([entries.length, kept.length]).toEqual([before, after]);
  });

  it.runIf(facts.conntrackCleanup?.serviceWithoutEndpoints)(
    "leaves a Service alone that has no endpoint",
    () => {
      const { entries } = group.serviceWithoutEndpoints!;
      expect(keptOf(entries, [])).toEqual(entries.filter(({ kept }) => kept));
    },
  );
});

describe.runIf(facts.lastChangeTriggerTime)("lastChangeTriggerTime", () => {
  const cases = facts.lastChangeTriggerTime?.cases ?? [];
  it.each(cases)("$name", ({ ops, expected }) => {
    const startNs = seconds(1000);
    const tracker = new ChangeTracker(startNs);
    for (const [op, key, at] of ops) {
      if (op === "delete") tracker.sliceDeleted(key);
      else tracker.sliceChanged(key, at === null ? null : startNs + at * seconds(1));
    }
    const { triggers, services } = tracker.take();
    const found = [...triggers].map(([key, times]) => [
      key,
      times.map((atNs) => (atNs - startNs) / seconds(1)),
    ]);
    expect(Object.fromEntries(found)).toEqual(expected);
    expect(services).toEqual([...new Set(ops.map(([, key]) => key))]);
    expect(tracker.take().triggers.size).toBe(0);
  });
});

describe.runIf(facts.iptablesLargeClusterMode)("iptablesLargeClusterMode", () => {
  it("begins above the same number; test/kubernetes/proxy-sync-failures.test.ts has what it does", () => {
    expect(kubeProxyProfile.largeClusterEndpoints).toBe(facts.iptablesLargeClusterMode!.threshold);
  });
});

describe.runIf(facts.nftablesServiceCIDRs)("nftablesServiceCIDRs", () => {
  const cases = facts.nftablesServiceCIDRs?.cases ?? [];
  it.each(cases)("$family of $given", ({ family, given, used }) => {
    const prefixes = ofFamily(given, family === "IPv6" ? 6 : 4);
    expect(prefixes.map(({ text }) => text).join(",")).toBe(used);
  });
});

/** Slices of the endpoints, one for each Service and port; each Service is reached from outside as well. */
function objectsOf(
  endpoints: readonly LocalEndpoint[],
  spec: Partial<Service["spec"]>,
): { readonly given: Service; readonly slices: readonly EndpointSlice[] }[] {
  const names = [...new Set(["ns1/svc1", ...endpoints.map((each) => each.service ?? "ns1/svc1")])];
  return names.map((name, i) => {
    const [namespace, own] = name.split("/") as [string, string];
    const of = endpoints.filter((each) => (each.service ?? "ns1/svc1") === name);
    const ports = [...new Set(of.map(({ port = 80 }) => port))];
    const made = service(
      {
        clusterIP: `172.30.1.${i + 1}`,
        ports: (ports.length === 0 ? [80] : ports).map((port, k) => ({
          name: `p${port}`,
          protocol: "TCP" as const,
          port,
          targetPort: port,
          nodePort: 30_000 + 10 * i + k,
        })),
        ...spec,
      },
      own,
    );
    const given: Service = { ...made, metadata: { ...made.metadata, namespace } };
    const slices = ports.map((port) => ({
      ...slice(
        `${own}-${port}`,
        of.filter((each) => (each.port ?? 80) === port).map((each) => endpointOf(each)),
        given,
      ),
      ports: [{ name: `p${port}`, protocol: "TCP" as const, port }],
    }));
    return { given, slices };
  });
}

function endpointOf({ ip, nodeName, ready, serving, terminating }: LocalEndpoint): Endpoint {
  return endpoint(ip, {
    nodeName: nodeName ?? "",
    conditions: {
      ready: ready ?? true,
      serving: serving ?? ready ?? true,
      terminating: terminating ?? false,
    },
  });
}

describe.runIf(facts.noLocalEndpointsMetric)("noLocalEndpointsMetric", () => {
  const cases = facts.noLocalEndpointsMetric?.cases ?? [];
  // The Services that this node drops for want of a local endpoint are those that upstream counts.
  // Broken on purpose: a Service without any endpoint dropped like one whose endpoints are elsewhere.
  it.each(cases)(
    "$name",
    ({ internalTrafficPolicy, externalTrafficPolicy, endpoints, expected }) => {
      const [{ given, slices } = { given: service(), slices: [] }] = objectsOf(endpoints, {
        internalTrafficPolicy: internalTrafficPolicy ?? "Cluster",
        externalTrafficPolicy: externalTrafficPolicy ?? "Cluster",
      });
      const { addresses, builder } = newBuilder();
      const table = new RuleTable(tableBase(builder.build(given, slices, NODE, 4)));
      const nodeIP = addresses.intern("192.168.0.2");
      const router = new Router(table, viewOf(addresses, nodeIP), iptablesTraits);
      const dropped = (source: string, destination: number, destinationPort: number): number => {
        const route = emptyRoute();
        const packet = {
          ...blankFirstPacket(),
          source: addresses.intern(source),
          destination,
          destinationPort,
        };
        router.route(packet, route);
        return route.verdict === "drop" && route.cause === "no_local_endpoints" ? 1 : 0;
      };
      expect({
        internal: dropped("10.0.0.2", addresses.intern(given.spec.clusterIP), 80),
        external: dropped("203.0.113.2", nodeIP, 30_000),
      }).toEqual(expected);
    },
  );
});

function viewOf(addresses: AddressTable, nodeIP: number): NodeView {
  return {
    addresses,
    isOwn: (address) => address === nodeIP,
    isLoopback: () => false,
    isHere: () => false,
    primaryAddresses: [nodeIP],
    podNetworks: ofFamily(["10.0.0.0/8"], 4),
    masqueradeAll: false,
    nodePortAddresses: [],
    localhostNodePorts: true,
    serviceCIDRs: [],
  };
}

describe.runIf(facts.healthCheckEndpoints)("healthCheckEndpoints", () => {
  const cases = facts.healthCheckEndpoints?.cases ?? [];
  // Broken on purpose: terminating endpoints that serve counted; ports of one address counted one by one.
  it.each(cases)("$name", ({ endpoints, expected }) => {
    const transport = { listen: () => null, closeListener: () => {} };
    const server = new ServiceHealthServer(transport as never, {} as never, 0, () => true);
    const { builder } = newBuilder();
    const found = objectsOf(endpoints, {
      type: "LoadBalancer",
      externalTrafficPolicy: "Local",
      healthCheckNodePort: 32_000,
    }).map(({ given, slices }) => {
      const key = `${given.metadata.namespace}/${given.metadata.name}`;
      server.sync(key, builder.build(given, slices, NODE, 4), 4);
      return [key, server.localEndpoints(key)] as const;
    });
    const wanted = typeof expected === "number" ? { "ns1/svc1": expected } : expected;
    const some = found.filter(([key, count]) => count > 0 || key in wanted);
    expect(Object.fromEntries(some)).toEqual(wanted);
  });
});

// Broken on purpose: a full sync each time; Services written that did not change.
describe.runIf(facts.iptablesPartialSync)("iptablesPartialSync", () => {
  it("writes the shared chains and those of what changed, step by step", () => {
    const syncs = new RepeatedSyncs("iptables");
    const steps = facts.iptablesPartialSync?.steps ?? [];
    const found = steps.map(({ change, rulesWritten, rulesTotal }) => {
      const counts = syncs.step(change);
      return {
        change,
        rulesWritten: rulesWritten === null ? null : counts.rulesWritten,
        rulesTotal: rulesTotal === null ? null : counts.rulesTotal,
      };
    });
    expect(found).toEqual(steps);
  });
});

describe.runIf(facts.nftablesTransactionSizes)("nftablesTransactionSizes", () => {
  it("holds what changed, step by step", () => {
    const syncs = new RepeatedSyncs("nftables");
    const steps = facts.nftablesTransactionSizes?.steps ?? [];
    const found = steps.map(({ change, operations }) => {
      const counts = syncs.step(change);
      return { change, operations: operations === null ? null : counts.operations };
    });
    expect(found).toEqual(steps);
  });
});
