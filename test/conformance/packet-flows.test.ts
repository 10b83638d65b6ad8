/**
 * What the real kube-proxy does with a connection's first packet, as its own unit tests say it, against the
 * code that routes simulated packets. Data: test/conformance/README.md.
 *
 * Seen to fail: without the pod rule of externalTrafficPolicy Local (KUBE-EXT's first rule), 5 flows of
 * `internal-external-masquerade-base` and the scenario of test/kubernetes/proxy-routes.test.ts.
 */
import { describe, expect, it } from "vitest";
import { createObservations } from "../../src/observe/observations.ts";
import { ChangeLedger } from "../../src/kubernetes/ledger.ts";
import { iptablesTraits } from "../../src/kubernetes/proxy/modes/iptables.ts";
import { nftablesTraits } from "../../src/kubernetes/proxy/modes/nftables.ts";
import { emptyRoute, Router, type Route } from "../../src/kubernetes/proxy/route.ts";
import { RuleBuilder, RuleTable, tableBase } from "../../src/kubernetes/proxy/rules.ts";
import { AddressTable, parsePrefix } from "../../src/network/address.ts";
import { TransportProtocol, type FirstPacket } from "../../src/network/nat.ts";
import { readData } from "./data.ts";
import { serviceOf, sliceOf, type CaseService, type CaseSlice } from "./objects.ts";

type Mode = "iptables" | "nftables";

interface Flow {
  readonly name: string;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly sourceIP: string;
  readonly destIP: string;
  readonly destPort: number;
  readonly output: string;
  readonly masq: boolean;
  readonly modes?: readonly Mode[];
}

interface Scenario {
  readonly id: string;
  readonly proxyMode: readonly Mode[];
  readonly node: {
    readonly name: string;
    readonly zone: string | null;
    readonly ipFamily: "IPv4" | "IPv6";
    readonly localDetector: {
      readonly kind: "clusterCIDR" | "none";
      readonly cidr?: string | null;
    };
    readonly masqueradeAll: boolean;
    readonly perMode: Readonly<
      Record<
        string,
        {
          readonly nodePortAddresses: readonly string[] | null;
          readonly localhostNodePorts: boolean | null;
          readonly nodeIP: string;
          readonly localIPs: readonly string[];
          readonly serviceCIDRs: string | null;
        }
      >
    >;
  };
  readonly steps: readonly {
    readonly description: string;
    readonly services: readonly CaseService[];
    readonly endpointSlices: readonly CaseSlice[];
    readonly flows: readonly Flow[];
  }[];
}

const scenarios = readData<Scenario[]>("PACKET_FLOWS", "packet-flows.json");
const traits = { iptables: iptablesTraits, nftables: nftablesTraits };

function routerFor(scenario: Scenario, step: Scenario["steps"][number], mode: Mode) {
  const { node } = scenario;
  const settings = node.perMode[mode]!;
  const addresses = new AddressTable();
  const family = node.ipFamily === "IPv6" ? 6 : 4;
  const ledger = new ChangeLedger(createObservations([]));
  const builder = new RuleBuilder(addresses, ledger);
  const slices = step.endpointSlices.map(sliceOf);
  const rules = step.services.map(serviceOf).flatMap((service) => {
    const own = slices.filter(
      (s) => s.service === `${service.metadata.namespace}/${service.metadata.name}`,
    );
    return builder.build(service, own, { name: node.name, zone: node.zone });
  });
  const own = new Set(settings.localIPs.map((text) => addresses.intern(text)));
  const loopbacks = new Set(["127.0.0.1", "::1"].map((text) => addresses.intern(text)));
  const { cidr } = node.localDetector;
  const table = new RuleTable(tableBase(rules.filter((each) => each.family === family)));
  const router = new Router(
    table,
    {
      addresses,
      isOwn: (address) => own.has(address),
      isLoopback: (address) => loopbacks.has(address),
      isHere: () => false,
      primaryAddresses: [addresses.intern(settings.nodeIP)],
      podNetworks: cidr ? [parsePrefix(cidr)] : [],
      masqueradeAll: node.masqueradeAll,
      nodePortAddresses: settings.nodePortAddresses?.map(parsePrefix) ?? null,
      localhostNodePorts: settings.localhostNodePorts ?? false,
      serviceCIDRs: (settings.serviceCIDRs ?? "").split(",").filter(Boolean).map(parsePrefix),
    },
    traits[mode],
  );
  return { router, addresses };
}

/** As upstream's tracer words it. */
function outputOf({ verdict, candidates }: Route): string {
  switch (verdict) {
    case "none":
      return "";
    case "endpoints":
      return candidates.map(({ text }) => text).join(", ");
    case "accept":
    case "drop":
    case "reject":
      return verdict.toUpperCase();
  }
}

describe.each(scenarios)("$id", (scenario) => {
  const cases = scenario.proxyMode.flatMap((mode) =>
    scenario.steps.flatMap((step) =>
      step.flows
        .filter(({ modes }) => modes === undefined || modes.includes(mode))
        .map((flow) => ({ mode, step, flow, name: `${mode}, ${step.description}: ${flow.name}` })),
    ),
  );

  it.each(cases)("$name", ({ mode, step, flow }) => {
    const { router, addresses } = routerFor(scenario, step, mode);
    const source = addresses.intern(flow.sourceIP);
    const packet: FirstPacket = {
      protocol: TransportProtocol[flow.protocol],
      source,
      sourcePort: 40_000,
      destination: addresses.intern(flow.destIP),
      destinationPort: flow.destPort,
      destinationIsLocal: false,
      originSocket: -1,
    };
    const route = emptyRoute();
    router.route(packet, route);
    const isHairpin = route.candidates.some(({ address }) => address === source);
    expect({ output: outputOf(route), masq: route.masquerade || isHairpin }).toEqual({
      output: flow.output,
      masq: flow.masq,
    });
  });
});
