/**
 * What a host's rules make of connect(), before there is a packet: eBPF's hooks of a cgroup.
 *
 * Owns: asking the rules, and the address that the socket then talks to. Refuses to own: the rules
 * (NatRules) and the socket. Not modelled: unconnected datagrams (sendmsg), which are left alone.
 */
import { NO_ADDRESS, type AddressId } from "./address.ts";
import type { Namespace } from "./host.ts";
import {
  blankFirstPacket,
  emptyDecision,
  NatVerdict,
  type NatRules,
  type TransportProtocolNumber,
} from "./nat.ts";
import type { Network } from "./network.ts";
import { sourceAddress, type Socket, type SocketPool } from "./socket.ts";

export class SocketNat {
  /** Where the socket is to connect to. */
  address: AddressId = NO_ADDRESS;
  port = 0;
  /** The rules know the address and nobody behind it: connect() fails. */
  isRefused = false;

  readonly #decision = emptyDecision();
  readonly #first = blankFirstPacket();

  readonly #network: Network;
  readonly #sockets: SocketPool;

  constructor(network: Network, sockets: SocketPool) {
    this.#network = network;
    this.#sockets = sockets;
  }

  /**
   * Judges a connect() from `namespace` to `address`:`port`; the outcome stands in this object's fields.
   * @returns the socket that is taken next, on which the rules may have left a note for observations
   */
  judge(
    rules: NatRules,
    namespace: Namespace,
    protocol: TransportProtocolNumber,
    address: AddressId,
    port: number,
  ): Socket {
    const decision = this.#decision;
    const first = this.#first;
    const socket = this.#sockets.next();
    first.protocol = protocol;
    first.source = sourceAddress(this.#network, namespace, address);
    first.destination = address;
    first.destinationPort = port;
    first.originSocket = socket.id;
    first.originGeneration = socket.generation;
    decision.verdict = NatVerdict.accept;
    decision.dnatAddress = NO_ADDRESS;
    rules.decide("CONNECT", first, decision);
    const isTranslated = decision.dnatAddress !== NO_ADDRESS;
    this.address = isTranslated ? decision.dnatAddress : address;
    this.port = isTranslated ? decision.dnatPort : port;
    this.isRefused = decision.verdict !== NatVerdict.accept;
    return socket;
  }
}
