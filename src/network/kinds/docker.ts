/**
 * docker0: a bridge on each host by itself, with the same private network behind every one of them.
 *
 * Owns: the bridge's own address and network, and guests that come back. Refuses to own: published ports
 * (the docker room). No host has a route to the network behind another's bridge: what it sends there goes to
 * its own. It stands in no table of pod networks, for nothing crosses hosts on it.
 *
 * A container keeps its namespace and veth pair when it is stopped and started again, so that its hops
 * are counted under one name; with its sockets and address gone, that is a new one to everybody else.
 */
import { parsePrefix } from "../address.ts";
import type { Host, Namespace } from "../host.ts";
import { LowestFreeAllocator } from "../ipam/lowestFree.ts";
import { BridgeNetwork } from "./bridge.ts";
import type { NetworkKind } from "./contract.ts";

export const dockerBridge: NetworkKind = {
  install(parts) {
    const { network, hosts } = parts;
    for (const { host, cidr } of hosts) {
      const { gateway } = new LowestFreeAllocator(cidr);
      host.addressBridge(network.addresses.internValue(4, gateway), parsePrefix(cidr));
    }
    const known = new Map<string, Namespace>();
    const namespaceFor = (name: string, host: Host): Namespace => {
      const key = `${host.name}/${name}`;
      const before = known.get(key);
      if (before !== undefined) return network.reviveGuest(before);
      const namespace = network.addGuest(name, host);
      known.set(key, namespace);
      return namespace;
    };
    return new BridgeNetwork(parts, (cidr) => new LowestFreeAllocator(cidr), namespaceFor);
  },
};
