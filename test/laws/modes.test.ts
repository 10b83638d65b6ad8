/**
 * Law 10, modes: which endpoints may be chosen for a packet is the same in every mode of kube-proxy.
 *
 * Random Services of both families (kinds, policies, source ranges, TCP, UDP and SCTP), endpoints (ready, draining, on
 * two nodes, in two zones, with and without hints) and packets of one family (from a pod, the node itself, or outside; to
 * each kind of address, node ports at every address of the node). Every mode decides the packet again and again, and
 * the endpoints it has given are compared.
 *
 * Upstream's own exceptions, which are asserted as well: IPVS has one list for each address under policy Local
 * (proxier.go, syncEndpoint); in eBPF mode a ClusterIP means nothing to what comes from outside; nftables
 * answers node ports on the node's primary address alone where --nodeport-addresses is not given, and neither it nor
 * IPVS on loopback, which has none of IPv6 in any mode.
 *
 * eBPF's map, as `sim rules` lists it, leads to the same endpoints.
 *
 * Broken on purpose: nftables without the short cut for pods of the node; eBPF's sockets with IPVS' lists; IPVS
 * with an empty local list left empty; the list of eBPF's map without scopes; rules of one family made of the
 * other's slices too; Services, and IPVS' virtual servers, found without their protocol; node ports looked up as
 * IPv4's; ranges and --nodeport-addresses of one family held against the other's packets; loopback of IPv6 answered.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Endpoint, Protocol, Service } from "../../src/kubernetes/api/types.ts";
import type { ProxyModeName } from "../../src/kubernetes/proxy/modes/index.ts";
import { ruleRenderers } from "../../src/inspect/rules/index.ts";
import { walk } from "../../src/inspect/rules/walk.ts";
import { TransportProtocol, type NatHookPoint } from "../../src/network/nat.ts";
import { endpoint, service, slice } from "../helpers/kube-objects.ts";
import { programmedNode } from "../helpers/programmed-node.ts";

const SEED = 20_260_102;
const NODE_PORT = 31_000;
const PROTOCOLS = ["TCP", "UDP", "SCTP"] as const;

/** The same of each family. */
const PLACES = {
  4: {
    clusterIP: "10.96.0.10",
    externalIP: "192.0.2.7",
    loadBalancer: "192.0.2.8",
    nodePort: "192.168.0.1",
    secondary: "192.168.1.1",
    loopback: "127.0.0.1",
    pod: "10.0.0.77",
    outside: "203.0.113.9",
    endpoint: "10.0.1.",
  },
  6: {
    clusterIP: "fd00:96::a",
    externalIP: "2001:db8:e::7",
    loadBalancer: "2001:db8:e::8",
    nodePort: "fd00:192::1",
    secondary: "fd00:193::1",
    loopback: "::1",
    pod: "fd00:10::77",
    outside: "2600:5200::9",
    endpoint: "fd00:10::",
  },
} as const;
/** Those that `outside` is in, and those that it is not in. */
const OPEN = ["203.0.113.0/24", "2600:5200::/32"];
const CLOSED = ["198.51.100.0/24", "2001:db8:f::/48"];
/** Of IPv4: for the other proxier there are none. */
const CLOSED4 = ["198.51.100.0/24"];

const policy = fc.constantFrom("Cluster" as const, "Local" as const);

function nextOf(protocol: Protocol): Protocol {
  return PROTOCOLS[(PROTOCOLS.indexOf(protocol) + 1) % PROTOCOLS.length]!;
}

const services = fc
  .record({
    internalTrafficPolicy: policy,
    externalTrafficPolicy: policy,
    type: fc.constantFrom("ClusterIP" as const, "NodePort" as const, "LoadBalancer" as const),
    externalIPs: fc.constantFrom([], [PLACES[4].externalIP, PLACES[6].externalIP]),
    loadBalancerSourceRanges: fc.constantFrom([], OPEN, CLOSED, CLOSED4),
    protocol: fc.constantFrom(...PROTOCOLS),
  })
  .map(({ type, protocol, ...spec }): Service => {
    const nodePort = type === "ClusterIP" ? null : NODE_PORT;
    const given = service({
      ...spec,
      type,
      clusterIP: PLACES[4].clusterIP,
      clusterIPs: [PLACES[4].clusterIP, PLACES[6].clusterIP],
      ipFamilies: ["IPv4", "IPv6"],
      ports: [
        { name: "asked", protocol, port: 80, targetPort: 80, nodePort },
        // Of another protocol at the same numbers, with the same pods' port 81 behind it.
        { name: "decoy", protocol: nextOf(protocol), port: 80, targetPort: 81, nodePort },
      ],
    });
    if (type !== "LoadBalancer") return given;
    const ingress = ([4, 6] as const).map((family) => {
      return { ip: PLACES[family].loadBalancer, ipMode: "VIP" as const };
    });
    return { ...given, status: { ingress } };
  });

const endpoints = fc
  .record({
    hints: fc.constantFrom("none" as const, "zones" as const, "nodes" as const),
    each: fc.array(
      fc.record({
        nodeName: fc.constantFrom("node-0", "node-1"),
        state: fc.constantFrom("ready" as const, "draining" as const, "unready" as const),
        zone: fc.constantFrom("a", "b"),
      }),
      { maxLength: 4 },
    ),
  })
  .map(({ hints, each }): Endpoint[] =>
    each.map(({ nodeName, state, zone }, i) =>
      endpoint(String(i + 1), {
        nodeName,
        conditions: {
          ready: state === "ready",
          serving: state !== "unready",
          terminating: state === "draining",
        },
        ...(hints === "none" ? {} : { zoneHints: [zone] }),
        ...(hints === "nodes" ? { nodeHints: [nodeName] } : {}),
      }),
    ),
  );

const cases = fc.record({
  family: fc.constantFrom(4 as const, 6 as const),
  service: services,
  endpoints,
  from: fc.constantFrom("pod" as const, "node" as const, "outside" as const),
  to: fc.constantFrom(
    "clusterIP" as const,
    "externalIP" as const,
    "loadBalancer" as const,
    "nodePort" as const,
    "secondary" as const,
    "loopback" as const,
  ),
  /**
   * --nodeport-addresses: the mode's default, or every address in all; only one that names some of the other family
   * alone is no limit either.
   */
  everyAddress: fc.constantFrom(null, "own" as const, "other" as const),
});

interface Case {
  readonly family: 4 | 6;
  readonly service: Service;
  /** Their addresses are numbers, to be put behind the family's prefix. */
  readonly endpoints: readonly Endpoint[];
  readonly from: "pod" | "node" | "outside";
  readonly to: "clusterIP" | "externalIP" | "loadBalancer" | "nodePort" | "secondary" | "loopback";
  readonly everyAddress: "own" | "other" | null;
}

const isAtNode = ({ to }: Case): boolean =>
  to === "nodePort" || to === "secondary" || to === "loopback";

/** Nobody sends to another's loopback. */
const senderOf = ({ from, to }: Case): Case["from"] => (to === "loopback" ? "node" : from);

function sourceOf(of: Case): string {
  const places = PLACES[of.family];
  if (of.to === "loopback") return places.loopback;
  return senderOf(of) === "node" ? places.nodePort : places[senderOf(of) as "pod" | "outside"];
}

function targetOf(of: Case): readonly [address: string, port: number] {
  return [PLACES[of.family][of.to], isAtNode(of) ? NODE_PORT : 80];
}

/** Four endpoints at most: one is missed by 64 draws in one case of ten million. */
const DRAWS = 64;

/** The slice of the packet's family, and one of the other, with an endpoint that always could serve. */
function nodeOf(
  mode: ProxyModeName,
  { family, service: given, endpoints: all, everyAddress }: Case,
) {
  const { protocol } = given.spec.ports[0]!;
  const other = family === 4 ? 6 : 4;
  const own = all.map((each) => ({
    ...each,
    address: `${PLACES[family].endpoint}${each.address}`,
  }));
  const ports = given.spec.ports.map(({ name, protocol: of }, i) => ({
    name,
    protocol: of,
    port: 80 + i,
  }));
  const slices = [
    { ...slice("own", own, given), addressType: `IPv${family}` as const, ports },
    {
      ...slice("other", [endpoint(`${PLACES[other].endpoint}9`)], given),
      addressType: `IPv${other}` as const,
      ports,
    },
  ];
  return programmedNode(mode, [given], slices, {
    node: { name: "node-0", zone: "a" },
    family,
    protocol,
    secondary: [PLACES[family].secondary],
    ...(everyAddress === "own" && { nodePortAddresses: [family === 4 ? "0.0.0.0/0" : "::/0"] }),
    ...(everyAddress === "other" && {
      nodePortAddresses: [family === 4 ? "fd00:192::1/128" : "192.168.0.1/32"],
    }),
  });
}

/** All that the mode gives for the packet, in order. */
function chosen(mode: ProxyModeName, of: Case): string[] {
  const node = nodeOf(mode, of);
  const from = senderOf(of);
  const [address, port] = targetOf(of);
  const atSocket = mode === "ebpf" && from !== "outside";
  const fromNode: NatHookPoint = from === "node" ? "OUTPUT" : "PREROUTING";
  const point = atSocket ? "CONNECT" : fromNode;
  const seen = new Set<string>();
  // Whoever asks by another protocol first gets what is there, and moves nothing.
  const { protocol } = of.service.spec.ports[0]!;
  const decoy = node.ask(sourceOf(of), address, port, point, 39_999, nextOf(protocol));
  expect(decoy.to ?? ":81").toMatch(/:81$/);
  for (let i = 0; i < DRAWS; i++) {
    const answer = node.ask(sourceOf(of), address, port, point, 40_000 + i);
    if (answer.to !== null) seen.add(answer.to);
  }
  return [...seen].sort();
}

/** All that `cilium-dbg bpf lb list` leads the packet to, in order. */
function listed(of: Case): string[] {
  const { table, view, profile, plane } = nodeOf("ebpf", of);
  const { addresses } = view;
  const [address, port] = targetOf(of);
  const { family } = of;
  const ruleset = ruleRenderers.ebpf.render({
    table,
    view,
    profile,
    size: { services: 1, endpoints: 0 },
    kernel: plane,
    ownAddresses: [PLACES[family].nodePort, PLACES[family].secondary].map((text) =>
      addresses.intern(text),
    ),
    family,
  });
  const prefix = PLACES[family].endpoint;
  const written = (text: string): string => (family === 4 ? text : `[${text}]`);
  const texts = of.endpoints.map((each) => `${written(`${prefix}${each.address}`)}:80`);
  const reached = texts.filter((text) => {
    const packet = {
      protocol: TransportProtocol[of.service.spec.ports[0]!.protocol],
      source: addresses.intern(sourceOf(of)),
      destination: addresses.intern(address),
      destinationPort: port,
      isMarked: false,
      chosen: text,
      isRemembered: false,
    };
    walk(ruleset, senderOf(of) === "outside" ? "PREROUTING" : "CONNECT", packet, view.isOwn);
    return `${written(addresses.text(packet.destination))}:${packet.destinationPort}` === text;
  });
  return reached.sort();
}

/**
 * What IPVS' virtual server holds under policy Local, as iptables tells it: the local endpoints, which are
 * what others get, or those of the cluster, which are what a pod of the node gets.
 */
function virtualServer(of: Case): string[] {
  const { spec } = of.service;
  const given = { ...of.service, spec: { ...spec, loadBalancerSourceRanges: [] } };
  const ask = (from: Case["from"], change: Partial<Service["spec"]> = {}): string[] =>
    chosen("iptables", { ...of, from, service: { ...given, spec: { ...given.spec, ...change } } });
  if (of.to !== "clusterIP") {
    const local = ask("outside");
    return local.length > 0 ? local : ask("pod");
  }
  const local = ask("pod");
  const isExposed = spec.type !== "ClusterIP" || (spec.externalIPs ?? []).length > 0;
  if (local.length > 0 || !isExposed) return local;
  return ask("pod", { internalTrafficPolicy: "Cluster" });
}

/** Node ports that a mode has not at that address. */
function isUnanswered(mode: "nftables" | "ipvs", of: Case): boolean {
  if (of.to === "loopback") return true;
  return mode === "nftables" && of.to === "secondary" && of.everyAddress === null;
}

test("10 modes", () => {
  const counts = { compared: 0, withEndpoints: 0, exceptions: 0 };
  const met = new Set<string>();
  fc.assert(
    fc.property(cases, (of) => {
      const seen = chosen("iptables", of);
      expect(chosen("nftables", of)).toEqual(isUnanswered("nftables", of) ? [] : seen);
      const from = senderOf(of);
      expect(chosen("ebpf", of)).toEqual(of.to === "clusterIP" && from === "outside" ? [] : seen);
      expect(listed(of)).toEqual(chosen("ebpf", of));
      if (of.to === "loopback" && of.family === 6) expect(seen).toEqual([]);
      const ipvs = chosen("ipvs", of);
      const { internalTrafficPolicy, externalTrafficPolicy } = of.service.spec;
      const ownPolicy = of.to === "clusterIP" ? internalTrafficPolicy : externalTrafficPolicy;
      if (isUnanswered("ipvs", of)) expect(ipvs).toEqual([]);
      else if (ownPolicy === "Local" && !isOutOfRange(of)) {
        counts.exceptions++;
        expect(ipvs).toEqual(virtualServer(of));
      } else expect(ipvs).toEqual(seen);
      counts.compared++;
      if (seen.length === 0) return;
      counts.withEndpoints++;
      met.add(`${of.family} ${of.service.spec.ports[0]!.protocol} ${of.to}`);
    }),
    { seed: SEED, numRuns: 1200 * Number(process.env["PODSTORM_LAWS_TIMES"] ?? 1) },
  );
  // The cases are worth something: many have endpoints, and many are no exception.
  expect(counts.withEndpoints).toBeGreaterThan(counts.compared / 4);
  expect(counts.exceptions).toBeLessThan((2 * counts.compared) / 3);
  // Endpoints behind each kind of address in each protocol and family, but IPv6's loopback.
  expect(met.size).toBe(2 * PROTOCOLS.length * 6 - PROTOCOLS.length);
});

/** Source ranges hold for the load balancer's address, whatever the policy. */
function isOutOfRange(of: Case): boolean {
  const { loadBalancerSourceRanges: ranges = [] } = of.service.spec;
  if (ranges === CLOSED4 && of.family === 6) return false;
  const isIn = senderOf(of) === "outside" && ranges === OPEN;
  return of.to === "loadBalancer" && ranges.length > 0 && !isIn;
}
