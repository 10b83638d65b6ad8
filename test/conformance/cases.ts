/** The conformance cases of packet flows, and the node of one as its kube-proxy has programmed it. */
import { createObservations } from "../../src/observe/observations.ts";
import { ChangeLedger } from "../../src/kubernetes/ledger.ts";
import type { NodeView } from "../../src/kubernetes/proxy/route.ts";
import { kubeProxyProfile } from "../../src/kubernetes/proxy/profile.ts";
import { RuleBuilder, RuleTable, tableBase } from "../../src/kubernetes/proxy/rules.ts";
import {
  AddressTable,
  parsePrefix,
  parsePrefixes,
  type AddressId,
} from "../../src/network/address.ts";
import { TransportProtocol, type FirstPacket } from "../../src/network/nat.ts";
import { ownData, readData } from "./data.ts";
import { serviceOf, sliceOf, type CaseService, type CaseSlice } from "./objects.ts";

const MODES = ["iptables", "nftables"] as const;
export type Mode = (typeof MODES)[number];

export interface Flow {
  readonly name: string;
  /** Not set: TCP. */
  readonly protocol?: "TCP" | "UDP" | "SCTP" | null;
  readonly sourceIP: string;
  readonly destIP: string;
  readonly destPort: number;
  readonly output: string;
  readonly masq: boolean;
  readonly modes?: readonly Mode[] | null;
}

export interface Scenario {
  readonly id: string;
  readonly proxyMode: readonly Mode[];
  readonly node: {
    readonly name: string;
    readonly zone?: string | null;
    readonly ipFamily: "IPv4" | "IPv6";
    readonly localDetector: {
      readonly kind: "clusterCIDR" | "none";
      readonly cidr?: string | null;
    };
    readonly masqueradeAll?: boolean | null;
    readonly perMode: Readonly<
      Record<
        string,
        {
          readonly nodePortAddresses?: readonly string[] | null;
          readonly localhostNodePorts?: boolean | null;
          readonly nodeIP: string;
          readonly localIPs: readonly string[];
          readonly serviceCIDRs?: string | readonly string[] | null;
        }
      >
    >;
  };
  readonly steps: readonly {
    readonly description: string;
    readonly services: readonly CaseService[];
    readonly endpointSlices?: readonly CaseSlice[];
    readonly flows: readonly Flow[];
  }[];
}

export type Step = Scenario["steps"][number];

/** Upstream's cases or another file's, and those derived from upstream's rules. */
export const packetFlows = [
  ...readData<Scenario[]>("PACKET_FLOWS", "packet-flows.json"),
  ...ownData<Scenario[]>("variants.json"),
];

/** A scenario that is always there. */
export function ownScenario(id: string): Scenario {
  const found = ownData<Scenario[]>("packet-flows.json").find((each) => each.id === id);
  if (found === undefined) throw new Error(`no scenario ${id} in packet-flows.json`);
  return found;
}

/** What a node has programmed, with its own addresses. */
export interface CaseNode {
  readonly table: RuleTable;
  readonly view: NodeView;
  readonly family: 4 | 6;
  readonly ownAddresses: readonly AddressId[];
}

/** Each flow of a scenario in each mode that it is for. */
export function flowCases(scenario: Scenario) {
  return scenario.proxyMode.flatMap((mode) =>
    scenario.steps.flatMap((step) =>
      step.flows
        .filter(({ modes }) => modes?.includes(mode) ?? true)
        .map((flow) => ({ mode, step, flow, name: `${mode}, ${step.description}: ${flow.name}` })),
    ),
  );
}

export function firstPacketOf(flow: Flow, addresses: AddressTable): FirstPacket {
  return {
    protocol: TransportProtocol[flow.protocol ?? "TCP"],
    source: addresses.intern(flow.sourceIP),
    sourcePort: 40_000,
    destination: addresses.intern(flow.destIP),
    destinationPort: flow.destPort,
    destinationIsLocal: false,
    originSocket: -1,
    originGeneration: 0,
  };
}

export function nodeOf(scenario: Scenario, step: Step, mode: Mode): CaseNode {
  const { node } = scenario;
  const settings = node.perMode[mode];
  if (!MODES.includes(mode) || settings === undefined)
    throw new Error(`unknown mode ${mode} in ${scenario.id}`);
  const addresses = new AddressTable();
  const family = node.ipFamily === "IPv6" ? 6 : 4;
  const ledger = new ChangeLedger(createObservations([]));
  const builder = new RuleBuilder(addresses, ledger, kubeProxyProfile);
  const slices = (step.endpointSlices ?? []).flatMap(sliceOf);
  const rules = step.services.map(serviceOf).flatMap((service) => {
    const own = slices.filter(
      (s) => s.service === `${service.metadata.namespace}/${service.metadata.name}`,
    );
    return builder.build(service, own, { name: node.name, zone: node.zone ?? null }, family);
  });
  const local = settings.localIPs.map((text) => addresses.intern(text));
  const own = new Set(local);
  const loopbacks = new Set(["127.0.0.1", "::1"].map((text) => addresses.intern(text)));
  const { cidr } = node.localDetector;
  const table = new RuleTable(tableBase(rules));
  const view: NodeView = {
    addresses,
    isOwn: (address) => own.has(address),
    isLoopback: (address) => loopbacks.has(address),
    isHere: () => false,
    primaryAddresses: [addresses.intern(settings.nodeIP)],
    podNetworks: cidr ? [parsePrefix(cidr)] : [],
    masqueradeAll: node.masqueradeAll ?? false,
    nodePortAddresses: (settings.nodePortAddresses ?? []).map(parsePrefix),
    localhostNodePorts: settings.localhostNodePorts ?? false,
    serviceCIDRs: [settings.serviceCIDRs || []].flat().flatMap((text) => parsePrefixes(text)),
  };
  const ownAddresses = local.filter((address) => !loopbacks.has(address));
  return { table, view, family, ownAddresses };
}
