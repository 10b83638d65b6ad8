/**
 * iptables mode as `iptables-save` shows it.
 *
 * Owns: kube-proxy's chains and rules in the tables filter and nat, in the kernel's order. Source:
 * syncProxyRules of pkg/proxy/iptables/proxier.go; rules of kube-proxy, sections 4 to 8.
 *
 * Written as kube-proxy gives them to iptables-restore after a full sync, in the form that iptables-save
 * prints them, but for probabilities: iptables-save prints the fraction of 2^31 that the kernel made of them.
 * KUBE-FIREWALL and the jumps to it are the kubelet's too. Not shown: nfacct counters.
 */
import type { RuleEndpoint, ServicePortRules } from "../../kubernetes/proxy/rules.ts";
import type { AddressId, Prefix } from "../../network/address.ts";
import type { Programmed, RuleRenderer, Ruleset, WalkedPacket } from "./contract.ts";
import { IptablesBuilder, MASQUERADE_MARK, type RuleSpec } from "./iptablesBuilder.ts";
import {
  computeProbability,
  iptablesEndpointName,
  iptablesNames,
  protocolName,
  type IptablesNames,
} from "./names.ts";
import { nodePortAddresses, podNetworkOf, renderedPorts, type RenderedPort } from "./services.ts";

const NEW = "-m conntrack --ctstate NEW";
const NODE_PORTS_COMMENT =
  "kubernetes service nodeports; NOTE: this must be the last rule in this chain";

/** Jumps from the built-in chains: a later one was put in front of an earlier one. */
const JUMPS = [
  ["filter", "INPUT", "KUBE-FIREWALL", null, null],
  ["filter", "INPUT", "KUBE-PROXY-FIREWALL", NEW, "kubernetes load balancer firewall"],
  ["filter", "INPUT", "KUBE-NODEPORTS", null, "kubernetes health check service ports"],
  [
    "filter",
    "INPUT",
    "KUBE-EXTERNAL-SERVICES",
    NEW,
    "kubernetes externally-visible service portals",
  ],
  ["filter", "FORWARD", "KUBE-PROXY-FIREWALL", NEW, "kubernetes load balancer firewall"],
  ["filter", "FORWARD", "KUBE-FORWARD", null, "kubernetes forwarding rules"],
  ["filter", "FORWARD", "KUBE-SERVICES", NEW, "kubernetes service portals"],
  [
    "filter",
    "FORWARD",
    "KUBE-EXTERNAL-SERVICES",
    NEW,
    "kubernetes externally-visible service portals",
  ],
  ["filter", "OUTPUT", "KUBE-FIREWALL", null, null],
  ["filter", "OUTPUT", "KUBE-PROXY-FIREWALL", NEW, "kubernetes load balancer firewall"],
  ["filter", "OUTPUT", "KUBE-SERVICES", NEW, "kubernetes service portals"],
  ["nat", "PREROUTING", "KUBE-SERVICES", null, "kubernetes service portals"],
  ["nat", "OUTPUT", "KUBE-SERVICES", null, "kubernetes service portals"],
  ["nat", "POSTROUTING", "KUBE-POSTROUTING", null, "kubernetes postrouting rules"],
] as const;

/** The rules of one node being written. */
class Writer {
  readonly #built: IptablesBuilder;
  readonly #programmed: Programmed;
  readonly #commentsEndpoints: boolean;

  constructor(programmed: Programmed) {
    const { view, family, size, profile } = programmed;
    this.#built = new IptablesBuilder(view.addresses, family);
    this.#programmed = programmed;
    this.#commentsEndpoints = size.endpoints <= profile.largeClusterEndpoints;
  }

  write(): Ruleset {
    const ports = renderedPorts(this.#programmed);
    this.#writeFixedChains();
    for (const port of ports) {
      const names = iptablesNames(port.rules);
      this.#captureClusterIP(port, names);
      this.#captureExternalIPs(port, names);
      this.#captureLoadBalancer(port, names);
      this.#captureNodePort(port, names);
      this.#writeExternalChain(port, names);
      this.#writeFirewallChain(port, names);
      this.#writeChoice(port.rules, names.cluster, port.cluster);
      this.#writeChoice(port.rules, names.local, port.local);
      for (const endpoint of port.rules.all) this.#writeEndpoint(port.rules, endpoint);
    }
    this.#jumpToNodePorts();
    return this.#built.ruleset();
  }

  #writeFixedChains(): void {
    const { view, family } = this.#programmed;
    for (const [table, chain, target, state, comment] of JUMPS) {
      const before = state === null ? [] : [state];
      this.#jump(table, chain, { before, ...(comment !== null && { comment }) }, target);
    }
    for (const table of ["filter", "nat"] as const) this.#built.chain(table, "KUBE-PROXY-CANARY");
    if (family === 4 && view.localhostNodePorts) {
      // A first packet that was sent to 127.0.0.0/8 from elsewhere; those translated to it pass.
      const loopback = { text: "127.0.0.0/8", negated: false };
      this.#built.add("filter", "KUBE-FIREWALL", {
        source: { text: "127.0.0.0/8", negated: true },
        destination: loopback,
        comment: "block incoming localnet connections",
        matches: ["-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT"],
        test: ({ source, destination }) => view.isLoopback(destination) && !view.isLoopback(source),
        target: "-j DROP",
        action: { kind: "drop" },
      });
    }
    const never = (): boolean => false;
    const forward = (spec: Omit<RuleSpec, "action">, kind: "drop" | "accept"): void => {
      this.#built.add("filter", "KUBE-FORWARD", { ...spec, action: { kind } });
    };
    // A first packet is neither invalid nor related to another.
    if (!this.#programmed.profile.conntrackTcpBeLiberal) {
      forward(
        { matches: ["-m conntrack --ctstate INVALID"], test: never, target: "-j DROP" },
        "drop",
      );
    }
    forward(
      {
        comment: "kubernetes forwarding rules",
        matches: [`-m mark --mark ${MASQUERADE_MARK}`],
        test: ({ isMarked }) => isMarked,
        target: "-j ACCEPT",
      },
      "accept",
    );
    forward(
      {
        comment: "kubernetes forwarding conntrack rule",
        matches: ["-m conntrack --ctstate RELATED,ESTABLISHED"],
        test: never,
        target: "-j ACCEPT",
      },
      "accept",
    );
    this.#built.addMasquerading();
  }

  #jump(
    table: "filter" | "nat",
    chain: string,
    spec: Omit<RuleSpec, "target" | "action">,
    to: string,
  ) {
    this.#built.chain(table, to);
    const action = { kind: "jump", chain: to } as const;
    this.#built.add(table, chain, { ...spec, target: `-j ${to}`, action });
  }

  /** What is aimed at `address`:`port` of a Service port. */
  #aimed({ protocol, port }: ServicePortRules, address: AddressId): Partial<RuleSpec> {
    return { destination: this.#built.host(address), protocol: protocolName(protocol), port };
  }

  /** REJECT for a Service without endpoints, DROP for one without any that the policy allows. */
  #refuse(chain: string, { key, hasAny }: ServicePortRules, spec: Partial<RuleSpec>): void {
    this.#built.add("filter", chain, {
      ...spec,
      comment: hasAny ? `${key} has no local endpoints` : `${key} has no endpoints`,
      target: hasAny ? "-j DROP" : `-j REJECT --reject-with ${this.#built.rejectWith}`,
      action: { kind: hasAny ? "drop" : "reject" },
    });
  }

  #captureClusterIP({ rules, internal }: RenderedPort, names: IptablesNames): void {
    const { key, clusterIP, internalTrafficPolicy } = rules;
    const { view } = this.#programmed;
    const podNetwork = podNetworkOf(this.#programmed);
    const aimed = this.#aimed(rules, clusterIP);
    if (internal.length === 0) {
      this.#refuse("KUBE-SERVICES", rules, aimed);
      return;
    }
    const chain = internalTrafficPolicy === "Local" ? names.local : names.cluster;
    const spec = { ...aimed, comment: `${key} cluster IP` };
    this.#jump("nat", "KUBE-SERVICES", spec, chain);
    if (view.masqueradeAll) this.#jump("nat", chain, spec, "KUBE-MARK-MASQ");
    else if (podNetwork !== null) {
      const source = this.#built.prefix(podNetwork, true);
      this.#jump("nat", chain, { ...spec, source }, "KUBE-MARK-MASQ");
    }
  }

  #captureExternalIPs({ rules, external }: RenderedPort, names: IptablesNames): void {
    for (const address of rules.externalIPs) {
      const aimed = this.#aimed(rules, address);
      const comment = `${rules.key} external IP`;
      if (rules.hasAny) this.#jump("nat", "KUBE-SERVICES", { ...aimed, comment }, names.external);
      if (external.length === 0) this.#refuse("KUBE-EXTERNAL-SERVICES", rules, aimed);
    }
  }

  #captureLoadBalancer({ rules, external, hasFirewall }: RenderedPort, names: IptablesNames): void {
    const { key, hasAny } = rules;
    const isGuarded = hasFirewall && hasAny;
    for (const address of rules.loadBalancerVIPs) {
      const aimed = this.#aimed(rules, address);
      const comment = `${key} loadbalancer IP`;
      const chain = isGuarded ? names.firewall : names.external;
      if (hasAny) this.#jump("nat", "KUBE-SERVICES", { ...aimed, comment }, chain);
      if (!isGuarded) continue;
      this.#built.add("filter", "KUBE-PROXY-FIREWALL", {
        ...aimed,
        comment: `${key} traffic not accepted by ${names.firewall}`,
        target: "-j DROP",
        action: { kind: "drop" },
      });
    }
    if (external.length > 0) return;
    for (const address of rules.loadBalancerVIPs) {
      this.#refuse("KUBE-EXTERNAL-SERVICES", rules, this.#aimed(rules, address));
    }
  }

  #captureNodePort({ rules, external }: RenderedPort, names: IptablesNames): void {
    const { key, protocol, nodePort, hasAny, healthCheckNodePort } = rules;
    if (nodePort !== null) {
      const aimed = { protocol: protocolName(protocol), port: nodePort };
      if (hasAny) this.#jump("nat", "KUBE-NODEPORTS", { ...aimed, comment: key }, names.external);
      const toOwn = {
        matches: ["-m addrtype --dst-type LOCAL"],
        test: ({ destination }: WalkedPacket) => this.#isLocal(destination),
      };
      if (external.length === 0) {
        this.#refuse("KUBE-EXTERNAL-SERVICES", rules, { ...aimed, ...toOwn });
      }
    }
    if (healthCheckNodePort === null) return;
    this.#built.add("filter", "KUBE-NODEPORTS", {
      protocol: "tcp",
      port: healthCheckNodePort,
      comment: `${key} health check node port`,
      target: "-j ACCEPT",
      action: { kind: "accept" },
    });
  }

  #isLocal(address: AddressId): boolean {
    const { view } = this.#programmed;
    return view.isOwn(address) || view.isLoopback(address);
  }

  /** KUBE-EXT: who is sent to all endpoints, who only to local ones, and who is masqueraded. */
  #writeExternalChain(port: RenderedPort, names: IptablesNames): void {
    if (!port.usesExternalChain) return;
    const { key, externalTrafficPolicy } = port.rules;
    const podNetwork = podNetworkOf(this.#programmed);
    const jump = (spec: Omit<RuleSpec, "target" | "action">, to: string): void =>
      this.#jump("nat", names.external, spec, to);
    if (externalTrafficPolicy === "Cluster") {
      jump({ comment: `masquerade traffic for ${key} external destinations` }, "KUBE-MARK-MASQ");
      jump({}, names.cluster);
      return;
    }
    if (podNetwork !== null) {
      const comment = `pod traffic for ${key} external destinations`;
      jump({ source: this.#built.prefix(podNetwork, false), comment }, names.cluster);
    }
    const fromOwn = {
      matches: ["-m addrtype --src-type LOCAL"],
      test: ({ source }: WalkedPacket) => this.#isLocal(source),
    };
    const masquerade = `masquerade LOCAL traffic for ${key} external destinations`;
    jump({ ...fromOwn, comment: masquerade }, "KUBE-MARK-MASQ");
    jump(
      { ...fromOwn, comment: `route LOCAL traffic for ${key} external destinations` },
      names.cluster,
    );
    if (port.external.length > 0) jump({}, names.local);
  }

  #writeFirewallChain(
    { rules, hasFirewall, allowedVIPs }: RenderedPort,
    names: IptablesNames,
  ): void {
    if (!hasFirewall || !rules.hasAny) return;
    const comment = `${rules.key} loadbalancer IP`;
    const allow = (source: RuleSpec["source"]): void =>
      this.#jump("nat", names.firewall, { source, comment }, names.external);
    for (const range of rules.sourceRanges) allow(this.#built.prefix(range, false));
    for (const vip of allowedVIPs) allow(this.#built.host(vip));
    this.#built.add("nat", names.firewall, {
      comment: `other traffic to ${rules.key} will be dropped by KUBE-PROXY-FIREWALL`,
      target: "",
      action: { kind: "continue" },
    });
  }

  /** Of n rules the first matches with probability 1/n, the second with 1/(n-1), and the last always. */
  #writeChoice(rules: ServicePortRules, chain: string, endpoints: readonly RuleEndpoint[]): void {
    const { affinityNs } = rules;
    const comment = (endpoint: RuleEndpoint): Partial<RuleSpec> =>
      this.#commentsEndpoints ? { comment: `${rules.key} -> ${endpoint.text}` } : {};
    for (const endpoint of affinityNs === null ? [] : endpoints) {
      const name = iptablesEndpointName(rules, endpoint);
      const check = `--rcheck --seconds ${affinityNs! / 1e9} --reap --name ${name}`;
      const matches = [`-m recent ${check} ${this.#built.recentMask}`];
      const test = ({ chosen, isRemembered }: WalkedPacket): boolean =>
        isRemembered && chosen === endpoint.text;
      this.#jump("nat", chain, { ...comment(endpoint), matches, test }, name);
    }
    for (const [i, endpoint] of endpoints.entries()) {
      const left = endpoints.length - i;
      const chance = {
        matches: [`-m statistic --mode random --probability ${computeProbability(left)}`],
        test: ({ chosen }: WalkedPacket) => chosen === endpoint.text,
      };
      const spec = { ...comment(endpoint), ...(left > 1 && chance) };
      this.#jump("nat", chain, spec, iptablesEndpointName(rules, endpoint));
    }
  }

  #writeEndpoint(rules: ServicePortRules, endpoint: RuleEndpoint): void {
    const { key, protocol, affinityNs } = rules;
    const name = iptablesEndpointName(rules, endpoint);
    const comment = this.#commentsEndpoints ? { comment: key } : {};
    const source = this.#built.host(endpoint.address);
    this.#jump("nat", name, { ...comment, source }, "KUBE-MARK-MASQ");
    const recent = `-m recent --set --name ${name} ${this.#built.recentMask}`;
    const { address, port } = endpoint;
    this.#built.add("nat", name, {
      ...comment,
      protocol: protocolName(protocol),
      matches: affinityNs === null ? [] : [recent],
      target: `-j DNAT --to-destination ${endpoint.text}`,
      action: { kind: "dnat", address, port },
    });
  }

  #jumpToNodePorts(): void {
    const { view, family } = this.#programmed;
    const comment = NODE_PORTS_COMMENT;
    const addresses = nodePortAddresses(this.#programmed);
    if (addresses !== null) {
      for (const address of [...addresses, ...this.#loopbackForNodePorts()]) {
        const destination = this.#built.host(address);
        this.#jump("nat", "KUBE-SERVICES", { destination, comment }, "KUBE-NODEPORTS");
      }
      return;
    }
    const allowsLoopback = family === 4 && view.localhostNodePorts;
    const loopback = family === 4 ? "127.0.0.0/8" : "::1/128";
    this.#jump(
      "nat",
      "KUBE-SERVICES",
      {
        ...(!allowsLoopback && { destination: { text: loopback, negated: true } }),
        comment,
        matches: ["-m addrtype --dst-type LOCAL"],
        test: ({ destination }) =>
          this.#isLocal(destination) && (allowsLoopback || !view.isLoopback(destination)),
      },
      "KUBE-NODEPORTS",
    );
  }

  /** 127.0.0.1, where --nodeport-addresses names it and node ports may answer on it. */
  #loopbackForNodePorts(): readonly AddressId[] {
    const { view, family } = this.#programmed;
    const loopback = view.addresses.intern("127.0.0.1");
    const isNamed = (prefix: Prefix): boolean => view.addresses.contains(prefix, loopback);
    const answers = family === 4 && view.localhostNodePorts;
    return answers && view.nodePortAddresses.some(isNamed) ? [loopback] : [];
  }
}

export const iptables: RuleRenderer = {
  tool: { 4: "iptables-save", 6: "ip6tables-save" },
  render: (programmed) => new Writer(programmed).write(),
};
