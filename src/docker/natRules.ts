/**
 * The daemon's nat rules on one host: chain DOCKER, and MASQUERADE for what leaves the bridge.
 *
 * Owns: what becomes of a connection's first packet. Source: moby integration/network/bridge/iptablesdoc;
 * timings §8. With docker-proxy:
 *
 *   PREROUTING               -m addrtype --dst-type LOCAL -j DOCKER
 *   OUTPUT ! -d 127.0.0.0/8  -m addrtype --dst-type LOCAL -j DOCKER
 *   POSTROUTING              -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
 *   DOCKER                   -i docker0 -j RETURN
 *   DOCKER ! -i docker0      -p tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
 *
 * A UDP port has the same rule with -p udp. So a container that dials its own host's port, and whoever dials 127.0.0.1, comes to docker-proxy. With
 * --userland-proxy=false both are translated too (hairpin), and a source that could not be answered is masqueraded.
 *
 * Not modelled: the filter table (whatever reaches the bridge was translated or comes from the host itself).
 */
import { NO_ADDRESS, type AddressId } from "../network/address.ts";
import type { Host } from "../network/host.ts";
import type {
  FirstPacket,
  NatDecision,
  NatHookPoint,
  NatRules,
  TransportProtocolNumber,
} from "../network/nat.ts";
import type { Network } from "../network/network.ts";

export interface DnatRule {
  readonly protocol: TransportProtocolNumber;
  /** NO_ADDRESS: any address of the host. */
  readonly hostAddress: AddressId;
  readonly hostPort: number;
  readonly containerAddress: AddressId;
  readonly containerPort: number;
}

export class DockerNatRules implements NatRules {
  readonly #network: Network;
  readonly #host: Host;
  readonly #userlandProxy: boolean;
  readonly #nsPerRule: number;
  readonly #chain: DnatRule[] = [];

  constructor(options: {
    readonly network: Network;
    readonly host: Host;
    readonly userlandProxy: boolean;
    readonly nsPerRule: number;
  }) {
    this.#network = options.network;
    this.#host = options.host;
    this.#userlandProxy = options.userlandProxy;
    this.#nsPerRule = options.nsPerRule;
  }

  /** DOCKER, in its order. */
  get chain(): readonly DnatRule[] {
    return this.#chain;
  }

  append(rule: DnatRule): void {
    this.#chain.push(rule);
  }

  delete(rule: DnatRule): void {
    this.#chain.splice(this.#chain.indexOf(rule), 1);
  }

  decide(point: NatHookPoint, packet: FirstPacket, decision: NatDecision): void {
    const fromBridge = point === "PREROUTING" && this.#host.isBehindBridge(packet.source);
    const entersChain =
      packet.destinationIsLocal &&
      !(
        this.#userlandProxy &&
        (fromBridge ||
          (point === "OUTPUT" && packet.destination === this.#network.addresses.loopback))
      );
    if (entersChain) this.#translate(packet, decision);
    // No rule of the daemon's says --random-fully: a port is kept if it can be.
    decision.randomFully = false;
    decision.masquerade = this.#isMasqueraded(packet, decision.dnatAddress, fromBridge);
  }

  #translate(packet: FirstPacket, decision: NatDecision): void {
    for (const [index, rule] of this.#chain.entries()) {
      if (rule.protocol !== packet.protocol || rule.hostPort !== packet.destinationPort) continue;
      if (rule.hostAddress !== NO_ADDRESS && rule.hostAddress !== packet.destination) continue;
      decision.dnatAddress = rule.containerAddress;
      decision.dnatPort = rule.containerPort;
      decision.walkNs = Math.round((index + 1) * this.#nsPerRule);
      return;
    }
    decision.walkNs = Math.round(this.#chain.length * this.#nsPerRule);
  }

  #isMasqueraded(packet: FirstPacket, translated: AddressId, fromBridge: boolean): boolean {
    if (translated === NO_ADDRESS) {
      // What stays on the bridge is not masqueraded; what is for the host itself is not routed at all.
      const leaves = !packet.destinationIsLocal && !this.#host.isBehindBridge(packet.destination);
      return fromBridge && leaves;
    }
    // A container that is sent to itself, and a loopback source, would be answered past the translation.
    return packet.source === translated || packet.source === this.#network.addresses.loopback;
  }
}
