/**
 * Rendered rules do what the real kube-proxy's rules do: every conformance flow is walked through them,
 * hook by hook, and ends as upstream's tracer says. The run's own routing (route.ts) is held to the same
 * data by test/conformance, so rules and routing agree.
 *
 * Seen to fail: without KUBE-EXT's rule for pods (iptables), with service-endpoints-check not hung on
 * filter-input (nftables), with 1/n for every rule of a choice (probabilities), and with the protocol in
 * capitals in a chain's name.
 */
import { describe, expect, it, test } from "vitest";
import type { WalkedPacket } from "../../src/inspect/rules/contract.ts";
import { ruleRenderers } from "../../src/inspect/rules/index.ts";
import { computeProbability } from "../../src/inspect/rules/names.ts";
import { walk, type Walk } from "../../src/inspect/rules/walk.ts";
import {
  firstPacketOf,
  flowCases,
  packetFlows,
  type Flow,
  type Mode,
  type Scenario,
  type Step,
} from "../conformance/cases.ts";
import { readData } from "../conformance/data.ts";
import { programmedOf, renderedCase } from "./programmed.ts";

interface Outcome {
  readonly output: string;
  readonly masq: boolean;
}

/** Every way that chance may go, as upstream's tracer takes them all. */
function outcomeOf(scenario: Scenario, step: Step, mode: Mode, flow: Flow): Outcome {
  const programmed = programmedOf(scenario, step, mode);
  const ruleset = ruleRenderers[mode]!.render(programmed);
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
  const overall = packetFlows.find(({ id }) => id === "trace-packet")!;
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

  it("leaves comments out of endpoint rules in large-cluster mode", () => {
    const programmed = programmedOf(overall, step!, "iptables");
    const commented = (endpoints: number): number => {
      const size = { services: 6, endpoints };
      const { lines } = ruleRenderers.iptables!.render({ ...programmed, size });
      return lines.filter((line) => / -> /.test(line)).length;
    };
    expect(commented(1000)).toBe(7);
    expect(commented(1001)).toBe(0);
  });
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

interface ExtraFacts {
  readonly computeProbability: {
    readonly cases: readonly { readonly n: number; readonly text: string }[];
  };
}

test.each(readData<ExtraFacts>("EXTRA_FACTS", "extra-facts.json").computeProbability.cases)(
  "the probability of one of $n is $text",
  ({ n, text }) => {
    expect(computeProbability(n)).toBe(text);
  },
);
