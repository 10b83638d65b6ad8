/**
 * A packet's way: from a socket, over hops and through the hosts it meets, to a socket or a drop.
 *
 * Owns: the order of the steps and their events. Each step decides by its own tables only: the host's
 * conntrack and nat, its routes, its neighbours. Refuses to own: queues (hop.ts), rules (NatRules),
 * connections (transport.ts).
 *
 *   guest socket -> veth out -> bridge -> [host: nat, route] -> NIC -> [switch port] -> [host: nat,
 *   route] -> bridge -> veth in -> [guest socket]          [..] = an event
 *
 * Latencies of hops that cannot queue are added to the next event. A loopback packet is one event.
 */
import { Phase, type EventKind } from "../engine/index.ts";
import type { AddressId } from "./address.ts";
import { Track, type ConntrackEntry } from "./conntrack.ts";
import { DROPPED, type Hop } from "./hop.ts";
import type { Egress, Host, Namespace } from "./host.ts";
import type { NatHookPoint } from "./nat.ts";
import type { Network } from "./network.ts";
import { Flag, ICMP_FLAGS, NO_SOCKET, type Packet } from "./packet.ts";

/** What the stack tells whoever holds the sockets. */
export interface PacketReceiver {
  /** A packet has reached a namespace that holds its destination address. It is released after. */
  receive(namespace: Namespace, packet: Packet): void;
  /** A packet was lost on its way. It is released after. */
  lost(packet: Packet): void;
  /** Memory of conntrack entries of the socket that sent the packet; null for none. */
  hints(packet: Packet): Int32Array | null;
}

export class NetworkStack {
  readonly network: Network;
  #receiver: PacketReceiver | null = null;
  readonly #hostKind: EventKind;
  readonly #bridgeKind: EventKind;
  readonly #egressKind: EventKind;
  readonly #portKind: EventKind;
  readonly #socketKind: EventKind;
  readonly #neighbourKind: EventKind;

  constructor(network: Network) {
    this.network = network;
    const { sim } = network;
    const packet = (id: number): Packet => network.packets.all[id]!;
    const host = (index: number): Host => network.hosts[index]!;
    this.#hostKind = sim.defineKind("packet_at_host", Phase.deliver, (a, b) =>
      this.#atHost(packet(a), host(b)),
    );
    this.#bridgeKind = sim.defineKind("packet_at_bridge", Phase.deliver, (a, b) =>
      this.#atBridge(packet(a), host(b)),
    );
    this.#egressKind = sim.defineKind("packet_routed", Phase.deliver, (a, b) =>
      this.#forward(packet(a), host(b), host(b).route(packet(a).destination)),
    );
    this.#portKind = sim.defineKind("packet_at_switch", Phase.deliver, (a, b) =>
      this.#atSwitch(packet(a), host(b)),
    );
    this.#socketKind = sim.defineKind("packet_at_socket", Phase.deliver, (a, b) =>
      this.#atNamespace(packet(a), network.namespaces[b]!),
    );
    this.#neighbourKind = sim.defineKind("neighbour_failed", Phase.timeout, (a, b) =>
      this.#neighbourFailed(host(b), a),
    );
  }

  /** Whoever holds the sockets; set once, by the transport. */
  attach(receiver: PacketReceiver): void {
    this.#receiver = receiver;
  }

  /** Sends a packet from a socket of `namespace`. */
  output(packet: Packet, namespace: Namespace): void {
    if (namespace.addresses.has(packet.destination)) {
      this.#throughHop(packet, namespace.loopback, this.#socketKind, namespace.index, 0);
      return;
    }
    const host = this.network.hosts[namespace.host]!;
    if (namespace.link === null) {
      this.#process(packet, host, "OUTPUT");
      return;
    }
    const bridge = host.bridge!;
    if (bridge.queues) {
      this.#throughHop(packet, namespace.link.out, this.#bridgeKind, host.index, 0);
    } else {
      bridge.offer(this.network.sim.nowNs, packet.packets, packet.wireBytes);
      const { latencyNs } = bridge;
      this.#throughHop(packet, namespace.link.out, this.#hostKind, host.index, latencyNs);
    }
  }

  /** The neighbour that packets were held for has appeared. */
  resolved(host: Host, address: AddressId): void {
    const held = host.resolving.get(address);
    if (held === undefined) return;
    host.resolving.delete(address);
    this.network.sim.cancel(held.timer);
    for (const packet of held.packets) this.#forward(packet, host, host.route(address));
  }

  /** Ends a packet's life where no hop stands: a table, a filter, a namespace. */
  drop(packet: Packet, place: string, cause: string): void {
    this.network.countDrop(place, cause, packet.packets);
    this.#discard(packet);
  }

  #throughHop(packet: Packet, hop: Hop, kind: EventKind, target: number, extraNs: number): void {
    const departureNs = hop.offer(this.network.sim.nowNs, packet.packets, packet.wireBytes);
    if (departureNs === DROPPED) {
      this.#discard(packet);
      return;
    }
    this.network.sim.post(departureNs + hop.latencyNs + extraNs, kind, packet.id, target);
  }

  #discard(packet: Packet): void {
    const { packets } = this.network;
    packets.drop(packet);
    this.#receiver!.lost(packet);
    packets.release(packet);
  }

  #atBridge(packet: Packet, host: Host): void {
    this.#throughHop(packet, host.bridge!, this.#hostKind, host.index, 0);
  }

  #atSwitch(packet: Packet, host: Host): void {
    this.#throughHop(packet, host.switchPort, this.#hostKind, host.index, 0);
  }

  #atHost(packet: Packet, host: Host): void {
    this.#process(packet, host, "PREROUTING");
  }

  /** Conntrack and nat, then routing: what a root namespace does with each packet. */
  #process(packet: Packet, host: Host, point: NatHookPoint): void {
    const { conntrack } = host;
    if (conntrack === null) {
      this.#forward(packet, host, host.route(packet.destination));
      return;
    }
    const hints = this.#receiver!.hints(packet);
    const verdict = conntrack.track(packet, point, host.namespace.addresses, host.nat, hints);
    if (verdict !== Track.pass) {
      if (verdict === Track.reject) {
        this.#icmpError(packet, host, Flag.icmpPortUnreachable, point === "OUTPUT");
      }
      this.drop(packet, `${host.name}/netfilter`, conntrack.cause);
      return;
    }
    const { entry } = conntrack;
    const egress =
      entry === null
        ? host.route(packet.destination)
        : cachedEgress(entry, conntrack.direction, host, packet.destination);
    if (conntrack.isNew && egress.kind === "unreachable") conntrack.unconfirm();
    if (conntrack.walkNs > 0) {
      const { sim } = this.network;
      sim.post(sim.nowNs + conntrack.walkNs, this.#egressKind, packet.id, host.index);
    } else {
      this.#forward(packet, host, egress);
    }
  }

  #forward(packet: Packet, host: Host, egress: Egress): void {
    switch (egress.kind) {
      case "guest":
        this.#toGuest(packet, host, egress.namespace, egress.link.in);
        return;
      case "host":
        this.#throughHop(packet, host.nic, this.#portKind, egress.host, 0);
        return;
      case "local":
        this.#deliver(packet, host.namespace);
        return;
      case "unresolved":
        this.#resolve(packet, host);
        return;
      case "unreachable":
        this.#icmpError(packet, host, Flag.icmpNetUnreachable, false);
        this.drop(packet, `${host.name}/route`, "no_route");
        return;
    }
  }

  /** Over the bridge into a guest. A bridge that cannot queue only adds its latency. */
  #toGuest(packet: Packet, host: Host, guest: Namespace, veth: Hop): void {
    const bridge = host.bridge!;
    const nowNs = this.network.sim.nowNs;
    const crossedNs = bridge.offer(nowNs, packet.packets, packet.wireBytes);
    if (crossedNs === DROPPED) {
      this.#discard(packet);
      return;
    }
    // Trains leave the bridge in the order of arrival, so the veth behind it still sees time order.
    const departureNs = veth.offer(crossedNs, packet.packets, packet.wireBytes);
    if (departureNs === DROPPED) {
      this.#discard(packet);
      return;
    }
    const arrivalNs = departureNs + bridge.latencyNs + veth.latencyNs;
    this.network.sim.post(arrivalNs, this.#socketKind, packet.id, guest.index);
  }

  #atNamespace(packet: Packet, namespace: Namespace): void {
    if (!namespace.alive) {
      this.drop(packet, namespace.name, "namespace_gone");
      return;
    }
    this.#deliver(packet, namespace);
  }

  #deliver(packet: Packet, namespace: Namespace): void {
    this.network.packets.delivered++;
    this.#receiver!.receive(namespace, packet);
    this.network.packets.release(packet);
  }

  /** Holds the packet while the bridge is asked three times, a second apart, who has the address. */
  #resolve(packet: Packet, host: Host): void {
    const address = packet.destination;
    const { failureNs, queueLimitPackets } = this.network.profile.neighbour;
    let held = host.resolving.get(address);
    if (held === undefined) {
      const timer = this.network.sim.after(failureNs, this.#neighbourKind, address, host.index);
      held = { packets: [], timer };
      host.resolving.set(address, held);
    }
    if (held.packets.length >= queueLimitPackets) {
      this.drop(packet, `${host.name}/neighbour`, "neighbour_queue_full");
      return;
    }
    held.packets.push(packet);
  }

  #neighbourFailed(host: Host, address: AddressId): void {
    const held = host.resolving.get(address);
    if (held === undefined) return;
    host.resolving.delete(address);
    for (const packet of held.packets) {
      this.#icmpError(packet, host, Flag.icmpHostUnreachable, false);
      this.drop(packet, `${host.name}/neighbour`, "neighbour_unresolved");
    }
  }

  /**
   * Answers `about` with an ICMP error: a packet of the inverse flow, so that conntrack takes it back
   * through every translation, as it does for a RELATED error.
   */
  #icmpError(about: Packet, host: Host, flag: number, fromHere: boolean): void {
    if ((about.flags & (ICMP_FLAGS | Flag.rst)) !== 0) return;
    const { sim, packets } = this.network;
    if (!fromHere && !host.icmp.allow(about.source, sim.nowNs)) return;
    const error = packets.take();
    error.protocol = about.protocol;
    error.source = about.destination;
    error.sourcePort = about.destinationPort;
    error.destination = about.source;
    error.destinationPort = about.sourcePort;
    error.flags = flag;
    error.packets = 1;
    // ICMP quotes the IP header and 8 bytes: 28 B of headers and 28 B quoted (RFC 792).
    error.wireBytes = 56 + this.network.profile.frameBytesPerPacket;
    error.payloadBytes = 0;
    error.sentAtNs = sim.nowNs;
    error.attempt = 0;
    error.originSocket = NO_SOCKET;
    this.#process(error, host, "OUTPUT");
  }
}

/** The next hop that the entry remembers, found anew when the host's tables have changed. */
function cachedEgress(
  entry: ConntrackEntry,
  direction: number,
  host: Host,
  destination: AddressId,
): Egress {
  const known = entry.egress[direction];
  if (known && entry.egressGeneration[direction] === host.routeGeneration) return known;
  const egress = host.route(destination);
  entry.egress[direction] = egress;
  entry.egressGeneration[direction] = host.routeGeneration;
  return egress;
}
