/**
 * nftables mode as `nft list ruleset` shows it.
 *
 * Owns: kube-proxy's table with its sets, maps, chains and rules. Source: setupNFTables and syncProxyRules of
 * pkg/proxy/nftables/proxier.go (1.34 on); rules of kube-proxy, sections 4 and 7 to 9.
 */
import type { RuleEndpoint, ServicePortRules } from "../../kubernetes/proxy/rules.ts";
import type { AddressId } from "../../network/address.ts";
import type { Action, Programmed, RuleRenderer, Ruleset, WalkedPacket } from "./contract.ts";
import {
  nftablesEndpointNames,
  nftablesNames,
  prefixText,
  protocolName,
  type IptablesNames as ChainNames,
} from "./names.ts";
import { NftablesBuilder } from "./nftablesBuilder.ts";
import { nodePortAddresses, podNetworkOf, renderedPorts, type RenderedPort } from "./services.ts";

const MARK_MASQ = "mark-for-masquerade";
const NEW = "ct state new";
const LOAD_BALANCED = "meta l4proto . th dport";

class Writer {
  readonly #built: NftablesBuilder;
  readonly #programmed: Programmed;
  /** "ip" or "ip6". */
  readonly #ip: string;
  /** What node ports answer on; null: every address but loopback. */
  readonly #nodePortAddresses: readonly AddressId[] | null;

  constructor(programmed: Programmed) {
    this.#programmed = programmed;
    this.#built = new NftablesBuilder(programmed.family);
    this.#ip = programmed.family === 4 ? "ip" : "ip6";
    this.#nodePortAddresses = nodePortAddresses(programmed);
  }

  write(): Ruleset {
    this.#writeSetsAndMaps();
    this.#writeBaseChains();
    this.#writeFixedChains();
    for (const port of renderedPorts(this.#programmed)) {
      const names = nftablesNames(port.rules);
      this.#built.element("cluster-ips", this.#text(port.rules.clusterIP));
      this.#captureClusterIP(port, names);
      this.#captureExternal(port, names);
      this.#captureNodePort(port, names);
      this.#writeExternalChain(port, names);
      this.#writeFirewallChain(port, names);
      this.#writeChoice(port.rules, names.cluster, port.cluster);
      this.#writeChoice(port.rules, names.local, port.local);
      for (const endpoint of port.rules.all) this.#writeEndpoint(port.rules, endpoint);
    }
    return this.#built.ruleset();
  }

  #writeSetsAndMaps(): void {
    const built = this.#built;
    const address = this.#programmed.family === 4 ? "ipv4_addr" : "ipv6_addr";
    const service = `${address} . inet_proto . inet_service : verdict`;
    const nodePort = "inet_proto . inet_service : verdict";
    built.set("cluster-ips", address, "Active ClusterIPs");
    if (this.#nodePortAddresses !== null) {
      built.set("nodeport-ips", address, "IPs that accept NodePort traffic");
      for (const each of this.#nodePortAddresses) built.element("nodeport-ips", this.#text(each));
    }
    built.map(
      "no-endpoint-services",
      service,
      "vmap to drop or reject packets to services with no endpoints",
    );
    built.map(
      "no-endpoint-nodeports",
      nodePort,
      "vmap to drop or reject packets to service nodeports with no endpoints",
    );
    built.map("firewall-ips", service, "destinations that are subject to LoadBalancerSourceRanges");
    built.map("service-ips", service, "ClusterIP, ExternalIP and LoadBalancer IP traffic");
    built.map("service-nodeports", nodePort, "NodePort traffic");
  }

  #writeBaseChains(): void {
    const built = this.#built;
    built.base("filter-prerouting-pre-dnat", "filter", "prerouting", "dstnat - 10");
    built.base("filter-output-pre-dnat", "filter", "output", "-110");
    built.base("filter-input", "filter", "input", "filter");
    built.base("filter-forward", "filter", "forward", "filter");
    built.base("filter-output", "filter", "output", "filter");
    built.base("nat-prerouting", "nat", "prerouting", "dstnat");
    built.base("nat-output", "nat", "output", "-100");
    built.base("nat-postrouting", "nat", "postrouting", "srcnat");
    const jumps = [
      ["nodeport-endpoints-check", "filter-input", NEW],
      ["service-endpoints-check", "filter-input", NEW],
      ["service-endpoints-check", "filter-forward", NEW],
      ["service-endpoints-check", "filter-output", NEW],
      ["firewall-check", "filter-prerouting-pre-dnat", NEW],
      ["firewall-check", "filter-output-pre-dnat", NEW],
      ["services", "nat-output", ""],
      ["services", "nat-prerouting", ""],
      ["masquerading", "nat-postrouting", ""],
      ["cluster-ips-check", "filter-forward", NEW],
      ["cluster-ips-check", "filter-output", NEW],
    ] as const;
    for (const [to, from, match] of jumps) built.jump(from, match, "jump", to);
  }

  #writeFixedChains(): void {
    const built = this.#built;
    const marked = ({ isMarked }: WalkedPacket): boolean => isMarked;
    built.chain("reject-chain", "helper for @no-endpoint-services / @no-endpoint-nodeports");
    built.rule("reject-chain", "reject", { kind: "reject" });
    built.rule(MARK_MASQ, "meta mark set meta mark | 0x00004000", { kind: "mark" });
    const unmarked = "meta mark & 0x00004000 == 0x00000000 return";
    built.rule("masquerading", unmarked, { kind: "return" }, (packet) => !marked(packet));
    built.rule("masquerading", "meta mark set meta mark ^ 0x00004000", { kind: "unmark" });
    built.rule("masquerading", "masquerade fully-random", { kind: "masquerade" });
    const byAddress = `${this.#ip} daddr . ${LOAD_BALANCED} vmap`;
    built.lookup("service-endpoints-check", byAddress, "no-endpoint-services", this.#service);
    built.lookup("firewall-check", byAddress, "firewall-ips", this.#service);
    built.lookup("services", byAddress, "service-ips", this.#service);
    const byNodePort = `${this.#nodePortMatch()} ${LOAD_BALANCED} vmap`;
    built.lookup("services", byNodePort, "service-nodeports", this.#nodePort);
    built.lookup("nodeport-endpoints-check", byNodePort, "no-endpoint-nodeports", this.#nodePort);
    this.#writeClusterIPsCheck();
  }

  #writeClusterIPsCheck(): void {
    const { view, table, family } = this.#programmed;
    const built = this.#built;
    built.rule(
      "cluster-ips-check",
      `${this.#ip} daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"`,
      { kind: "reject" },
      ({ destination }) => table.isClusterIP(destination),
    );
    const cidrs = view.serviceCIDRs.filter((cidr) => cidr.family === family);
    if (cidrs.length === 0) return;
    const ranges = anyOf(cidrs.map(prefixText));
    built.rule(
      "cluster-ips-check",
      `${this.#ip} daddr ${ranges} drop comment "Drop traffic to unallocated ClusterIPs"`,
      { kind: "drop" },
      ({ destination }) => cidrs.some((cidr) => view.addresses.contains(cidr, destination)),
    );
  }

  #nodePortMatch(): string {
    if (this.#nodePortAddresses !== null) return `${this.#ip} daddr @nodeport-ips`;
    const loopback = this.#programmed.family === 4 ? "127.0.0.0/8" : "::1";
    return `fib daddr type local ${this.#ip} daddr != ${loopback}`;
  }

  /** The packet's key in maps by address, and in maps by node port (null where those do not apply). */
  readonly #service = ({ destination, protocol, destinationPort }: WalkedPacket): string | null =>
    `${this.#text(destination)} . ${protocolName(protocol)} . ${destinationPort}`;

  readonly #nodePort = ({
    destination,
    protocol,
    destinationPort,
  }: WalkedPacket): string | null => {
    const { view } = this.#programmed;
    const answers =
      this.#nodePortAddresses === null
        ? view.isOwn(destination) && !view.isLoopback(destination)
        : this.#nodePortAddresses.includes(destination);
    return answers ? `${protocolName(protocol)} . ${destinationPort}` : null;
  };

  #text(address: AddressId): string {
    return this.#programmed.view.addresses.text(address);
  }

  #key({ protocol, port }: ServicePortRules, address: AddressId): string {
    return `${this.#text(address)} . ${protocolName(protocol)} . ${port}`;
  }

  #refuse(map: string, key: string, rules: ServicePortRules): void {
    const action: Action = rules.hasAny
      ? { kind: "drop" }
      : { kind: "goto", chain: "reject-chain" };
    this.#built.entry(map, key, action, rules.key);
  }

  #captureClusterIP({ rules, internal }: RenderedPort, names: ChainNames): void {
    const { view } = this.#programmed;
    const { clusterIP, internalTrafficPolicy, protocol, port } = rules;
    const key = this.#key(rules, clusterIP);
    if (internal.length === 0) {
      this.#refuse("no-endpoint-services", key, rules);
      return;
    }
    const chain = internalTrafficPolicy === "Local" ? names.local : names.cluster;
    this.#built.entry("service-ips", key, { kind: "goto", chain });
    const network = podNetworkOf(this.#programmed);
    if (!view.masqueradeAll && network === null) return;
    const foreign = view.masqueradeAll ? "" : ` ${this.#ip} saddr != ${prefixText(network!)}`;
    const isForeign = ({ source }: WalkedPacket): boolean =>
      view.masqueradeAll || !view.addresses.contains(network!, source);
    const aimed = `${this.#ip} daddr ${this.#text(clusterIP)} ${protocolName(protocol)} dport ${port}`;
    this.#built.jump(chain, `${aimed}${foreign}`, "jump", MARK_MASQ, (packet) => {
      const { destination, destinationPort } = packet;
      return destination === clusterIP && destinationPort === port && isForeign(packet);
    });
  }

  #captureExternal({ rules, external, hasFirewall }: RenderedPort, names: ChainNames): void {
    for (const address of [...rules.externalIPs, ...rules.loadBalancerVIPs]) {
      const key = this.#key(rules, address);
      const isVIP = rules.loadBalancerVIPs.includes(address);
      if (rules.hasAny) {
        this.#built.entry("service-ips", key, { kind: "goto", chain: names.external });
      }
      if (isVIP && hasFirewall) {
        const chain = names.firewall;
        this.#built.entry("firewall-ips", key, { kind: "goto", chain }, rules.key);
      }
      if (external.length === 0) this.#refuse("no-endpoint-services", key, rules);
    }
  }

  #captureNodePort({ rules, external }: RenderedPort, names: ChainNames): void {
    if (rules.nodePort === null) return;
    const key = `${protocolName(rules.protocol)} . ${rules.nodePort}`;
    if (rules.hasAny) {
      this.#built.entry("service-nodeports", key, { kind: "goto", chain: names.external });
    }
    if (external.length === 0) this.#refuse("no-endpoint-nodeports", key, rules);
  }

  #writeExternalChain(port: RenderedPort, names: ChainNames): void {
    if (!port.usesExternalChain) return;
    const { view } = this.#programmed;
    const { external: chain, cluster, local } = names;
    if (port.rules.externalTrafficPolicy === "Cluster") {
      this.#built.jump(chain, "", "jump", MARK_MASQ);
      this.#built.jump(chain, "", "goto", cluster);
      return;
    }
    const podNetwork = podNetworkOf(this.#programmed);
    if (podNetwork !== null) {
      this.#built.jump(
        chain,
        `${this.#ip} saddr ${prefixText(podNetwork)}`,
        "goto",
        cluster,
        ({ source }) => view.addresses.contains(podNetwork, source),
        "short-circuit pod traffic",
      );
    }
    const isOwn = ({ source }: WalkedPacket): boolean =>
      view.isOwn(source) || view.isLoopback(source);
    const fromOwn = "fib saddr type local";
    this.#built.jump(chain, fromOwn, "jump", MARK_MASQ, isOwn, "masquerade local traffic");
    this.#built.jump(chain, fromOwn, "goto", cluster, isOwn, "short-circuit local traffic");
    if (port.external.length > 0) this.#built.jump(chain, "", "goto", local);
  }

  #writeFirewallChain({ rules, hasFirewall, allowedVIPs }: RenderedPort, names: ChainNames): void {
    if (!hasFirewall) return;
    const { addresses } = this.#programmed.view;
    const texts = [
      ...rules.sourceRanges.map(prefixText),
      ...allowedVIPs.map((vip) => this.#text(vip)),
    ];
    const isOutside = ({ source }: WalkedPacket): boolean =>
      !rules.sourceRanges.some((range) => addresses.contains(range, source)) &&
      !allowedVIPs.includes(source);
    const text = `${this.#ip} saddr != ${anyOf(texts)} drop`;
    this.#built.rule(names.firewall, text, { kind: "drop" }, isOutside);
  }

  #writeChoice(rules: ServicePortRules, chain: string, endpoints: readonly RuleEndpoint[]): void {
    if (endpoints.length === 0) return;
    const named = endpoints.map((endpoint) => ({
      endpoint,
      ...nftablesEndpointNames(rules, endpoint),
    }));
    for (const { endpoint, chain: to, affinity } of rules.affinityNs === null ? [] : named) {
      const match = `${this.#ip} saddr @${affinity}`;
      this.#built.jump(chain, match, "goto", to, ({ chosen, isRemembered }) => {
        return isRemembered && chosen === endpoint.text;
      });
    }
    const elements = named.map(({ chain: to }, i) => `${i} : goto ${to}`).join(", ");
    const text = `numgen random mod ${endpoints.length} vmap { ${elements} }`;
    this.#built.choose(chain, text, ({ chosen }) => {
      return (named.find(({ endpoint }) => endpoint.text === chosen) ?? named.at(-1)!).chain;
    });
  }

  #writeEndpoint(rules: ServicePortRules, endpoint: RuleEndpoint): void {
    const { address, port, text } = endpoint;
    const { chain, affinity } = nftablesEndpointNames(rules, endpoint);
    const own = `${this.#ip} saddr ${this.#text(address)}`;
    this.#built.jump(chain, own, "jump", MARK_MASQ, ({ source }) => source === address);
    if (rules.affinityNs !== null) {
      this.#built.affinity(affinity, rules.affinityNs);
      this.#built.rule(chain, `update @${affinity} { ${this.#ip} saddr }`, { kind: "continue" });
    }
    const protocol = protocolName(rules.protocol);
    const dnat = `meta l4proto ${protocol} dnat to ${text}`;
    this.#built.rule(chain, dnat, { kind: "dnat", address, port });
  }
}

/** An anonymous set, or its only element. */
function anyOf(texts: readonly string[]): string {
  return texts.length === 1 ? texts[0]! : `{ ${texts.join(", ")} }`;
}

export const nftables: RuleRenderer = {
  tool: { 4: "nft list ruleset ip", 6: "nft list ruleset ip6" },
  render: (programmed) => new Writer(programmed).write(),
};
