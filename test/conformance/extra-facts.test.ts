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
import { ofFamily } from "../../src/kubernetes/proxy/nodeView.ts";
import { kubeProxyProfile } from "../../src/kubernetes/proxy/profile.ts";
import { RuleBuilder, RuleTable, tableBase } from "../../src/kubernetes/proxy/rules.ts";
import type { LoadBalancerIngress, Service } from "../../src/kubernetes/api/types.ts";
import { AddressTable, NO_ADDRESS } from "../../src/network/address.ts";
import { TransportProtocol } from "../../src/network/nat.ts";
import { createObservations } from "../../src/observe/observations.ts";
import { endpoint, service, slice } from "../helpers/kube-objects.ts";
import { readData } from "./data.ts";

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

/** Every group is optional: another file may have fewer of them. */
interface ExtraFacts {
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

const facts = readData<ExtraFacts>("EXTRA_FACTS", "extra-facts.json");
const READ = new Set([
  "computeProbability",
  "loadBalancerIngressIPMode",
  "ignoredServices",
  "conntrackCleanup",
  "lastChangeTriggerTime",
  "iptablesLargeClusterMode",
  "nftablesServiceCIDRs",
]);
const NODE = { name: "test-node", zone: null };

function newBuilder() {
  const addresses = new AddressTable();
  return {
    addresses,
    builder: new RuleBuilder(addresses, new ChangeLedger(createObservations([]))),
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
  const all = [...iptables, ...nftables];
  const cases = all.filter(({ loadBalancerIPModeGate: on }) => on);
  const history = all.filter(({ loadBalancerIPModeGate: on }) => !on);

  it.skip.each(history)(
    "$name ($ingressIP): the gate is locked on in the release modelled",
    () => {},
  );

  it.each(cases)("$name ($ingressIP)", ({ clusterIP, ingressIP, ipMode, ruleForIngressIP }) => {
    const { addresses, builder } = newBuilder();
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
