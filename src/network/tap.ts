/**
 * What somebody who watches packets is told of them, step by step.
 *
 * Owns: the contract only. stack.ts tells whoever is tapped in, and asks one comparison where nobody is.
 * A tap looks and changes nothing: what it is handed is the packet itself, at that step.
 *
 * Times are as the stack has them: a packet is at a step at `atNs` plus what it carries (stack.ts).
 */
import type { SimTimeNs } from "../engine/index.ts";
import type { TrackVerdict } from "./conntrack.ts";
import type { Hop } from "./hop.ts";
import type { Egress, Host, Namespace } from "./host.ts";
import type { NatHookPoint } from "./nat.ts";
import type { Packet } from "./packet.ts";

export interface PacketTap {
  /**
   * Offered to a hop.
   * @param waitNs until those in front of it have been sent
   * @param leftNs when its last bit has been sent; DROPPED for no room
   */
  crossed(packet: Packet, hop: Hop, atNs: SimTimeNs, waitNs: number, leftNs: number): void;
  /** About to pass a host's netfilter. */
  entering(packet: Packet, host: Host, point: NatHookPoint): void;
  /** It has: translated, if it is. The host's conntrack still knows what it decided. */
  tracked(packet: Packet, host: Host, verdict: TrackVerdict): void;
  /** The host has looked up where it goes next. */
  routed(packet: Packet, host: Host, egress: Egress): void;
  /** Lost outside a hop. */
  dropped(packet: Packet, place: string, cause: string): void;
  /** At a socket, or where one should be. */
  delivered(packet: Packet, namespace: Namespace): void;
}
