/**
 * One node with the rules of some Services in force, to be asked about first packets.
 *
 * Owns: the node (node-0, in no zone, pods in 10.0.0.0/8) and asking. Its connections are the test's own: it
 * tells the mode's books of them through `watcher`.
 */
import { Simulation } from "../../src/engine/index.ts";
import { objectKey, type EndpointSlice, type Service } from "../../src/kubernetes/api/types.ts";
import { ChangeLedger } from "../../src/kubernetes/ledger.ts";
import type { ConnectionTable } from "../../src/kubernetes/proxy/contract.ts";
import { proxyModes, type ProxyModeName } from "../../src/kubernetes/proxy/modes/index.ts";
import { kubeProxyProfile, type KubeProxyProfile } from "../../src/kubernetes/proxy/profile.ts";
import type { NodeView } from "../../src/kubernetes/proxy/route.ts";
import {
  RuleBuilder,
  RuleTable,
  tableBase,
  type RuleNode,
  type ServicePortRules,
} from "../../src/kubernetes/proxy/rules.ts";
import { AddressTable, NO_ADDRESS, parsePrefix } from "../../src/network/address.ts";
import {
  NatVerdict,
  TransportProtocol,
  type NatDecision,
  type NatHookPoint,
} from "../../src/network/nat.ts";
import { createObservations } from "../../src/observe/observations.ts";

export const NODE_IP = "192.168.0.1";
const NODE_IP6 = "fd00:192::1";

export type Answer = NatDecision & {
  /** "ip:port" that the packet is sent to; null where it stays as it is. */
  readonly to: string | null;
};

export interface NodeOptions {
  readonly profile?: Partial<KubeProxyProfile>;
  readonly masqueradeAll?: boolean;
  readonly nodePortAddresses?: readonly string[];
  readonly serviceCIDRs?: readonly string[];
  /** Without one no pod is recognised. */
  readonly podCIDR?: string | null;
  readonly protocol?: keyof typeof TransportProtocol;
  readonly node?: RuleNode;
  /** Addresses behind this node's bridge. */
  readonly here?: readonly string[];
  readonly connections?: ConnectionTable;
  readonly seed?: string;
  /** Of the proxier; IPv4 without it. */
  readonly family?: 4 | 6;
  /** Its addresses beside the primary one and loopback. */
  readonly secondary?: readonly string[];
}

export function programmedNode(
  mode: ProxyModeName,
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  options: NodeOptions = {},
) {
  const { family = 4, node = { name: "node-0", zone: null } } = options;
  const { podCIDR = family === 4 ? "10.0.0.0/8" : "fd00:10::/64" } = options;
  const sim = new Simulation({ seed: options.seed ?? "rules" });
  const addresses = new AddressTable();
  const builder = new RuleBuilder(
    addresses,
    new ChangeLedger(createObservations([])),
    kubeProxyProfile,
  );
  const table = new RuleTable(tableBase([]));
  const primaryText = family === 4 ? NODE_IP : NODE_IP6;
  const nodeIP = addresses.intern(primaryText);
  const loopback = addresses.intern(family === 4 ? "127.0.0.1" : "::1");
  const own = new Set([
    nodeIP,
    loopback,
    ...(options.secondary ?? []).map((text) => addresses.intern(text)),
  ]);
  const here = new Set((options.here ?? []).map((text) => addresses.intern(text)));
  const profile = { ...kubeProxyProfile, ...options.profile };
  // As nodeView() has it: nftables mode answers on the primary address.
  const {
    nodePortAddresses = mode === "nftables" ? [`${primaryText}/${family === 4 ? 32 : 128}`] : [],
  } = options;
  const view: NodeView = {
    addresses,
    isOwn: (address) => own.has(address),
    isLoopback: (address) => address === loopback,
    isHere: (address) => here.has(address),
    primaryAddresses: [nodeIP],
    podNetworks: podCIDR === null ? [] : [parsePrefix(podCIDR)],
    masqueradeAll: options.masqueradeAll ?? false,
    nodePortAddresses: nodePortAddresses.map(parsePrefix),
    localhostNodePorts: true,
    serviceCIDRs: (options.serviceCIDRs ?? []).map(parsePrefix),
  };
  const plane = proxyModes[mode].rules({
    sim,
    table,
    view,
    size: () => ({ services: table.servicePorts, endpoints: 0 }),
    profile,
    stream: sim.streams.get("proxy/node-0"),
    connections: options.connections ?? null,
    routed: () => {},
  });
  let version = 0;
  const inForce = new Map<string, readonly ServicePortRules[]>();
  /** These slices of the Service are in force from now on. */
  const program = (service: Service, own: readonly EndpointSlice[]): void => {
    const before = inForce.get(objectKey(service)) ?? [];
    version++;
    const written = own.map((each) => ({
      ...each,
      metadata: { ...each.metadata, resourceVersion: version },
    }));
    const after = builder.build(service, written, node, family);
    for (const each of before) table.remove(each);
    for (const each of after) table.put(each);
    inForce.set(objectKey(service), after);
    plane.changed(before, after);
  };
  for (const each of services) {
    program(
      each,
      slices.filter(({ service: of }) => of === objectKey(each)),
    );
  }
  const ask = (
    source: string,
    destination: string,
    port = 80,
    point: NatHookPoint = "PREROUTING",
    sourcePort = 40_000,
    protocol = options.protocol ?? "TCP",
  ): Answer => {
    const decision: NatDecision = {
      verdict: NatVerdict.accept,
      dnatAddress: NO_ADDRESS,
      dnatPort: 0,
      masquerade: false,
      walkNs: 0,
      rule: "",
    };
    const rules = point === "CONNECT" ? plane.socketNat! : plane.nat;
    rules.decide(
      point,
      {
        protocol: TransportProtocol[protocol],
        source: addresses.intern(source),
        sourcePort,
        destination: addresses.intern(destination),
        destinationPort: port,
        destinationIsLocal: own.has(addresses.intern(destination)),
        originSocket: -1,
        originGeneration: 0,
      },
      decision,
    );
    const { dnatAddress, dnatPort } = decision;
    const text = dnatAddress === NO_ADDRESS ? null : addresses.text(dnatAddress);
    const to = text === null ? null : `${family === 4 ? text : `[${text}]`}:${dnatPort}`;
    return { ...decision, to };
  };
  return { sim, ask, program, plane, table, view, profile };
}
