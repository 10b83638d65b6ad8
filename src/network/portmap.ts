/**
 * Host ports of a host's guests: what CNI's plugin portmap writes into the nat table.
 *
 * Owns: the chain CNI-HOSTPORT-DNAT, and what becomes of a connection's first packet there. It stands at the end of
 * PREROUTING and OUTPUT, behind what is programmed there (host.ts):
 *
 *   PREROUTING, OUTPUT   -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
 *   CNI-HOSTPORT-DNAT    -p tcp --destination-ports 8080 -j CNI-DN-x         (the newest guest's first)
 *   CNI-DN-x             -p tcp --dport 8080 -s 10.244.1.5/24 -j CNI-HOSTPORT-SETMARK
 *   CNI-DN-x             -p tcp --dport 8080 -s 127.0.0.1 -j CNI-HOSTPORT-SETMARK
 *   CNI-DN-x             -p tcp --dport 8080 -j DNAT --to-destination 10.244.1.5:80
 *   POSTROUTING          -m mark --mark 0x2000/0x2000 -j MASQUERADE
 *
 * So guests of the same host, and the host by 127.0.0.1, are masqueraded; others are not. Source: containernetworking/plugins,
 * plugins/meta/portmap/portmap_iptables.go. Not modelled: the time that these rules take.
 */
import { NO_ADDRESS, type AddressId, type AddressTable, type Prefix } from "./address.ts";
import type { Host } from "./host.ts";
import {
  TransportProtocol,
  type FirstPacket,
  type NatDecision,
  type NatHookPoint,
  type NatRules,
  type TransportProtocolNumber,
} from "./nat.ts";

/** A port of the host that leads to one of a guest. */
export interface PortMapping {
  readonly protocol: TransportProtocolNumber;
  /** The only address of the host that it is; null: any. */
  readonly hostIP: string | null;
  readonly hostPort: number;
  readonly guestPort: number;
}

interface DnatRule extends PortMapping {
  readonly guest: number;
  readonly family: 4 | 6;
  readonly hostAddress: AddressId;
  readonly address: AddressId;
}

export class PortMap implements NatRules {
  readonly #host: Host;
  readonly #addresses: AddressTable;
  readonly #guests: readonly Prefix[];
  #chain: readonly DnatRule[] = [];

  /** @param guests the ranges of the host's guests, one of each family */
  constructor(host: Host, addresses: AddressTable, guests: readonly Prefix[]) {
    this.#host = host;
    this.#addresses = addresses;
    this.#guests = guests;
  }

  /** CNI ADD. UDP flows to these ports that are tracked already are forgotten: they lead elsewhere. */
  forward(guest: number, addresses: readonly AddressId[], mappings: readonly PortMapping[]): void {
    const rules = addresses.flatMap((address) =>
      mappings.flatMap((mapping): DnatRule[] => {
        const family = this.#addresses.family(address);
        const { hostIP } = mapping;
        const hostAddress = hostIP === null ? NO_ADDRESS : this.#addresses.intern(hostIP);
        const isOfFamily = hostIP === null || this.#addresses.family(hostAddress) === family;
        return isOfFamily ? [{ ...mapping, guest, family, hostAddress, address }] : [];
      }),
    );
    this.#chain = [...rules, ...this.#chain];
    const ports = new Set(
      rules.flatMap(({ protocol, hostPort }) =>
        protocol === TransportProtocol.UDP ? [hostPort] : [],
      ),
    );
    if (ports.size === 0) return;
    this.#host.conntrack?.deleteEntries(TransportProtocol.UDP, (entry) =>
      ports.has(entry.originalDestinationPort),
    );
  }

  /** CNI DEL. */
  unforward(guest: number): void {
    this.#chain = this.#chain.filter((rule) => rule.guest !== guest);
  }

  decide(_point: NatHookPoint, packet: FirstPacket, decision: NatDecision): void {
    if (!packet.destinationIsLocal) return;
    const family = this.#addresses.family(packet.destination);
    for (const rule of this.#chain) {
      if (rule.hostPort !== packet.destinationPort || rule.protocol !== packet.protocol) continue;
      if (rule.family !== family) continue;
      if (rule.hostAddress !== NO_ADDRESS && rule.hostAddress !== packet.destination) continue;
      decision.dnatAddress = rule.address;
      decision.dnatPort = rule.guestPort;
      const { source } = packet;
      decision.masquerade =
        source === this.#addresses.loopback ||
        this.#guests.some((range) => this.#addresses.contains(range, source));
      decision.randomFully = false;
      return;
    }
  }
}
