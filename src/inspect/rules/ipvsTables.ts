/**
 * IPVS mode's ipsets and iptables, as `ipset save` and `iptables-save` show them.
 *
 * Owns: which sets there are and what is in them, and the fixed rules that look into them: masquerading, source
 * ranges, and what is aimed at a Service's address and no Service's port. Source: ipsetInfo, iptablesJumpChain,
 * ipsetWithIptablesChain, syncProxyRules and writeIptablesRules of pkg/proxy/ipvs/proxier.go, NewIPSet of
 * ipset.go.
 *
 * Elements are sorted by their text: a set of the kernel has an order of its own. `ipset save` also prints what the
 * kernel has chosen (bucketsize, initval).
 */
import type { RuleEndpoint, ServicePortRules } from "../../kubernetes/proxy/rules.ts";
import type { AddressId } from "../../network/address.ts";
import type { Programmed, Ruleset, WalkedPacket } from "./contract.ts";
import { IptablesBuilder, MASQUERADE_MARK, type RuleSpec } from "./iptablesBuilder.ts";
import { prefixText, protocolName } from "./names.ts";
import { nodePortAddresses, podNetworkOf, renderedPorts, type RenderedPort } from "./services.ts";

const LONGEST_SET_NAME = 31;

type SetType = "hash:ip" | "hash:ip,port" | "hash:ip,port,ip" | "hash:ip,port,net" | "bitmap:port";

/** In the order in which kube-proxy makes them. */
const SETS = {
  "KUBE-LOOP-BACK": [
    "hash:ip,port,ip",
    "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose",
  ],
  "KUBE-CLUSTER-IP": [
    "hash:ip,port",
    "Kubernetes service cluster ip + port for masquerade purpose",
  ],
  "KUBE-EXTERNAL-IP": [
    "hash:ip,port",
    "Kubernetes service external ip + port for masquerade and filter purpose",
  ],
  "KUBE-EXTERNAL-IP-LOCAL": [
    "hash:ip,port",
    "Kubernetes service external ip + port with externalTrafficPolicy=local",
  ],
  "KUBE-LOAD-BALANCER": ["hash:ip,port", "Kubernetes service lb portal"],
  "KUBE-LOAD-BALANCER-FW": [
    "hash:ip,port",
    "Kubernetes service load balancer ip + port for load balancer with sourceRange",
  ],
  "KUBE-LOAD-BALANCER-LOCAL": [
    "hash:ip,port",
    "Kubernetes service load balancer ip + port with externalTrafficPolicy=local",
  ],
  "KUBE-LOAD-BALANCER-SOURCE-IP": [
    "hash:ip,port,ip",
    "Kubernetes service load balancer ip + port + source IP for packet filter purpose",
  ],
  "KUBE-LOAD-BALANCER-SOURCE-CIDR": [
    "hash:ip,port,net",
    "Kubernetes service load balancer ip + port + source cidr for packet filter purpose",
  ],
  "KUBE-NODE-PORT-TCP": ["bitmap:port", "Kubernetes nodeport TCP port for masquerade purpose"],
  "KUBE-NODE-PORT-LOCAL-TCP": [
    "bitmap:port",
    "Kubernetes nodeport TCP port with externalTrafficPolicy=local",
  ],
  "KUBE-NODE-PORT-UDP": ["bitmap:port", "Kubernetes nodeport UDP port for masquerade purpose"],
  "KUBE-NODE-PORT-LOCAL-UDP": [
    "bitmap:port",
    "Kubernetes nodeport UDP port with externalTrafficPolicy=local",
  ],
  "KUBE-NODE-PORT-SCTP-HASH": [
    "hash:ip,port",
    "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'",
  ],
  "KUBE-NODE-PORT-LOCAL-SCTP-HASH": [
    "hash:ip,port",
    "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'",
  ],
  "KUBE-HEALTH-CHECK-NODE-PORT": ["bitmap:port", "Kubernetes health check node port"],
  "KUBE-IPVS-IPS": ["hash:ip", ""],
} as const satisfies Readonly<Record<string, readonly [SetType, string]>>;
type SetName = keyof typeof SETS;

/** Jumps from the built-in chains: kube-proxy puts each in front of those before. */
const JUMPS = [
  ["nat", "OUTPUT", "KUBE-SERVICES", "kubernetes service portals"],
  ["nat", "PREROUTING", "KUBE-SERVICES", "kubernetes service portals"],
  ["nat", "POSTROUTING", "KUBE-POSTROUTING", "kubernetes postrouting rules"],
  ["filter", "INPUT", "KUBE-IPVS-FILTER", "kubernetes ipvs access filter"],
  ["filter", "INPUT", "KUBE-PROXY-FIREWALL", "kube-proxy firewall rules"],
  ["filter", "INPUT", "KUBE-NODE-PORT", "kubernetes health check rules"],
  ["filter", "FORWARD", "KUBE-PROXY-FIREWALL", "kube-proxy firewall rules"],
  ["filter", "FORWARD", "KUBE-FORWARD", "kubernetes forwarding rules"],
  ["filter", "OUTPUT", "KUBE-IPVS-OUT-FILTER", "kubernetes ipvs access filter"],
] as const;

/** Rules that are there while their set has an element: table, chain, set, what of the packet, protocol, target. */
const WITH_ELEMENTS = [
  ["nat", "KUBE-POSTROUTING", "KUBE-LOOP-BACK", "dst,dst,src", null, "MASQUERADE"],
  ["nat", "KUBE-SERVICES", "KUBE-LOAD-BALANCER", "dst,dst", null, "KUBE-LOAD-BALANCER"],
  ["nat", "KUBE-LOAD-BALANCER", "KUBE-LOAD-BALANCER-LOCAL", "dst,dst", null, "RETURN"],
  ["nat", "KUBE-NODE-PORT", "KUBE-NODE-PORT-LOCAL-TCP", "dst", "tcp", "RETURN"],
  ["nat", "KUBE-NODE-PORT", "KUBE-NODE-PORT-TCP", "dst", "tcp", "KUBE-MARK-MASQ"],
  ["nat", "KUBE-NODE-PORT", "KUBE-NODE-PORT-LOCAL-UDP", "dst", "udp", "RETURN"],
  ["nat", "KUBE-NODE-PORT", "KUBE-NODE-PORT-UDP", "dst", "udp", "KUBE-MARK-MASQ"],
  ["nat", "KUBE-NODE-PORT", "KUBE-NODE-PORT-LOCAL-SCTP-HASH", "dst,dst", "sctp", "RETURN"],
  ["nat", "KUBE-NODE-PORT", "KUBE-NODE-PORT-SCTP-HASH", "dst,dst", "sctp", "KUBE-MARK-MASQ"],
  [
    "filter",
    "KUBE-PROXY-FIREWALL",
    "KUBE-LOAD-BALANCER-FW",
    "dst,dst",
    null,
    "KUBE-SOURCE-RANGES-FIREWALL",
  ],
  [
    "filter",
    "KUBE-SOURCE-RANGES-FIREWALL",
    "KUBE-LOAD-BALANCER-SOURCE-CIDR",
    "dst,dst,src",
    null,
    "RETURN",
  ],
  [
    "filter",
    "KUBE-SOURCE-RANGES-FIREWALL",
    "KUBE-LOAD-BALANCER-SOURCE-IP",
    "dst,dst,src",
    null,
    "RETURN",
  ],
] as const;

type Test = (packet: WalkedPacket) => boolean;

/** A set being filled: its elements, and who is in it. */
class IpSet {
  readonly name: string;
  readonly type: SetType;
  readonly comment: string;
  readonly elements = new Set<string>();
  readonly #tests: Test[] = [];

  constructor(name: SetName, family: 4 | 6) {
    [this.type, this.comment] = SETS[name];
    this.name = family === 4 ? name : name.replace("KUBE-", "KUBE-6-").slice(0, LONGEST_SET_NAME);
  }

  add(element: string, test: Test): void {
    this.elements.add(element);
    this.#tests.push(test);
  }

  readonly has: Test = (packet) => this.#tests.some((test) => test(packet));
}

export class IpvsTables {
  readonly #programmed: Programmed;
  readonly #built: IptablesBuilder;
  readonly #sets = new Map<SetName, IpSet>();
  /** Load balancers' addresses that the node itself may not use. */
  readonly #closedToNode: { readonly address: AddressId; readonly rules: ServicePortRules }[] = [];

  constructor(programmed: Programmed) {
    this.#programmed = programmed;
    this.#built = new IptablesBuilder(programmed.view.addresses, programmed.family);
    for (const name of Object.keys(SETS) as SetName[]) {
      this.#sets.set(name, new IpSet(name, programmed.family));
    }
    for (const port of renderedPorts(programmed)) this.#fill(port);
    this.#writeJumps();
    this.#writeServices();
    this.#writeFilter();
    this.#built.addMasquerading();
  }

  ruleset(): Ruleset {
    return this.#built.ruleset();
  }

  /** What `ipset restore` takes. */
  setLines(): string[] {
    const family = this.#programmed.family === 4 ? "inet" : "inet6";
    const sets = [...this.#sets.values()];
    return sets.flatMap(({ name, type, elements }) => {
      const own =
        type === "bitmap:port" ? "range 0-65535" : `family ${family} hashsize 1024 maxelem 65536`;
      const adds = [...elements].toSorted().map((element) => `add ${name} ${element}`);
      return [`create ${name} ${type} ${own}`, ...adds];
    });
  }

  #set(name: SetName): IpSet {
    return this.#sets.get(name)!;
  }

  #text(address: AddressId): string {
    return this.#programmed.view.addresses.text(address);
  }

  #fill(rendered: RenderedPort): void {
    const { rules } = rendered;
    const { clusterIP, externalIPs, externalTrafficPolicy, port } = rules;
    for (const endpoint of rules.all) this.#fillEndpoint(rules, endpoint);
    const isLocal = externalTrafficPolicy === "Local";
    this.#addAddress("KUBE-CLUSTER-IP", rules, clusterIP, port);
    const own = new Set(this.#programmed.ownAddresses);
    this.#bind(clusterIP);
    for (const address of externalIPs) {
      this.#addAddress(
        isLocal ? "KUBE-EXTERNAL-IP-LOCAL" : "KUBE-EXTERNAL-IP",
        rules,
        address,
        port,
      );
      if (!own.has(address)) this.#bind(address);
    }
    this.#fillLoadBalancer(rendered, isLocal);
    this.#fillNodePort(rules, isLocal);
  }

  #bind(address: AddressId): void {
    this.#set("KUBE-IPVS-IPS").add(
      this.#text(address),
      ({ destination }) => destination === address,
    );
  }

  #addAddress(name: SetName, rules: ServicePortRules, address: AddressId, port: number): void {
    const { protocol } = rules;
    this.#set(name).add(
      `${this.#text(address)},${protocolName(protocol)}:${port}`,
      (packet) =>
        packet.destination === address &&
        packet.destinationPort === port &&
        packet.protocol === protocol,
    );
  }

  #fillEndpoint({ protocol }: ServicePortRules, { address, port }: RuleEndpoint): void {
    if (!this.#programmed.view.isHere(address)) return;
    const text = this.#text(address);
    this.#set("KUBE-LOOP-BACK").add(
      `${text},${protocolName(protocol)}:${port},${text}`,
      (packet) =>
        packet.source === address &&
        packet.destination === address &&
        packet.destinationPort === port &&
        packet.protocol === protocol,
    );
  }

  #fillLoadBalancer({ rules, allowedVIPs }: RenderedPort, isLocal: boolean): void {
    const { loadBalancerVIPs, sourceRanges, port, protocol } = rules;
    const { addresses } = this.#programmed.view;
    const own = new Set(this.#programmed.ownAddresses);
    for (const address of loadBalancerVIPs) {
      this.#addAddress("KUBE-LOAD-BALANCER", rules, address, port);
      if (isLocal) this.#addAddress("KUBE-LOAD-BALANCER-LOCAL", rules, address, port);
      if (!own.has(address)) this.#bind(address);
      // No set holds a network of length 0: with one among them nobody is kept out, as without any (since 1.34).
      if (sourceRanges.length === 0 || sourceRanges.some(({ length }) => length === 0)) continue;
      this.#addAddress("KUBE-LOAD-BALANCER-FW", rules, address, port);
      const element = `${this.#text(address)},${protocolName(protocol)}:${port}`;
      for (const range of sourceRanges) {
        this.#set("KUBE-LOAD-BALANCER-SOURCE-CIDR").add(
          `${element},${prefixText(range)}`,
          ({ source, destination }) => destination === address && addresses.contains(range, source),
        );
      }
      if (allowedVIPs.includes(address)) {
        this.#set("KUBE-LOAD-BALANCER-SOURCE-IP").add(
          `${element},${this.#text(address)}`,
          ({ source, destination }) => destination === address && source === address,
        );
      } else this.#closedToNode.push({ address, rules });
    }
  }

  #fillNodePort(rules: ServicePortRules, isLocal: boolean): void {
    const { nodePort, protocol, healthCheckNodePort } = rules;
    const addresses = nodePortAddresses(this.#programmed) ?? this.#programmed.ownAddresses;
    // Where none answers, syncProxyRules goes on to the next Service.
    if (nodePort !== null && addresses.length === 0) return;
    if (nodePort !== null) {
      const name = protocolName(protocol).toUpperCase();
      const suffix = name === "SCTP" ? "SCTP-HASH" : name;
      this.#addNodePort(`KUBE-NODE-PORT-${suffix}` as SetName, rules, nodePort);
      if (isLocal) this.#addNodePort(`KUBE-NODE-PORT-LOCAL-${suffix}` as SetName, rules, nodePort);
    }
    if (healthCheckNodePort === null) return;
    this.#set("KUBE-HEALTH-CHECK-NODE-PORT").add(
      String(healthCheckNodePort),
      ({ destinationPort }) => destinationPort === healthCheckNodePort,
    );
  }

  #addNodePort(name: SetName, rules: ServicePortRules, nodePort: number): void {
    if (SETS[name][0] === "bitmap:port") {
      this.#set(name).add(String(nodePort), ({ destinationPort }) => destinationPort === nodePort);
      return;
    }
    const addresses = nodePortAddresses(this.#programmed) ?? this.#programmed.ownAddresses;
    for (const address of addresses) this.#addAddress(name, rules, address, nodePort);
  }

  #writeJumps(): void {
    for (const [table, chain, to, comment] of JUMPS) {
      this.#jump(table, chain, { comment }, to);
    }
    const { family } = this.#programmed;
    this.#built.add("nat", "KUBE-SERVICES", {
      source: { text: family === 4 ? "127.0.0.0/8" : "::1/128", negated: false },
      ...RETURN,
    });
    for (const [table, chain, name, what, protocol, to] of WITH_ELEMENTS) {
      const set = this.#set(name);
      this.#built.chain(table, chain);
      if (set.elements.size === 0) continue;
      const spec = this.#matching(set, what, protocol);
      if (to === "RETURN") this.#built.add(table, chain, { ...spec, ...RETURN });
      else if (to === "MASQUERADE") this.#built.add(table, chain, { ...spec, ...MASQUERADE });
      else this.#jump(table, chain, spec, to);
    }
  }

  #matching(
    set: IpSet,
    what: string,
    protocol: string | null = null,
    hasComment = true,
  ): Omit<RuleSpec, "target" | "action"> {
    return {
      ...(protocol === null ? {} : { before: [`-p ${protocol}`] }),
      ...(hasComment ? { comment: set.comment } : {}),
      matches: [`-m set --match-set ${set.name} ${what}`],
      test: (packet) =>
        (protocol === null || protocolName(packet.protocol) === protocol) && set.has(packet),
    };
  }

  #jump(
    table: "filter" | "nat",
    chain: string,
    spec: Omit<RuleSpec, "target" | "action">,
    to: string,
  ): void {
    this.#built.chain(table, to);
    const action = { kind: "jump", chain: to } as const;
    this.#built.add(table, chain, { ...spec, target: `-j ${to}`, action });
  }

  /** The rest of KUBE-SERVICES, behind what looks at load balancers. */
  #writeServices(): void {
    const { view } = this.#programmed;
    this.#writeClusterIP();
    const [shared, local] = [this.#set("KUBE-EXTERNAL-IP"), this.#set("KUBE-EXTERNAL-IP-LOCAL")];
    if (shared.elements.size > 0) {
      this.#jump("nat", "KUBE-SERVICES", this.#matching(shared, "dst,dst"), "KUBE-MARK-MASQ");
      this.#acceptExternal(shared);
    }
    if (local.elements.size > 0) this.#acceptExternal(local);
    const isLocal: Test = ({ destination }) =>
      view.isOwn(destination) || view.isLoopback(destination) || this.isBound(destination);
    const toLocal = { matches: ["-m addrtype --dst-type LOCAL"], test: isLocal };
    this.#jump("nat", "KUBE-SERVICES", toLocal, "KUBE-NODE-PORT");
    this.#jump("nat", "KUBE-LOAD-BALANCER", {}, "KUBE-MARK-MASQ");
    for (const name of ["KUBE-CLUSTER-IP", "KUBE-LOAD-BALANCER"] as const) {
      const set = this.#set(name);
      if (set.elements.size === 0) continue;
      const spec = this.#matching(set, "dst,dst", null, false);
      this.#built.add("nat", "KUBE-SERVICES", { ...spec, ...ACCEPT });
    }
  }

  /** On kube-ipvs0. */
  isBound(address: AddressId): boolean {
    return this.#set("KUBE-IPVS-IPS").elements.has(this.#text(address));
  }

  #writeClusterIP(): void {
    const set = this.#set("KUBE-CLUSTER-IP");
    if (set.elements.size === 0) return;
    const pods = podNetworkOf(this.#programmed);
    const spec = this.#matching(set, "dst,dst");
    if (this.#programmed.view.masqueradeAll) {
      this.#jump("nat", "KUBE-SERVICES", spec, "KUBE-MARK-MASQ");
    } else if (pods !== null) {
      const source = this.#built.prefix(pods, true);
      this.#jump("nat", "KUBE-SERVICES", { ...spec, source }, "KUBE-MARK-MASQ");
    } else {
      // From a Service's address, which kube-ipvs0 lends to the node's own packets.
      const bySource: Test = (packet) => set.has({ ...packet, destination: packet.source });
      const own = { ...this.#matching(set, "src,dst"), test: bySource };
      this.#jump("nat", "KUBE-SERVICES", own, "KUBE-MARK-MASQ");
    }
  }

  #acceptExternal(set: IpSet): void {
    const { view } = this.#programmed;
    const pods = podNetworkOf(this.#programmed);
    const spec = this.#matching(set, "dst,dst");
    const isFromElsewhere: Test = ({ source }) =>
      !view.isOwn(source) && (pods === null || !view.addresses.contains(pods, source));
    this.#built.add("nat", "KUBE-SERVICES", {
      ...spec,
      matches: [...spec.matches!, "-m physdev ! --physdev-is-in", "-m addrtype ! --src-type LOCAL"],
      test: (packet) => set.has(packet) && isFromElsewhere(packet),
      ...ACCEPT,
    });
    const matches = [...spec.matches!, "-m addrtype --dst-type LOCAL"];
    this.#built.add("nat", "KUBE-SERVICES", { ...spec, matches, ...ACCEPT });
  }

  #writeFilter(): void {
    const filter = (chain: string, spec: RuleSpec): void => this.#built.add("filter", chain, spec);
    filter("KUBE-SOURCE-RANGES-FIREWALL", { target: "-j DROP", action: { kind: "drop" } });
    for (const { address, rules } of this.#closedToNode) {
      const { protocol, port } = rules;
      filter("KUBE-IPVS-OUT-FILTER", {
        source: this.#built.host(address),
        matches: [`-m ipvs --vproto ${protocol} --vaddr ${this.#text(address)} --vport ${port}`],
        // Nothing in the model is sent from a Service's address.
        test: () => false,
        target: "-j DROP",
        action: { kind: "drop" },
      });
    }
    filter("KUBE-FORWARD", {
      comment: "kubernetes forwarding rules",
      matches: [`-m mark --mark ${MASQUERADE_MARK}`],
      test: ({ isMarked }) => isMarked,
      ...ACCEPT,
    });
    filter("KUBE-FORWARD", {
      comment: "kubernetes forwarding conntrack rule",
      matches: ["-m conntrack --ctstate RELATED,ESTABLISHED"],
      test: () => false,
      ...ACCEPT,
    });
    const health = this.#set("KUBE-HEALTH-CHECK-NODE-PORT");
    filter("KUBE-NODE-PORT", { ...this.#matching(health, "dst"), ...ACCEPT });
    for (const name of [
      "KUBE-LOAD-BALANCER",
      "KUBE-CLUSTER-IP",
      "KUBE-EXTERNAL-IP",
      "KUBE-EXTERNAL-IP-LOCAL",
    ] as const) {
      const spec = this.#matching(this.#set(name), "dst,dst", null, false);
      filter("KUBE-IPVS-FILTER", { ...spec, ...RETURN });
    }
    filter("KUBE-IPVS-FILTER", { ...this.#matching(health, "dst", null, false), ...RETURN });
    const bound = this.#matching(this.#set("KUBE-IPVS-IPS"), "dst", null, false);
    filter("KUBE-IPVS-FILTER", {
      ...bound,
      matches: ["-m conntrack --ctstate NEW", ...bound.matches!],
      target: `-j REJECT --reject-with ${this.#built.rejectWith}`,
      action: { kind: "reject" },
    });
  }
}

const RETURN = { target: "-j RETURN", action: { kind: "return" } } as const;
const ACCEPT = { target: "-j ACCEPT", action: { kind: "accept" } } as const;
const MASQUERADE = { target: "-j MASQUERADE", action: { kind: "masquerade" } } as const;
