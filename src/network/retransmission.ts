/**
 * When TCP sends a packet again, and how often: Linux' time-outs.
 *
 * Owns: what is kept of a packet for that, and the two formulas. Refuses to own: timers and sending (transport.ts).
 */
import { Flag } from "./packet.ts";
import type { LinuxProfile } from "./profile.ts";
import type { Socket } from "./socket.ts";

/** A packet that was lost or may yet turn out to be: what is needed to send it again. */
export interface Retransmission {
  readonly socket: Socket;
  readonly generation: number;
  readonly flags: number;
  readonly payloadBytes: number;
  readonly messageBytes: number;
  readonly message: number;
  readonly messageInfo: number;
  readonly attempt: number;
}

/** Time after try number `attempt` (0 the first) at which the next is made. */
export function rtoNs(flags: number, attempt: number, tcp: LinuxProfile["tcp"]): number {
  if ((flags & Flag.syn) === 0) return Math.min(tcp.maxRtoNs, tcp.minRtoNs * 2 ** attempt);
  const linear = (flags & Flag.ack) === 0 ? tcp.synLinearTimeouts : 0;
  const doublings = Math.max(0, attempt - linear);
  return Math.min(tcp.maxRtoNs, tcp.initialRtoNs * 2 ** doublings);
}

/** Linux 6.5 on: tcp_syn_retries counts from where the doubling begins (timings §10, measured). */
export function retriesFor(flags: number, tcp: LinuxProfile["tcp"]): number {
  if ((flags & Flag.syn) === 0) return tcp.dataRetries;
  return (flags & Flag.ack) === 0 ? tcp.synLinearTimeouts + tcp.synRetries : tcp.synackRetries;
}
