/**
 * A packet's way: from a socket, over hops and through the hosts it meets, to a socket or a drop.
 *
 * Owns: the order of the steps and their events. Each step decides by its own tables only: the host's
 * conntrack and nat, its routes, its neighbours. Refuses to own: queues (hop.ts), rules (NatRules),
 * connections (transport.ts).
 *
 *   guest socket -> veth out -> bridge -> host: nat, route -> NIC -> switch port -> [host: nat,
 *   route] -> bridge -> veth in -> [guest socket]          [..] = an event
 *
 * An event is needed where a packet has to be judged by what holds when it comes, and where it waits.
 * What a sender's side does with a packet that does not wait, the kernel does in one go, in the sender's
 * own context: so it is done at once here, and the latencies on the way are carried along to the next
 * event. A packet that is held up at a hop gets an event at the end of it. A loopback packet is one event.
 */
import { Phase, type EventKind, type SimTimeNs } from "../engine/index.ts";
import type { AddressId } from "./address.ts";
import { Track, type Conntrack, type TrackVerdict } from "./conntrack.ts";
import { NO_ENTRY } from "./conntrackTable.ts";
import { EgressFaults, type Shaping } from "./egress.ts";
import { DROPPED, type Hop } from "./hop.ts";
import {
  UNREACHABLE,
  HostState,
  STEER_DROP,
  STEER_OWN,
  type Egress,
  type Host,
  type Namespace,
  type Steering,
} from "./host.ts";
import type { NatHookPoint } from "./nat.ts";
import { NETEM_FULL, NETEM_LOST } from "./netem.ts";
import type { Network } from "./network.ts";
import { Flag, ICMP_FLAGS, NO_SOCKET, type Packet } from "./packet.ts";
import type { PacketTap } from "./tap.ts";

/** What the stack tells whoever holds the sockets. */
export interface PacketReceiver {
  /** A packet has reached a namespace that holds its destination address. It is released after. */
  receive(namespace: Namespace, packet: Packet): void;
  /** A packet was lost on its way. It is released after. */
  lost(packet: Packet): void;
  /** A packet is sent twice: `copy` is a second one like it. */
  copied(packet: Packet, copy: Packet): void;
  /** Memory of conntrack entries of the socket that sent the packet; null for none. */
  hints(packet: Packet): Int32Array | null;
}

/**
 * A hop that passes a packet on within this time needs no event: 10 kB at 10 Gbit/s. Packets that leave
 * several sources within it take their turns at the next hop in the order in which they were sent, which
 * is finer than the 52 us of the 64 KiB trains that messages travel in.
 */
const AT_ONCE_NS = 8000;
/** A kind of event that has not been needed yet. */
const NO_KIND: EventKind = -1;

export class NetworkStack {
  readonly network: Network;
  /** Whoever watches packets; null: nobody. */
  tap: PacketTap | null = null;
  #receiver: PacketReceiver | null = null;
  readonly #hostKind: EventKind;
  readonly #bridgeKind: EventKind;
  readonly #outKind: EventKind;
  readonly #portKind: EventKind;
  readonly #socketKind: EventKind;
  readonly #routedKind: EventKind;
  readonly #neighbourKind: EventKind;
  /** Made with the first fault: a run without has the same events as before. */
  #netemKind: EventKind = NO_KIND;

  constructor(network: Network) {
    this.network = network;
    const { sim } = network;
    const packet = (id: number): Packet => network.packets.all[id]!;
    const host = (index: number): Host => network.hosts[index]!;
    const { deliver, timeout } = Phase;
    this.#hostKind = sim.defineKind("packet_at_host", deliver, (a, b) => {
      if (network.outages === 0 || this.#comesIn(packet(a), host(b))) {
        this.#arrive(packet(a), host(b), sim.nowNs);
      }
    });
    this.#bridgeKind = sim.defineKind("packet_at_bridge", deliver, (a, b) => {
      if (network.outages === 0 || this.#goesOn(packet(a), host(b), this.#bridgeKind, b)) {
        this.#atBridge(packet(a), host(b));
      }
    });
    this.#outKind = sim.defineKind("packet_left_veth", deliver, (a, b) => {
      if (network.outages === 0 || this.#goesOn(packet(a), host(b), this.#outKind, b)) {
        this.#fromGuest(packet(a), host(b), sim.nowNs);
      }
    });
    // On the cable already.
    this.#portKind = sim.defineKind("packet_left_nic", deliver, (a, b) =>
      this.#toHost(packet(a), host(b), sim.nowNs),
    );
    this.#socketKind = sim.defineKind("packet_at_socket", deliver, (a, b) => {
      const namespace = network.namespaces[b]!;
      const at = host(namespace.host);
      if (network.outages === 0 || this.#goesOn(packet(a), at, this.#socketKind, b)) {
        this.#atNamespace(packet(a), namespace);
      }
    });
    this.#routedKind = sim.defineKind("packet_routed", deliver, (a, b) => {
      if (network.outages === 0 || this.#goesOn(packet(a), host(b), this.#routedKind, b)) {
        this.#forward(packet(a), host(b), host(b).route(packet(a).destination), sim.nowNs);
      }
    });
    this.#neighbourKind = sim.defineKind("neighbour_failed", timeout, (a, b) => {
      const waits = network.outages > 0 && network.holds(b, this.#neighbourKind, a, b);
      if (!waits) this.#neighbourFailed(host(b), a);
    });
  }

  /** What faults put before a host's NIC; made when the first one comes. */
  faultsOf(host: Host): EgressFaults {
    const { sim, packets, hosts } = this.network;
    if (this.#netemKind === NO_KIND) {
      this.#netemKind = sim.defineKind("packet_left_netem", Phase.deliver, (a, b) => {
        const [packet, at] = [packets.all[a]!, hosts[b]!];
        if (at.state === HostState.off) at.faults!.take(a);
        const goesOn = at.state === HostState.on || this.#goesOn(packet, at, this.#netemKind, b);
        if (goesOn) this.#leftNetem(packet, at);
      });
    }
    return (host.faults ??= new EgressFaults());
  }

  /** Whoever holds the sockets; set once, by the transport. */
  attach(receiver: PacketReceiver): void {
    this.#receiver = receiver;
  }

  /** Sends a packet from a socket of `namespace`. */
  output(packet: Packet, namespace: Namespace): void {
    const host = this.network.hosts[namespace.host]!;
    const { nowNs } = this.network.sim;
    if (this.network.outages > 0 && host.state === HostState.off) {
      this.drop(packet, host.name, "host_down");
      return;
    }
    const { link } = namespace;
    // A root namespace's packet to itself goes through nat OUTPUT first: it may be for a node port.
    const isTranslated = link === null && host.conntrack !== null;
    if (!isTranslated && namespace.addresses.has(packet.destination)) {
      this.#throughLoopback(packet, namespace, this.#socketKind, namespace.index);
    } else if (link === null) this.#process(packet, host, "OUTPUT", nowNs);
    else this.#throughVeth(packet, link.out, host, nowNs);
  }

  /** The neighbour that packets were held for has appeared. */
  resolved(host: Host, address: AddressId): void {
    const held = host.resolving.get(address);
    if (held === undefined) return;
    host.resolving.delete(address);
    this.network.sim.cancel(held.timer);
    const { nowNs } = this.network.sim;
    for (const packet of held.packets) this.#forward(packet, host, host.route(address), nowNs);
  }

  /** Ends a packet's life where no hop stands: a table, a filter, a namespace. */
  drop(packet: Packet, place: string, cause: string): void {
    if (this.tap !== null) this.tap.dropped(packet, place, cause);
    this.network.countDrop(place, cause, packet.packets);
    this.#discard(packet);
  }

  #throughLoopback(packet: Packet, { loopback }: Namespace, kind: EventKind, target: number): void {
    const leftNs = this.#offer(packet, loopback, this.network.sim.nowNs);
    if (leftNs === DROPPED) {
      this.#discard(packet);
      return;
    }
    const arrivalNs = leftNs + loopback.latencyNs + packet.carriedNs;
    packet.carriedNs = 0;
    this.network.sim.post(arrivalNs, kind, packet.id, target);
  }

  #throughVeth(packet: Packet, veth: Hop, host: Host, nowNs: SimTimeNs): void {
    const leftNs = this.#offer(packet, veth, nowNs);
    if (leftNs === DROPPED) {
      this.#discard(packet);
      return;
    }
    const { sim } = this.network;
    if (host.bridge!.queues) {
      sim.post(leftNs + veth.latencyNs, this.#bridgeKind, packet.id, host.index);
      return;
    }
    packet.carriedNs += veth.latencyNs;
    if (leftNs - nowNs > AT_ONCE_NS) sim.post(leftNs, this.#outKind, packet.id, host.index);
    else this.#fromGuest(packet, host, leftNs);
  }

  /** Over a bridge that cannot queue. */
  #fromGuest(packet: Packet, host: Host, atNs: SimTimeNs): void {
    const bridge = host.bridge!;
    if (this.tap !== null) this.#offerSeen(this.tap, packet, bridge, atNs);
    else bridge.pass(packet.packets, packet.wireBytes);
    packet.carriedNs += bridge.latencyNs;
    this.#arrive(packet, host, atNs);
  }

  #throughNic(packet: Packet, host: Host, target: number, atNs: SimTimeNs): void {
    if (host.faults === null) this.#ontoNic(packet, host, target, atNs);
    else this.#throughFaults(packet, host, host.faults, target, atNs, null);
  }

  /** Through each netem that takes the traffic to `target`, after `last`, and onto a cable that may lead nowhere. */
  #throughFaults(
    packet: Packet,
    host: Host,
    faults: EgressFaults,
    target: number,
    atNs: SimTimeNs,
    last: Shaping | null,
  ): void {
    let shaping = last;
    while ((shaping = faults.next(target, shaping)) !== null) {
      if (shaping.netem.duplicates()) this.#duplicate(packet, host, shaping, target, atNs);
      if (!this.#passes(packet, host, shaping, target, atNs)) return;
    }
    if (faults.isCut(target)) {
      this.drop(packet, `switch/${this.network.hosts[target]!.name}`, "partitioned");
    } else this.#ontoNic(packet, host, target, atNs);
  }

  /** Whether a packet leaves the netem at once; otherwise it waits there, or is lost. */
  #passes(packet: Packet, host: Host, shaping: Shaping, target: number, atNs: SimTimeNs): boolean {
    const leavesNs = shaping.netem.enqueue(atNs, packet.wireBytes);
    if (leavesNs === atNs) return true;
    if (leavesNs === NETEM_LOST) this.drop(packet, `${host.name}/netem`, "netem_loss");
    else if (leavesNs === NETEM_FULL) this.drop(packet, `${host.name}/netem`, "netem_limit");
    else {
      host.faults!.hold(packet.id, { shaping, target });
      this.network.sim.post(leavesNs, this.#netemKind, packet.id, host.index);
    }
    return false;
  }

  /** The copy passes the discipline for itself, but is not copied again. */
  #duplicate(packet: Packet, host: Host, shaping: Shaping, target: number, atNs: SimTimeNs): void {
    const copy = this.network.packets.copy(packet);
    this.#receiver!.copied(packet, copy);
    if (!this.#passes(copy, host, shaping, target, atNs)) return;
    this.#throughFaults(copy, host, host.faults!, target, atNs, shaping);
  }

  /** Its time in the netem is over. */
  #leftNetem(packet: Packet, host: Host): void {
    const { shaping, target } = host.faults!.take(packet.id);
    const { nowNs } = this.network.sim;
    this.#throughFaults(packet, host, host.faults!, target, nowNs, shaping);
  }

  #ontoNic(packet: Packet, host: Host, target: number, atNs: SimTimeNs): void {
    const { sim, hosts } = this.network;
    const leftNs = this.#offer(packet, host.nic, atNs);
    if (leftNs === DROPPED) {
      this.#discard(packet);
      return;
    }
    packet.carriedNs += host.nic.latencyNs;
    if (leftNs - atNs > AT_ONCE_NS) sim.post(leftNs, this.#portKind, packet.id, target);
    else this.#toHost(packet, hosts[target]!, leftNs);
  }

  /** Through the switch's port. All NICs are equally far from it, so their latency changes no order. */
  #toHost(packet: Packet, host: Host, atNs: SimTimeNs): void {
    const { switchPort } = host;
    const leftNs = this.#offer(packet, switchPort, atNs);
    if (leftNs === DROPPED) {
      this.#discard(packet);
      return;
    }
    const arrivalNs = leftNs + switchPort.latencyNs + packet.carriedNs;
    packet.carriedNs = 0;
    this.network.sim.post(arrivalNs, this.#hostKind, packet.id, host.index);
  }

  #offer(packet: Packet, hop: Hop, atNs: SimTimeNs): number {
    if (this.tap !== null) return this.#offerSeen(this.tap, packet, hop, atNs);
    return hop.offer(atNs, packet.packets, packet.wireBytes);
  }

  #offerSeen(tap: PacketTap, packet: Packet, hop: Hop, atNs: SimTimeNs): number {
    const waitNs = hop.backlogNs(atNs);
    const leftNs = hop.offer(atNs, packet.packets, packet.wireBytes);
    tap.crossed(packet, hop, atNs, waitNs, leftNs);
    return leftNs;
  }

  #discard(packet: Packet): void {
    const { packets } = this.network;
    packets.drop(packet);
    this.#receiver!.lost(packet);
    packets.release(packet);
  }

  /** During outages: whether a packet that comes over the cable meets a host that handles it now. */
  #comesIn(packet: Packet, host: Host): boolean {
    if (host.state !== HostState.frozen)
      return this.#goesOn(packet, host, this.#hostKind, host.index);
    if (host.rxRing >= this.network.profile.rxRingPackets) {
      this.drop(packet, `${host.name}/eth0`, "rx_ring_full");
      return false;
    }
    host.rxRing += packet.packets;
    return this.#goesOn(packet, host, this.#hostKind, host.index);
  }

  /** During outages: whether a packet within `host` goes on. In a frozen one it waits, in one that is off it is lost. */
  #goesOn(packet: Packet, host: Host, kind: EventKind, target: number): boolean {
    if (host.state === HostState.on) return true;
    if (host.state === HostState.off) this.drop(packet, host.name, "host_down");
    else this.network.holds(host.index, kind, packet.id, target);
    return false;
  }

  /** A host loses power: what its memory held is gone. */
  powerOff(host: Host): void {
    const { network } = this;
    network.setState(host, HostState.off);
    host.conntrack?.flush();
    host.unplugAll();
    for (const { packets, timer } of host.resolving.values()) {
      network.sim.cancel(timer);
      for (const packet of packets) this.drop(packet, host.name, "host_down");
    }
    host.resolving.clear();
  }

  /** At a bridge that can queue. */
  #atBridge(packet: Packet, host: Host): void {
    const { sim } = this.network;
    const bridge = host.bridge!;
    const leftNs = this.#offer(packet, bridge, sim.nowNs);
    if (leftNs === DROPPED) this.#discard(packet);
    else sim.post(leftNs + bridge.latencyNs, this.#hostKind, packet.id, host.index);
  }

  /**
   * From a link into a root namespace. Most packets belong to a connection that stands: conntrack knows them
   * by their socket's hint and nothing is to be decided.
   */
  #arrive(packet: Packet, host: Host, atNs: SimTimeNs): void {
    const { conntrack } = host;
    if (conntrack !== null && this.tap === null && host.untracked === null) {
      const hints = this.#receiver!.hints(packet);
      if (hints !== null && conntrack.passes(packet, hints)) {
        const egress = this.#cachedEgress(conntrack, host, packet.destination);
        this.#forward(packet, host, egress, atNs);
        return;
      }
    }
    this.#process(packet, host, "PREROUTING", atNs);
  }

  /** Conntrack and nat, then routing: what a root namespace does with each packet. */
  #process(packet: Packet, host: Host, point: NatHookPoint, atNs: SimTimeNs): void {
    const { conntrack } = host;
    if (conntrack === null) {
      if (host.steering !== null && point === "PREROUTING") {
        this.#steer(packet, host, host.steering, atNs);
        return;
      }
      this.#forward(packet, host, host.route(packet.destination), atNs);
      return;
    }
    const { untracked } = host;
    if (untracked !== null && (untracked.has(packet.destination) || untracked.has(packet.source))) {
      this.#passUntracked(packet, host, point, atNs);
      return;
    }
    const { tap } = this;
    const hints = this.#receiver!.hints(packet);
    const { addresses } = host.namespace;
    const hereNs = atNs + packet.carriedNs;
    const dialled = packet.destination;
    if (tap !== null) tap.entering(packet, host, point);
    const verdict = conntrack.track(packet, point, addresses, host.nat, hints, hereNs);
    if (tap !== null) tap.tracked(packet, host, verdict);
    if (verdict !== Track.pass) {
      this.#refuse(packet, host, point, verdict, atNs);
      return;
    }
    const egress =
      conntrack.entry === NO_ENTRY
        ? host.route(packet.destination)
        : this.#cachedEgress(conntrack, host, packet.destination);
    packet.carriedNs +=
      host.cpuStretch === 1 ? conntrack.walkNs : Math.round(conntrack.walkNs * host.cpuStretch);
    if (point === "OUTPUT" && egress.kind === "local") this.#toSelf(packet, host);
    else if (conntrack.isNew && egress.kind === "unreachable") {
      this.#unrouted(packet, host, point === "OUTPUT" && packet.destination !== dialled, atNs);
    } else this.#forward(packet, host, egress, atNs);
  }

  /**
   * A first packet meets no route. The ICMP error belongs to its connection (nf_ct_attach()), so that it is
   * taken back through the translation; the entry goes with the packet, for it was never confirmed. Where
   * OUTPUT has translated, ip_route_me_harder() fails instead: no ICMP error, and tcp_connect() minds no
   * error of sending but ECONNREFUSED, so the SYN is sent again. IPVS has a connection of its own by then,
   * which stays, and says that the host is unreachable (__ip_vs_get_out_rt(): dst_link_failure()).
   */
  #unrouted(packet: Packet, host: Host, translatedHere: boolean, atNs: SimTimeNs): void {
    const conntrack = host.conntrack!;
    const { entry } = conntrack;
    const stays = conntrack.watcher?.keeps(entry) === true;
    if (this.tap !== null) this.tap.routed(packet, host, UNREACHABLE);
    if (stays) this.#icmpError(packet, host, Flag.icmpHostUnreachable, false, atNs);
    else {
      if (!translatedHere) this.#icmpError(packet, host, Flag.icmpNetUnreachable, false, atNs);
      conntrack.forget(entry);
    }
    this.drop(packet, `${host.name}/route`, "no_route");
  }

  #passUntracked(packet: Packet, host: Host, point: NatHookPoint, atNs: SimTimeNs): void {
    const egress = host.route(packet.destination);
    if (point === "OUTPUT" && egress.kind === "local") this.#toSelf(packet, host);
    else this.#forward(packet, host, egress, atNs);
  }

  /** What conntrack or the rules do not let pass as it is. */
  #refuse(
    packet: Packet,
    host: Host,
    point: NatHookPoint,
    verdict: TrackVerdict,
    atNs: SimTimeNs,
  ): void {
    if (verdict === Track.local) {
      this.#toLocal(packet, host.namespace, atNs);
      return;
    }
    if (verdict === Track.reject) {
      this.#icmpError(packet, host, Flag.icmpPortUnreachable, point === "OUTPUT", atNs);
    }
    if (verdict !== Track.invalid) {
      this.drop(packet, `${host.name}/netfilter`, host.conntrack!.cause);
      return;
    }
    const egress = host.route(packet.destination);
    if (egress.kind === "local" && point === "OUTPUT") {
      this.#toSelf(packet, host);
    } else if (egress.kind !== "local" && point !== "OUTPUT" && host.nat?.dropsInvalid === true) {
      this.drop(packet, `${host.name}/netfilter`, "conntrack_invalid");
    } else this.#forward(packet, host, egress, atNs);
  }

  /** From a socket of the host to one of its own addresses. On the way in it is not tracked again. */
  #toSelf(packet: Packet, { namespace }: Host): void {
    this.#throughLoopback(packet, namespace, this.#socketKind, namespace.index);
  }

  /** A host in front of others sends a packet on as it is, to the one that it chooses. */
  #steer(packet: Packet, host: Host, steering: Steering, atNs: SimTimeNs): void {
    const target = steering.steer(packet);
    if (target === STEER_OWN) this.#toLocal(packet, host.namespace, atNs);
    else if (target === STEER_DROP) this.drop(packet, `${host.name}/balancer`, steering.cause);
    else this.#throughNic(packet, host, target, atNs);
  }

  #forward(packet: Packet, host: Host, egress: Egress, atNs: SimTimeNs): void {
    if (this.tap !== null) this.tap.routed(packet, host, egress);
    switch (egress.kind) {
      case "guest":
        this.#toGuest(packet, host, egress.namespace, egress.link.in, atNs);
        return;
      case "host":
        this.#throughNic(packet, host, egress.host, atNs);
        return;
      case "local":
        this.#toLocal(packet, host.namespace, atNs);
        return;
      case "unresolved":
        this.#hold(packet, host, atNs);
        return;
      case "unreachable":
        this.#icmpError(packet, host, Flag.icmpNetUnreachable, false, atNs);
        this.drop(packet, `${host.name}/route`, "no_route");
        return;
    }
  }

  /** Over the bridge into a guest. A bridge that cannot queue only adds its latency. */
  #toGuest(packet: Packet, host: Host, guest: Namespace, veth: Hop, atNs: SimTimeNs): void {
    const bridge = host.bridge!;
    const crossedNs = this.#offer(packet, bridge, atNs);
    if (crossedNs === DROPPED) {
      this.#discard(packet);
      return;
    }
    // Trains leave the bridge in the order of arrival, so the veth behind it still sees time order.
    const leftNs = this.#offer(packet, veth, crossedNs);
    if (leftNs === DROPPED) {
      this.#discard(packet);
      return;
    }
    const arrivalNs = leftNs + bridge.latencyNs + veth.latencyNs + packet.carriedNs;
    packet.carriedNs = 0;
    this.network.sim.post(arrivalNs, this.#socketKind, packet.id, guest.index);
  }

  /** To a socket of the host itself: not within the call that sent the packet. */
  #toLocal(packet: Packet, namespace: Namespace, atNs: SimTimeNs): void {
    const { sim } = this.network;
    const arrivalNs = atNs + packet.carriedNs;
    packet.carriedNs = 0;
    const isFromElsewhere = packet.sentAtNs < sim.nowNs;
    if (isFromElsewhere && arrivalNs === sim.nowNs) this.#deliver(packet, namespace);
    else sim.post(arrivalNs, this.#socketKind, packet.id, namespace.index);
  }

  #atNamespace(packet: Packet, namespace: Namespace): void {
    if (!namespace.alive) {
      this.drop(packet, namespace.name, "namespace_gone");
      return;
    }
    this.#deliver(packet, namespace);
  }

  #deliver(packet: Packet, namespace: Namespace): void {
    if (this.tap !== null) this.tap.delivered(packet, namespace);
    this.network.packets.delivered++;
    this.#receiver!.receive(namespace, packet);
    this.network.packets.release(packet);
  }

  /** A packet that will be held comes to the end of its way so far first. */
  #hold(packet: Packet, host: Host, atNs: SimTimeNs): void {
    const { sim } = this.network;
    const arrivalNs = atNs + packet.carriedNs;
    if (arrivalNs > sim.nowNs) {
      packet.carriedNs = 0;
      sim.post(arrivalNs, this.#routedKind, packet.id, host.index);
      return;
    }
    this.#resolve(packet, host);
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
    held.packets.push(packet);
    if (held.packets.length > queueLimitPackets) {
      // The oldest makes room, as in __neigh_event_send().
      this.drop(held.packets.shift()!, `${host.name}/neighbour`, "neighbour_queue_full");
    }
  }

  #neighbourFailed(host: Host, address: AddressId): void {
    const held = host.resolving.get(address);
    if (held === undefined) return;
    host.resolving.delete(address);
    for (const packet of held.packets) {
      this.#icmpError(packet, host, Flag.icmpHostUnreachable, false, this.network.sim.nowNs);
      this.drop(packet, `${host.name}/neighbour`, "neighbour_unresolved");
    }
  }

  /**
   * Answers `about` with an ICMP error: a packet of the inverse flow, so that conntrack takes it back
   * through every translation, as it does for a RELATED error. What `about` has yet to serve of its way
   * here comes first.
   */
  #icmpError(about: Packet, host: Host, flag: number, fromHere: boolean, atNs: SimTimeNs): void {
    if ((about.flags & (ICMP_FLAGS | Flag.rst)) !== 0) return;
    const { sim } = this.network;
    // To itself a host sends over loopback, which has no limit.
    const toSelf = host.namespace.addresses.has(about.source);
    const { icmp } = host.namespace;
    if (!fromHere && !toSelf && !icmp.allow(about.source, sim.nowNs)) return;
    const error = this.#newIcmpError(about, flag);
    if (toSelf) this.#throughLoopback(error, host.namespace, this.#hostKind, host.index);
    else this.#process(error, host, "OUTPUT", atNs);
  }

  /** A datagram has found no socket in a namespace, whose kernel says so to the sender. */
  portUnreachable(about: Packet, namespace: Namespace): void {
    const { nowNs } = this.network.sim;
    const toSelf = namespace.addresses.has(about.source);
    if (!toSelf && !namespace.icmp.allow(about.source, nowNs)) return;
    this.output(this.#newIcmpError(about, Flag.icmpPortUnreachable), namespace);
  }

  #newIcmpError(about: Packet, flag: number): Packet {
    const { sim, packets, profile, addresses } = this.network;
    const error = packets.take();
    error.protocol = about.protocol;
    error.source = about.destination;
    error.sourcePort = about.destinationPort;
    error.destination = about.source;
    error.destinationPort = about.sourcePort;
    error.flags = flag;
    error.packets = 1;
    // ICMP quotes the IP header and 8 bytes: 28 B of headers and 28 B quoted (RFC 792).
    const extraBytes = addresses.family(about.source) === 6 ? 2 * profile.ipv6ExtraHeaderBytes : 0;
    error.wireBytes = 56 + extraBytes + profile.frameBytesPerPacket;
    error.payloadBytes = 0;
    error.sentAtNs = sim.nowNs;
    error.attempt = 0;
    error.originSocket = NO_SOCKET;
    error.carriedNs = about.carriedNs;
    return error;
  }

  /** The next hop that the entry remembers, found anew when the host's tables have changed. */
  #cachedEgress({ entry, direction }: Conntrack, host: Host, destination: AddressId): Egress {
    const { egress, egressGenerations } = this.network.conntracks;
    const at = 2 * entry + direction;
    if (egressGenerations[at] === host.routeGeneration) return egress[at]!;
    const found = host.route(destination);
    egress[at] = found;
    egressGenerations[at] = host.routeGeneration;
    return found;
  }
}
