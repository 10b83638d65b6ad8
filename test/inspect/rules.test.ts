/**
 * Rendered rules do what the real kube-proxy's rules do: every conformance flow is walked through them,
 * hook by hook, and ends as upstream's tracer says. The run's own routing (route.ts) is held to the same
 * data by test/conformance, so rules and routing agree.
 *
 * Seen to fail: without KUBE-EXT's rule for pods, with service-endpoints-check not hung on filter-input
 * (nftables), with 1/n for every rule of a choice, and with the protocol in capitals in a chain's name.
 */
import { describe, expect, it, test } from "vitest";
import { minutes, seconds } from "../../src/engine/index.ts";
import type { Programmed, WalkedPacket } from "../../src/inspect/rules/contract.ts";
import { ruleRenderers } from "../../src/inspect/rules/index.ts";
import { walk, type Walk } from "../../src/inspect/rules/walk.ts";
import {
  firstPacketOf,
  flowCases,
  ownScenario,
  packetFlows,
  type Flow,
  type Mode,
  type Scenario,
  type Step,
} from "../conformance/cases.ts";
import { endpoint, service, slice } from "../helpers/kube-objects.ts";
import { programmedNode } from "../helpers/programmed-node.ts";
import { programmedOf, renderedCase, stickyStep } from "./programmed.ts";

interface Outcome {
  readonly output: string;
  readonly masq: boolean;
}

/** Every way that chance may go, as upstream's tracer takes them all. */
function outcomeOf(scenario: Scenario, step: Step, mode: Mode, flow: Flow): Outcome {
  const programmed = programmedOf(scenario, step, mode);
  const ruleset = ruleRenderers[mode].render(programmed);
  const { view, table } = programmed;
  const { addresses } = view;
  const source = addresses.intern(flow.sourceIP);
  const isOwn = (address: number): boolean => view.isOwn(address) || view.isLoopback(address);
  const texts = new Set<string | null>([null]);
  for (const { rules } of table.destinations()) for (const { text } of rules.all) texts.add(text);
  const outputs = new Set<string>();
  let masq = false;
  for (const chosen of texts) {
    const first = firstPacketOf(flow, addresses);
    const packet: WalkedPacket = { ...first, isMarked: false, chosen, isRemembered: false };
    const aimed = packet.destination;
    const walked = walk(ruleset, isOwn(source) ? "OUTPUT" : "PREROUTING", packet, isOwn);
    const reached = `${bracketed(addresses.text(packet.destination))}:${packet.destinationPort}`;
    outputs.add(outputText(walked, packet.destination === aimed ? "" : reached));
    masq ||= walked.masqueraded;
  }
  return { output: [...outputs].toSorted().join(", "), masq };
}

function outputText({ verdict, accepted }: Walk, endpoint: string): string {
  if (verdict !== "pass") return verdict.toUpperCase();
  return endpoint === "" && accepted ? "ACCEPT" : endpoint;
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

describe.each(packetFlows)("$id", (scenario) => {
  it.each(flowCases(scenario))("$name", ({ mode, step, flow }) => {
    const { output, masq } = flow;
    expect(outcomeOf(scenario, step, mode, flow)).toEqual({ output, masq });
  });
});

describe("the text", () => {
  const overall = ownScenario("trace-packet");
  const [step] = overall.steps;

  it.each(["iptables", "nftables"] as const)("of %s", async (mode) => {
    const scenario = { ...overall, node: withMode(overall, mode) };
    const { lines } = renderedCase(scenario, step!, mode);
    await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot(`./golden/overall.${mode}.txt`);
  });

  it("names chains as kube-proxy does", () => {
    const scenario = { ...overall, node: withMode(overall, "nftables") };
    const text = (mode: Mode): string => renderedCase(scenario, step!, mode).lines.join("\n");
    for (const name of [
      "KUBE-SVC-XPGD46QRK7WJZT7O",
      "KUBE-SEP-SXIVWICOYRO3J4NJ",
      "KUBE-EXT-GNZBNJ2PO5MGZ6GT",
      "KUBE-FW-NUKIZ6OKUXPJNT4C",
      "KUBE-SEP-I77PXRDZVX7PMWMN",
    ]) {
      expect(text("iptables")).toContain(`\n:${name} - [0:0]\n`);
    }
    for (const name of [
      "service-ULMVA6XW-ns1/svc1/tcp/p80",
      "endpoint-5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80",
      "external-42NFTM6N-ns2/svc2/tcp/p80",
      "firewall-HVFWP5L3-ns5/svc5/tcp/p80",
      "endpoint-GTK6MW7G-ns5/svc5/tcp/p80__10.180.0.3/80",
    ]) {
      expect(text("nftables")).toContain(`\n\tchain ${name} {\n`);
    }
  });

  it("gives the first of three endpoints a third, the second a half, the last the rest", () => {
    const { lines } = renderedCase(overall, stickyStep(step!), "iptables");
    const jumps = lines.filter(
      (line) => / -> .*-j KUBE-SEP/.test(line) && !line.includes("recent"),
    );
    const chances = jumps.map((line) => /--probability (\S+)/.exec(line)?.[1]);
    expect(chances).toEqual(["0.3333333333", "0.5000000000", undefined]);
  });

  it("leaves comments out of endpoint rules in large-cluster mode", () => {
    const programmed = programmedOf(overall, step!, "iptables");
    const commented = (endpoints: number): number => {
      const size = { services: 6, endpoints };
      const { lines } = ruleRenderers.iptables.render({ ...programmed, size });
      return lines.filter((line) => / -> /.test(line)).length;
    };
    expect(commented(1000)).toBe(7);
    expect(commented(1001)).toBe(0);
  });
});

describe("of IPVS", () => {
  const given = service({
    type: "NodePort",
    ports: [{ name: null, protocol: "TCP", port: 80, targetPort: "http", nodePort: 30_080 }],
    sessionAffinity: "ClientIP",
    sessionAffinityTimeoutNs: seconds(10_800),
  });
  const of = (...addresses: readonly string[]) => [
    slice(
      "web-1",
      addresses.map((each) => endpoint(each)),
      given,
    ),
  ];

  it("lists virtual servers by address, with their real servers by theirs", () => {
    const node = programmedNode("ipvs", [given], of("10.0.1.10", "10.0.1.9"));
    expect(ipvsLines(node)).toEqual([
      "-A -t 10.96.0.10:80 -s rr -p 10800",
      "-a -t 10.96.0.10:80 -r 10.0.1.9:80 -m -w 1",
      "-a -t 10.96.0.10:80 -r 10.0.1.10:80 -m -w 1",
      "-A -t 192.168.0.1:30080 -s rr -p 10800",
      "-a -t 192.168.0.1:30080 -r 10.0.1.9:80 -m -w 1",
      "-a -t 192.168.0.1:30080 -r 10.0.1.10:80 -m -w 1",
    ]);
  });

  it("shows a server that drains at weight 0, until its connections are gone", () => {
    const connections = { isExpired: () => false, forget: () => {}, deleteEntries: () => 0 };
    const node = programmedNode("ipvs", [given], of("10.0.1.9"), { connections });
    node.ask("10.0.0.77", "10.96.0.10");
    node.plane.watcher!.began(1);
    node.program(given, of("10.0.1.10"));
    const at = (weight: number) =>
      ipvsLines(node).filter(
        (line) => line.endsWith(`-w ${weight}`) && line.includes("10.96.0.10"),
      );
    expect(at(0)).toEqual(["-a -t 10.96.0.10:80 -r 10.0.1.9:80 -m -w 0"]);
    expect(at(1)).toEqual(["-a -t 10.96.0.10:80 -r 10.0.1.10:80 -m -w 1"]);
    node.plane.watcher!.ended(1);
    node.sim.run(minutes(2));
    expect(at(0)).toEqual([]);
  });

  function ipvsLines(node: ReturnType<typeof programmedNode>): readonly string[] {
    const { table, view, profile, plane } = node;
    const size = { services: 1, endpoints: 2 };
    const ownAddresses = view.primaryAddresses;
    const state = { table, view, profile, size, ownAddresses };
    const programmed: Programmed = { ...state, kernel: plane, family: 4 };
    const { lines } = ruleRenderers.ipvs.render(programmed);
    return lines.slice(0, lines.indexOf("# ipset save"));
  }
});

test("eBPF's map is listed as cilium-dbg lists it, with scopes where policies are Local", async () => {
  const port = { name: null, protocol: "TCP" as const, port: 80, targetPort: 80 };
  const exposed = service({
    type: "LoadBalancer",
    ports: [{ ...port, nodePort: 31_000 }],
    externalTrafficPolicy: "Local",
    sessionAffinity: "ClientIP",
    loadBalancerSourceRanges: ["203.0.113.0/24"],
    externalIPs: ["192.0.2.7"],
  });
  const given = { ...exposed, status: { ingress: [{ ip: "192.0.2.8", ipMode: "VIP" as const }] } };
  const endpoints = [
    endpoint("10.0.1.10", { nodeName: "node-1" }),
    endpoint("10.0.1.9", { nodeName: "node-0" }),
  ];
  const node = programmedNode("ebpf", [given], [slice("s", endpoints, given)]);
  const { table, view, profile, plane } = node;
  const { lines } = ruleRenderers.ebpf.render({
    table,
    view,
    profile,
    size: { services: 1, endpoints: 2 },
    kernel: plane,
    ownAddresses: view.primaryAddresses,
    family: 4,
  });
  await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot("./golden/rules.ebpf.txt");
});

/** The fixture of the other mode's tests: node ports on the node's own address, Service CIDRs. */
function withMode(overall: Scenario, mode: Mode): Scenario["node"] {
  const { perMode } = overall.node;
  const nftables = {
    ...perMode["iptables"]!,
    nodePortAddresses: ["192.168.0.2/32"],
    serviceCIDRs: "172.30.0.0/16",
  };
  return mode === "nftables"
    ? { ...overall.node, perMode: { ...perMode, nftables } }
    : overall.node;
}
