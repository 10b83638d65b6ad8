/**
 * Law 5, uniqueness: no two hold what only one can hold, and everything comes from its range.
 *
 * Owns: looking at who holds what at the end of a run.
 */
import { NODE_PORT_MAX, NODE_PORT_MIN } from "../../../kubernetes/allocators/node-port.ts";
import { objectKey } from "../../../kubernetes/api/types.ts";
import { parsePrefix, parsePrefixes } from "../../../network/address.ts";
import type { BrokenLaw } from "../../../observe/report.ts";
import type { LawContext } from "./contract.ts";

export function* uniqueness(context: LawContext): Generator<BrokenLaw> {
  const { nowNs } = context;
  const found = (entity: string, detail: string): BrokenLaw => ({
    law: "5 uniqueness",
    entity,
    atNs: nowNs,
    detail,
  });
  const holders = new Map<string, string>();
  for (const { what, entity, isInRange } of holdings(context)) {
    const other = holders.get(what);
    if (other !== undefined) yield found(entity, `holds ${what}, which ${other} holds as well`);
    if (!isInRange) yield found(entity, `holds ${what}, which lies outside its range`);
    holders.set(what, entity);
  }
}

const LINK_LOCAL = parsePrefix("169.254.0.0/16");

interface Holding {
  readonly what: string;
  readonly entity: string;
  readonly isInRange: boolean;
}

function* holdings({ network, cluster, scenario }: LawContext): Generator<Holding> {
  const { addresses } = network;
  const podNetworks = parsePrefixes(scenario.cluster.podCIDR);
  for (const { alive, name, kind, host: index, addresses: held } of network.namespaces) {
    if (!alive) continue;
    const host = network.hosts[index]!;
    const ranges = host.bridgeNetwork === null ? podNetworks : [host.bridgeNetwork];
    for (const address of held) {
      if (address === network.addresses.loopback) continue;
      // Of each link its own (RFC 3927): a node's DNS cache has such an address.
      if (addresses.contains(LINK_LOCAL, address)) continue;
      const isInRange =
        kind === "host" || ranges.some((range) => addresses.contains(range, address));
      // Behind a bridge that only its own host reaches, each host has the same addresses.
      const where = host.isBehindBridge(address) ? ` behind ${host.name}` : "";
      const what = `address ${addresses.text(address)}${where}`;
      yield { what, entity: `namespace/${name}`, isInRange };
    }
  }
  const serviceNetworks = parsePrefixes(scenario.cluster.serviceCIDR);
  for (const service of cluster.api.list("Service")) {
    const entity = `service/${objectKey(service)}`;
    const { clusterIP, ports } = service.spec;
    // An ExternalName has none at all.
    if (clusterIP !== "None" && clusterIP !== "") {
      const isInRange = serviceNetworks.some((each) =>
        addresses.contains(each, addresses.intern(clusterIP)),
      );
      yield { what: `address ${clusterIP}`, entity, isInRange };
    }
    for (const { nodePort, protocol } of ports) {
      if (nodePort === null) continue;
      const isInRange = nodePort >= NODE_PORT_MIN && nodePort <= NODE_PORT_MAX;
      yield { what: `node port ${nodePort}/${protocol}`, entity, isInRange };
    }
  }
}
