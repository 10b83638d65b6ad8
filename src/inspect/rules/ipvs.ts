/**
 * IPVS mode as `ipvsadm -Sn` shows it, and behind that as `ipset save` and `iptables-save` do.
 *
 * Owns: virtual servers and their real servers, those that drain among them, in ipvsadm's order, and where the
 * kernel looks at them. Refuses to own: the sets and the rules beside them (ipvsTables.ts). Source:
 * print_service_entry and libipvs' sorting of ipvsadm 1.31; syncProxyRules of pkg/proxy/ipvs/proxier.go; kernel
 * net/netfilter/ipvs/ip_vs_core.c, ip_vs_ops4; rules of kube-proxy, section 10.
 */
import type { RealServer } from "../../kubernetes/proxy/ipvs/schedulers.ts";
import { Ipvs } from "../../kubernetes/proxy/modes/ipvs.ts";
import { virtualServerEndpoints } from "../../kubernetes/proxy/route.ts";
import {
  DestinationKind,
  type DestinationKindCode,
  type RuleEndpoint,
  type ServicePortRules,
} from "../../kubernetes/proxy/rules.ts";
import type { AddressId, AddressTable } from "../../network/address.ts";
import { TransportProtocol, type TransportProtocolNumber } from "../../network/nat.ts";
import type { Chain, Programmed, RuleRenderer, Ruleset, Table } from "./contract.ts";
import { IpvsTables } from "./ipvsTables.ts";
import { addressOrder } from "./names.ts";
import { nodePortAddresses, renderedPorts } from "./services.ts";

/** How ipvsadm writes a protocol; SCTP has no letter. */
const OPTIONS: Readonly<Record<TransportProtocolNumber, string>> = {
  [TransportProtocol.TCP]: "-t",
  [TransportProtocol.UDP]: "-u",
  [TransportProtocol.SCTP]: "--sctp-service",
};

type Listed = Pick<RealServer, "endpoint" | "weight">;

/** A virtual server: where it listens, and what stands behind it. */
interface Virtual {
  readonly address: AddressId;
  readonly port: number;
  readonly rules: ServicePortRules;
  readonly servers: readonly Listed[];
}

function virtualServers(programmed: Programmed): Virtual[] {
  const { kernel, ownAddresses, view } = programmed;
  const state = kernel?.watcher instanceof Ipvs ? kernel.watcher : null;
  const nodePorts = nodePortAddresses(programmed) ?? ownAddresses;
  const found = renderedPorts(programmed).flatMap(({ rules }) => {
    const { clusterIP, externalIPs, loadBalancerVIPs, nodePort, port, protocol } = rules;
    const listen = (addresses: readonly AddressId[], on: number, kind: DestinationKindCode) =>
      addresses.map((address): Virtual => {
        // One that no packet has come to is as its rules make it.
        const scheduled = state?.serversAt(address, protocol, on) ?? null;
        const endpoints = virtualServerEndpoints(rules, kind);
        const fresh = endpoints.map((endpoint) => ({ endpoint, weight: 1 }));
        return { address, port: on, rules, servers: scheduled ?? fresh };
      });
    return [
      ...listen([clusterIP], port, DestinationKind.clusterIP),
      ...listen([...externalIPs, ...loadBalancerVIPs], port, DestinationKind.loadBalancer),
      ...(nodePort === null ? [] : listen(nodePorts, nodePort, DestinationKind.nodePort)),
    ];
  });
  const compare = addressOrder(view.addresses);
  return found.sort(
    (a, b) =>
      a.rules.protocol - b.rules.protocol || compare(a.address, b.address) || a.port - b.port,
  );
}

function withPort(addresses: AddressTable, address: AddressId, port: number): string {
  const text = addresses.text(address);
  return addresses.family(address) === 6 ? `[${text}]:${port}` : `${text}:${port}`;
}

function render(programmed: Programmed): Ruleset {
  const { view, profile } = programmed;
  const { addresses } = view;
  const compare = addressOrder(addresses);
  const byAddress = ({ endpoint: a }: Listed, { endpoint: b }: Listed): number =>
    compare(a.address, b.address) || a.port - b.port;
  const services: Chain = { name: "virtual servers", hook: null, rules: [] };
  const chains = new Map([[services.name, services]]);
  const lines: string[] = [];
  for (const { address, port, rules, servers } of virtualServers(programmed)) {
    const { protocol, affinityNs } = rules;
    const name = `${OPTIONS[protocol]} ${withPort(addresses, address, port)}`;
    const { scheduler } = profile.ipvs;
    const persistent = affinityNs === null ? "" : ` -p ${affinityNs / 1e9}`;
    const flags = scheduler === "mh" ? " -b mh-port" : "";
    const head = `-A ${name} -s ${scheduler}${persistent}${flags}`;
    const real: Chain = { name, hook: null, rules: [] };
    chains.set(name, real);
    services.rules.push({
      text: head,
      apply: (packet) =>
        packet.destination === address &&
        packet.destinationPort === port &&
        packet.protocol === protocol
          ? { kind: "goto", chain: name }
          : null,
    });
    lines.push(head);
    for (const { endpoint, weight } of [...servers].sort(byAddress)) {
      const text = `-a ${name} -r ${endpoint.text} -m -w ${weight}`;
      real.rules.push({
        text,
        apply: ({ chosen }) => (chosen === endpoint.text ? dnat(endpoint) : null),
      });
      lines.push(text);
    }
  }
  const table: Table = { name: "ipvs", chains };
  const tables = new IpvsTables(programmed);
  const beside = tables.ruleset();
  const { prerouting, input, forward, output, postrouting } = beside.hooks;
  const hooked = [table, services] as const;
  const own = (name: string) => output.filter(([each]) => each.name === name);
  const hooks = {
    prerouting,
    // At LOCAL_IN behind the filter, at LOCAL_OUT between nat and filter.
    input: [...input, hooked],
    forward,
    output: [...own("nat"), hooked, ...own("filter")],
    postrouting,
  };
  return {
    tables: [table, ...beside.tables],
    hooks,
    isLocal: (address) => tables.isBound(address),
    lines: [
      ...lines,
      "# ipset save",
      ...tables.setLines(),
      `# ip${programmed.family === 6 ? "6" : ""}tables-save`,
      ...beside.lines,
    ],
  };
}

function dnat({ address, port }: RuleEndpoint) {
  return { kind: "dnat", address, port } as const;
}

export const ipvs: RuleRenderer = {
  tool: {
    4: "ipvsadm -Sn, ipset save, iptables-save",
    6: "ipvsadm -Sn, ipset save, ip6tables-save",
  },
  render,
};
