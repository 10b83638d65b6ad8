/**
 * The states of a tracked connection, for each protocol, and how long each lives without a packet.
 *
 * Owns: the transitions of nf_conntrack_proto_tcp.c, _udp.c and _sctp.c, as far as trains carry what
 * they ask for. Refuses to own: entries (conntrackTable.ts) and what becomes of them (conntrack.ts).
 *
 * Not modelled: the last ACK of a connection is no packet here, so that the second FIN leads straight
 * to TIME_WAIT past LAST_ACK; windows (tcp_be_liberal); max_retrans and unacknowledged, 300 s each.
 */
import type { DirectionCode } from "./conntrackTable.ts";
import { Direction, EntryFlag } from "./conntrackTable.ts";
import { TransportProtocol } from "./nat.ts";
import { Flag } from "./packet.ts";
import type { LinuxProfile } from "./profile.ts";

const BOTH_FINS = EntryFlag.finOriginal | EntryFlag.finReply;

/** TCP's by nf_conntrack's names, then UDP's and SCTP's. */
export const CtState = {
  synSent: 0,
  synRecv: 1,
  established: 2,
  finWait: 3,
  closeWait: 4,
  lastAck: 5,
  timeWait: 6,
  close: 7,
  udpUnreplied: 8,
  udpStream: 9,
  sctpCookieWait: 10,
  sctpCookieEchoed: 11,
  sctpEstablished: 12,
  sctpShutdownSent: 13,
  sctpShutdownAckSent: 14,
  sctpClosed: 15,
} as const;
export type CtStateCode = (typeof CtState)[keyof typeof CtState];

/** Time-out of each state, by its code. */
export function timeoutsOf(profile: LinuxProfile["conntrack"]): readonly number[] {
  const { sctp } = profile;
  const byState: Readonly<Record<keyof typeof CtState, number>> = {
    synSent: profile.synSentNs,
    synRecv: profile.synRecvNs,
    established: profile.establishedNs,
    finWait: profile.finWaitNs,
    closeWait: profile.closeWaitNs,
    lastAck: profile.lastAckNs,
    timeWait: profile.timeWaitNs,
    close: profile.closeNs,
    udpUnreplied: profile.unrepliedUdpNs,
    udpStream: profile.streamUdpNs,
    sctpCookieWait: sctp.cookieWaitNs,
    sctpCookieEchoed: sctp.cookieEchoedNs,
    sctpEstablished: sctp.establishedNs,
    sctpShutdownSent: sctp.shutdownSentNs,
    sctpShutdownAckSent: sctp.shutdownAckSentNs,
    sctpClosed: sctp.closedNs,
  };
  return Object.keys(CtState).map((name) => byState[name as keyof typeof CtState]);
}

/** State of an entry that its first packet makes. */
export function firstState(protocol: number, flags: number): CtStateCode {
  if (protocol === TransportProtocol.UDP) return CtState.udpUnreplied;
  const opens = (flags & Flag.syn) !== 0;
  if (protocol === TransportProtocol.SCTP) {
    return opens ? CtState.sctpCookieWait : CtState.sctpEstablished;
  }
  return opens ? CtState.synSent : CtState.established;
}

/**
 * Whether a packet that belongs to nothing known cannot begin anything: INVALID. Data may (tcp_loose), a
 * bare RST, FIN or SYN-ACK may not.
 */
export function isInvalidFirst(protocol: number, flags: number, payloadBytes: number): boolean {
  if (protocol === TransportProtocol.UDP) return false;
  if ((flags & Flag.rst) !== 0) return true;
  if ((flags & Flag.syn) !== 0) return (flags & Flag.ack) !== 0;
  return (flags & Flag.fin) !== 0 && payloadBytes === 0;
}

/** `entryFlags`: with the FIN of this packet, if it is one. */
export function nextTcpState(state: CtStateCode, flags: number, entryFlags: number): CtStateCode {
  if ((flags & Flag.rst) !== 0) return CtState.close;
  if ((flags & Flag.syn) !== 0) {
    const answers = (flags & Flag.ack) !== 0 && state === CtState.synSent;
    return answers ? CtState.synRecv : state;
  }
  if ((flags & Flag.fin) !== 0) {
    if (state === CtState.timeWait || state === CtState.close) return state;
    if ((entryFlags & BOTH_FINS) === BOTH_FINS) return CtState.timeWait;
    // "Might be a retransmitted FIN as well": nobody has acknowledged the first.
    return state >= CtState.finWait ? CtState.lastAck : CtState.finWait;
  }
  switch (state) {
    case CtState.synRecv:
      return CtState.established;
    case CtState.finWait:
      return CtState.closeWait;
    case CtState.lastAck:
      return CtState.timeWait;
    default:
      return state;
  }
}

export function nextSctpState(
  state: CtStateCode,
  flags: number,
  direction: DirectionCode,
  entryFlags: number,
): CtStateCode {
  if ((flags & Flag.rst) !== 0) return CtState.sctpClosed;
  if ((flags & Flag.syn) !== 0) {
    const answers = direction === Direction.reply && state === CtState.sctpCookieWait;
    return answers ? CtState.sctpCookieEchoed : state;
  }
  if ((flags & Flag.fin) !== 0) {
    const ended = (entryFlags & BOTH_FINS) === BOTH_FINS;
    return ended ? CtState.sctpShutdownAckSent : CtState.sctpShutdownSent;
  }
  return state === CtState.sctpCookieEchoed ? CtState.sctpEstablished : state;
}

/** tcp_can_early_drop(): states that make room for others when the table is nearly full. */
export function canEarlyDrop(state: number): boolean {
  return state >= CtState.finWait && state <= CtState.close;
}

/** What IPVS counts as an active connection; UDP never is (tcp_ and sctp_state_active_table). */
export function isActiveState(state: number): boolean {
  return (
    state <= CtState.established ||
    (state >= CtState.sctpCookieWait && state <= CtState.sctpEstablished)
  );
}
