/**
 * What a host's netfilter asks of whoever programs its nat rules, for a connection's first packet.
 *
 * Owns: the contract, and blank forms of its two records for those who ask. conntrack.ts calls it once per
 * connection and repeats the decision for the rest; kubernetes/proxy implements it.
 */
import { NO_ADDRESS, type AddressId } from "./address.ts";
import type { CtStateCode } from "./conntrackStates.ts";
import type { EntryId } from "./conntrackTable.ts";
import type { DurationNs } from "../engine/index.ts";

export const TransportProtocol = { TCP: 6, UDP: 17, SCTP: 132 } as const;
export type TransportProtocolNumber = (typeof TransportProtocol)[keyof typeof TransportProtocol];

/**
 * Where the packet is judged: in netfilter, come from a link or from a socket of the host itself; or
 * before there is a packet, at the connect() of a socket on this host.
 */
export type NatHookPoint = "PREROUTING" | "OUTPUT" | "CONNECT";

/** The first packet of a connection, as nat sees it. */
export interface FirstPacket {
  readonly protocol: TransportProtocolNumber;
  readonly source: AddressId;
  readonly sourcePort: number;
  readonly destination: AddressId;
  readonly destinationPort: number;
  /** Whether `destination` is an address of this host itself (fib type LOCAL). */
  readonly destinationIsLocal: boolean;
  /** TCP: in the middle of a connection that is not tracked, or no longer. */
  readonly isMidstream?: boolean;
  /** The socket that sent it, and which use of its slot, for observations only. */
  readonly originSocket: number;
  readonly originGeneration: number;
}

/** `local`: to a socket of the host itself, whatever its address, and untracked. */
export const NatVerdict = { accept: 0, drop: 1, reject: 2, local: 3 } as const;
export type NatVerdictCode = (typeof NatVerdict)[keyof typeof NatVerdict];

/** Filled in by the rules; reused between calls, so copy what you keep. */
export interface NatDecision {
  verdict: NatVerdictCode;
  /** NO_ADDRESS: the destination stays. */
  dnatAddress: AddressId;
  dnatPort: number;
  /** Source NAT on the way out, to the address of the device that the packet leaves by. */
  masquerade: boolean;
  /**
   * MASQUERADE --random-fully: a random port always, not only when the sender's own is taken. True when
   * the rules are asked.
   */
  randomFully?: boolean;
  /** Time the first packet spends walking rules. */
  walkNs: DurationNs;
  /** Rule or chain that gave a drop or reject, for the drop's cause. */
  rule: string;
}

/** Nothing is translated. Whoever asks again and again keeps one and empties it. */
export function emptyDecision(): NatDecision {
  return {
    verdict: NatVerdict.accept,
    dnatAddress: NO_ADDRESS,
    dnatPort: 0,
    masquerade: false,
    randomFully: true,
    walkNs: 0,
    rule: "",
  };
}

/** A first packet to be filled in, of nothing yet. */
export function blankFirstPacket(): { -readonly [K in keyof FirstPacket]: FirstPacket[K] } {
  return {
    protocol: 6,
    source: NO_ADDRESS,
    sourcePort: 0,
    destination: NO_ADDRESS,
    destinationPort: 0,
    destinationIsLocal: false,
    isMidstream: false,
    originSocket: -1,
    originGeneration: 0,
  };
}

export interface NatRules {
  /** Whether the filter drops forwarded packets that belong to no connection (KUBE-FORWARD: INVALID). */
  readonly dropsInvalid?: boolean;
  decide(point: NatHookPoint, packet: FirstPacket, decision: NatDecision): void;
}

/** Rules behind others in the same chains: what the first let pass comes to them. */
export class NatChain implements NatRules {
  readonly #first: NatRules;
  readonly #then: NatRules;

  constructor(first: NatRules, then: NatRules) {
    this.#first = first;
    this.#then = then;
  }

  get dropsInvalid(): boolean {
    return this.#first.dropsInvalid === true;
  }

  decide(point: NatHookPoint, packet: FirstPacket, decision: NatDecision): void {
    this.#first.decide(point, packet, decision);
    const isDecided = decision.verdict !== NatVerdict.accept || decision.dnatAddress !== NO_ADDRESS;
    if (!isDecided) this.#then.decide(point, packet, decision);
  }
}

/** Keeps books of the connections that rules have translated. */
export interface ConnectionWatcher {
  /** How long an established TCP connection may be silent, for its own table. */
  readonly establishedNs: DurationNs;
  /** The same for an entry in any state; the sooner of both takes the entry. */
  lifeNs(entry: EntryId, state: CtStateCode): DurationNs;
  /** Whether it has a table of its own, that holds this connection from its first packet on. */
  keeps(entry: EntryId): boolean;
  /** decide() has just judged the first packet of this entry. */
  began(entry: EntryId): void;
  /** TCP: a connection is active from its SYN until one side closes it. */
  activity(entry: EntryId, isActive: boolean): void;
  /** A SYN reuses the tuple of this closed entry, which ends now; decide() is asked next. */
  reopened(entry: EntryId): void;
  /** The entry is taken out. */
  ended(entry: EntryId): void;
}
