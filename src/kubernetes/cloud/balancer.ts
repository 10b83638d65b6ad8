/**
 * One load balancer outside the cluster, at one address: what becomes of a packet that comes to it.
 *
 * Owns: the Services behind the address, by port; for ipMode VIP the choice of a node for each flow, and for
 * ipMode Proxy who may come at all. Refuses to own: targets and their health (targets.ts), connections of
 * its own (relay.ts). It sees one direction only with ipMode VIP: nodes answer clients directly.
 */
import type { Simulation } from "../../engine/index.ts";
import type { AddressId, AddressTable, Prefix } from "../../network/address.ts";
import { STEER_DROP, STEER_OWN, type Steering } from "../../network/host.ts";
import { Flag, type Packet } from "../../network/packet.ts";
import { FlowTable } from "./flows.ts";
import type { LoadBalancerProfile } from "./profile.ts";
import { hashText, mix, type Targets } from "./targets.ts";

/** One port of a Service, as the balancer serves it. */
export interface Front {
  readonly ipMode: "VIP" | "Proxy";
  readonly targets: Targets;
  /** Who may come; empty: anyone. With ipMode VIP the nodes judge it. */
  readonly sourceRanges: readonly Prefix[];
}

export class LoadBalancer implements Steering {
  cause = "";
  readonly #sim: Simulation;
  readonly #addresses: AddressTable;
  readonly #profile: LoadBalancerProfile;
  /** Ports from here on are those of the balancer's own connections. */
  readonly #ownPortsFrom: number;
  readonly #fronts = new Map<number, Front>();
  readonly #flows: FlowTable;
  /** By address id: ids differ from run to run when something is added, texts do not. */
  readonly #hashes: number[] = [];

  constructor(
    sim: Simulation,
    addresses: AddressTable,
    profile: LoadBalancerProfile,
    ownPortsFrom: number,
  ) {
    this.#sim = sim;
    this.#addresses = addresses;
    this.#profile = profile;
    this.#ownPortsFrom = ownPortsFrom;
    this.#flows = new FlowTable(profile.flowIdleNs);
  }

  serve(protocol: number, port: number, front: Front): void {
    this.#fronts.set(frontKey(protocol, port), front);
  }

  steer(packet: Packet): number {
    const { protocol, destinationPort } = packet;
    const front = this.#fronts.get(frontKey(protocol, destinationPort));
    if (front === undefined) {
      return destinationPort >= this.#ownPortsFrom ? STEER_OWN : this.#drop("no_such_port");
    }
    if (front.ipMode === "Proxy") {
      return this.#isAllowed(front, packet.source) ? STEER_OWN : this.#drop("source_range");
    }
    // A node without rules for the address sends the packet back here: every host on the way counts.
    if (packet.tables >= this.#profile.ttl) return this.#drop("ttl_exceeded");
    const { nowNs } = this.#sim;
    const isNew = (packet.flags & Flag.syn) !== 0;
    const known = isNew ? null : this.#flows.find(packet, nowNs);
    if (known !== null) return known.host;
    const target = front.targets.pick(this.flowHash(packet));
    if (target === null) return this.#drop("no_target");
    this.#flows.remember(packet, target, nowNs);
    return target.host;
  }

  /** Hash of the five numbers that make a flow. */
  flowHash(
    packet: Pick<Packet, "protocol" | "source" | "sourcePort" | "destination" | "destinationPort">,
  ): number {
    const { protocol, source, sourcePort, destination, destinationPort } = packet;
    const ports = mix((sourcePort << 16) | destinationPort);
    return mix(this.#hashOf(source) ^ mix(this.#hashOf(destination) ^ ports ^ protocol));
  }

  #hashOf(address: AddressId): number {
    return (this.#hashes[address] ??= hashText(this.#addresses.text(address)));
  }

  #isAllowed({ sourceRanges }: Front, source: AddressId): boolean {
    if (sourceRanges.length === 0) return true;
    return sourceRanges.some((range) => this.#addresses.contains(range, source));
  }

  #drop(cause: string): number {
    this.cause = cause;
    return STEER_DROP;
  }
}

function frontKey(protocol: number, port: number): number {
  return protocol * 65_536 + port;
}
