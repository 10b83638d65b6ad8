/**
 * IPVS mode's ipsets and iptables: what is in them, and that a first packet which is walked through them and the
 * virtual servers ends as route.ts decides. Source: pkg/proxy/ipvs/proxier.go, writeIptablesRules.
 *
 * Broken on purpose: node ports marked in spite of policy Local; the hairpin's set filled with endpoints of other
 * nodes; source ranges looked at behind the virtual server; IPVS at PREROUTING.
 */
import { describe, expect, it } from "vitest";
import type { Programmed } from "../../src/inspect/rules/contract.ts";
import { ruleRenderers } from "../../src/inspect/rules/index.ts";
import { walk } from "../../src/inspect/rules/walk.ts";
import type { Service } from "../../src/kubernetes/api/types.ts";
import { NatVerdict, TransportProtocol } from "../../src/network/nat.ts";
import { endpoint, service, slice } from "../helpers/kube-objects.ts";
import { NODE_IP, programmedNode } from "../helpers/programmed-node.ts";

const OUTSIDE = "203.0.113.9";
const POD = "10.0.0.77";
const HERE = "10.0.1.9";

function exposed(change: Partial<Service["spec"]> = {}): Service {
  const given = service({
    type: "LoadBalancer",
    ports: [{ name: null, protocol: "TCP", port: 80, targetPort: 80, nodePort: 31_000 }],
    externalIPs: ["192.0.2.7"],
    ...change,
  });
  return { ...given, status: { ingress: [{ ip: "192.0.2.8", ipMode: "VIP" }] } };
}

/** A node with one Service, one of whose endpoints is here. */
function nodeWith(given: Service, addresses: readonly string[] = ["10.0.1.8", HERE]) {
  const endpoints = addresses.map((each) =>
    endpoint(each, { nodeName: each === HERE ? "node-0" : "node-1" }),
  );
  const node = programmedNode("ipvs", [given], [slice("s", endpoints, given)], { here: [HERE] });
  const { table, view, profile } = node;
  const size = { services: 1, endpoints: addresses.length };
  const ownAddresses = view.primaryAddresses;
  const programmed: Programmed = {
    table,
    view,
    profile,
    size,
    ownAddresses,
    kernel: null,
    family: 4,
  };
  return { ...node, ruleset: ruleRenderers.ipvs.render(programmed) };
}

const KINDS = {
  shared: exposed(),
  local: exposed({ externalTrafficPolicy: "Local", healthCheckNodePort: 32_000 }),
  guarded: exposed({ loadBalancerSourceRanges: ["198.51.100.0/24"] }),
  allowing: exposed({ loadBalancerSourceRanges: ["203.0.113.0/24"] }),
};
const TARGETS = [
  ["10.96.0.10", 80],
  ["10.96.0.10", 81],
  ["192.0.2.7", 80],
  ["192.0.2.8", 80],
  [NODE_IP, 31_000],
] as const;
const ways = Object.keys(KINDS).flatMap((kind) =>
  [OUTSIDE, POD, HERE].flatMap((from) =>
    TARGETS.map(([to, port]) => ({ kind: kind as keyof typeof KINDS, from, to, port })),
  ),
);

describe("a first packet", () => {
  it.each(ways)("to a $kind Service from $from to $to:$port", ({ kind, from, to, port }) => {
    const { ask, ruleset, view } = nodeWith(KINDS[kind]);
    const decided = ask(from, to, port);
    const { addresses } = view;
    const packet = {
      protocol: TransportProtocol.TCP,
      source: addresses.intern(from),
      destination: addresses.intern(to),
      destinationPort: port,
      isMarked: false,
      // What is refused or dropped is so before IPVS could choose.
      chosen: decided.to ?? "10.0.1.8:80",
      isRemembered: false,
    };
    const isOwn = (address: number): boolean => view.isOwn(address) || view.isLoopback(address);
    const walked = walk(ruleset, "PREROUTING", packet, isOwn);
    const reached = `${addresses.text(packet.destination)}:${packet.destinationPort}`;
    const verdicts = { [NatVerdict.drop]: "drop", [NatVerdict.reject]: "reject" } as const;
    expect([walked.verdict, reached, walked.masqueraded]).toEqual([
      verdicts[decided.verdict as keyof typeof verdicts] ?? "pass",
      decided.to ?? `${to}:${port}`,
      decided.to !== null && decided.masquerade,
    ]);
  });
});

describe("the text", () => {
  const linesOf = (given: Service): readonly string[] => nodeWith(given).ruleset.lines;

  it("has the sets as ipset saves them", () => {
    const lines = linesOf(exposed({ loadBalancerSourceRanges: ["198.51.100.0/24"] }));
    const sets = lines.slice(lines.indexOf("# ipset save") + 1, lines.indexOf("# iptables-save"));
    expect(sets.filter((line) => line.startsWith("create "))).toHaveLength(17);
    expect(sets[0]).toBe(
      "create KUBE-LOOP-BACK hash:ip,port,ip family inet hashsize 1024 maxelem 65536",
    );
    expect(sets).toContain("create KUBE-NODE-PORT-TCP bitmap:port range 0-65535");
    expect(sets.filter((line) => line.startsWith("add "))).toEqual([
      "add KUBE-LOOP-BACK 10.0.1.9,tcp:80,10.0.1.9",
      "add KUBE-CLUSTER-IP 10.96.0.10,tcp:80",
      "add KUBE-EXTERNAL-IP 192.0.2.7,tcp:80",
      "add KUBE-LOAD-BALANCER 192.0.2.8,tcp:80",
      "add KUBE-LOAD-BALANCER-FW 192.0.2.8,tcp:80",
      "add KUBE-LOAD-BALANCER-SOURCE-CIDR 192.0.2.8,tcp:80,198.51.100.0/24",
      "add KUBE-NODE-PORT-TCP 31000",
      "add KUBE-IPVS-IPS 10.96.0.10",
      "add KUBE-IPVS-IPS 192.0.2.7",
      "add KUBE-IPVS-IPS 192.0.2.8",
    ]);
  });

  it("keeps the node out of a balancer's address whose ranges do not hold it", () => {
    expect(linesOf(KINDS.guarded)).toContain(
      "-A KUBE-IPVS-OUT-FILTER -s 192.0.2.8/32 -m ipvs --vproto 6 --vaddr 192.0.2.8 --vport 80 -j DROP",
    );
    const open = linesOf(exposed({ loadBalancerSourceRanges: ["0.0.0.0/0", "198.51.100.0/24"] }));
    expect(open.filter((line) => /^add .*-(FW|CIDR) |OUT-FILTER -s/.test(line))).toEqual([]);
  });

  it("escapes quotes as iptables-save does", () => {
    const ports = [{ name: null, protocol: "SCTP", port: 80, targetPort: 80, nodePort: 31_000 }];
    expect(linesOf(exposed({ ports: ports as Service["spec"]["ports"] })).join("\n")).toContain(
      String.raw`purpose with type \'hash ip:port\'" -m set --match-set KUBE-NODE-PORT-SCTP-HASH dst,dst`,
    );
  });

  it("has rules of a set only while there is something in it", () => {
    const local = linesOf(KINDS.local).join("\n");
    const rule =
      '-A KUBE-NODE-PORT -p tcp -m comment --comment "Kubernetes nodeport TCP port with externalTrafficPolicy=local" -m set --match-set KUBE-NODE-PORT-LOCAL-TCP dst -j RETURN';
    expect(local).toContain(rule);
    expect(linesOf(KINDS.shared).join("\n")).not.toContain("KUBE-NODE-PORT-LOCAL-TCP dst");
    expect(local).toContain("add KUBE-HEALTH-CHECK-NODE-PORT 32000");
    expect(local).toContain("KUBE-IPVS-IPS dst -j REJECT --reject-with icmp-port-unreachable");
  });
});
