/**
 * Ethernet frames with IPv4 or IPv6, and TCP, UDP or ICMP in them: headers only, the payload is zeros and cut off.
 *
 * Owns: layouts, lengths and checksums (RFC 791, 8200, 9293, 768, 792, 4443, 7323). Zeros add nothing to a checksum, so
 * those of whole packets are right.
 */
import { Flag } from "../../network/packet.ts";

export interface Address {
  readonly family: 4 | 6;
  /** 4 or 16. */
  readonly bytes: Uint8Array;
}

export interface Frame {
  readonly sourceMac: Uint8Array;
  readonly destinationMac: Uint8Array;
  readonly source: Address;
  readonly destination: Address;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly protocol: number;
  readonly ttl: number;
  readonly identification: number;
  /** Of the model (packet.ts). */
  readonly flags: number;
  readonly seq: number;
  readonly ack: number;
  readonly timestamp: number;
  readonly echo: number;
  /** Bytes of the payload in this frame; of a fragment, all after the IP header but for UDP's own. */
  readonly payloadBytes: number;
  readonly mssBytes: number;
  /** Of a datagram in fragments: where this one begins, whether more follow, and all of its payload. */
  readonly fragment: {
    readonly offsetBytes: number;
    readonly more: boolean;
    readonly allBytes: number;
  } | null;
}

const ETHERNET_BYTES = 14;
const TCP = 6;
const UDP = 17;
const ICMP = 1;
const ICMP6 = 58;
const FRAGMENT = 44;

/** @returns the headers, and how long the whole frame is */
export function frameBytes(frame: Frame): {
  readonly bytes: Uint8Array;
  readonly wholeBytes: number;
} {
  const icmp =
    (frame.flags &
      (Flag.icmpPortUnreachable | Flag.icmpHostUnreachable | Flag.icmpNetUnreachable)) !==
    0;
  const { family } = frame.source;
  const protocol = icmp ? (family === 4 ? ICMP : ICMP6) : frame.protocol;
  const transport = icmp
    ? icmpBytes(frame)
    : frame.protocol === UDP
      ? udpHeader(frame)
      : tcpHeader(frame);
  const payloadBytes = icmp ? 0 : frame.payloadBytes;
  checksum(frame, transport, protocol, icmp);
  const shown =
    frame.fragment !== null && frame.fragment.offsetBytes > 0 ? new Uint8Array(0) : transport;
  const ip =
    family === 4
      ? ipv4Header(frame, protocol, shown.length + payloadBytes)
      : ipv6Header(frame, protocol, shown.length + payloadBytes);
  const bytes = new Uint8Array(ETHERNET_BYTES + ip.length + shown.length);
  bytes.set(frame.destinationMac, 0);
  bytes.set(frame.sourceMac, 6);
  bytes.set(family === 4 ? [0x08, 0x00] : [0x86, 0xdd], 12);
  bytes.set(ip, ETHERNET_BYTES);
  bytes.set(shown, ETHERNET_BYTES + ip.length);
  return { bytes, wholeBytes: bytes.length + payloadBytes };
}

function ipv4Header(frame: Frame, protocol: number, contentBytes: number): Uint8Array {
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  const { fragment } = frame;
  bytes[0] = 0x45;
  view.setUint16(2, 20 + contentBytes);
  view.setUint16(4, frame.identification & 0xffff);
  const dontFragment = 0x4000;
  const position =
    fragment === null ? dontFragment : (fragment.more ? 0x2000 : 0) | (fragment.offsetBytes / 8);
  view.setUint16(6, position);
  bytes[8] = frame.ttl;
  bytes[9] = protocol;
  bytes.set(frame.source.bytes, 12);
  bytes.set(frame.destination.bytes, 16);
  view.setUint16(10, folded(sumOf(bytes)));
  return bytes;
}

function ipv6Header(frame: Frame, protocol: number, contentBytes: number): Uint8Array {
  const { fragment } = frame;
  const bytes = new Uint8Array(fragment === null ? 40 : 48);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x60;
  view.setUint16(4, contentBytes + bytes.length - 40);
  bytes[6] = fragment === null ? protocol : FRAGMENT;
  bytes[7] = frame.ttl;
  bytes.set(frame.source.bytes, 8);
  bytes.set(frame.destination.bytes, 24);
  if (fragment === null) return bytes;
  bytes[40] = protocol;
  view.setUint16(42, fragment.offsetBytes | (fragment.more ? 1 : 0));
  view.setUint32(44, frame.identification);
  return bytes;
}

/** A SYN says what its end can do; every other segment has a time stamp. A RST has no options. */
function tcpHeader(frame: Frame): Uint8Array {
  const { flags } = frame;
  const options =
    (flags & Flag.rst) !== 0
      ? []
      : (flags & Flag.syn) !== 0
        ? synOptions(frame)
        : [1, 1, ...stamp(frame)];
  const bytes = new Uint8Array(20 + options.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, frame.sourcePort);
  view.setUint16(2, frame.destinationPort);
  view.setUint32(4, frame.seq);
  const acknowledges = (flags & Flag.ack) !== 0 || ((flags & Flag.rst) !== 0 && frame.ack > 0);
  view.setUint32(8, acknowledges ? frame.ack : 0);
  bytes[12] = (bytes.length / 4) << 4;
  bytes[13] =
    ((flags & Flag.fin) !== 0 ? 1 : 0) |
    ((flags & Flag.syn) !== 0 ? 2 : 0) |
    ((flags & Flag.rst) !== 0 ? 4 : 0) |
    ((flags & Flag.push) !== 0 ? 8 : 0) |
    (acknowledges ? 16 : 0);
  view.setUint16(14, windowOf(flags));
  bytes.set(options, 20);
  return bytes;
}

/** Receive windows are not modelled: Linux' first one, which a SYN says as it is and other segments scaled. */
const WINDOW_BYTES = 64_240;
const WINDOW_SCALE = 7;

function windowOf(flags: number): number {
  if ((flags & Flag.rst) !== 0) return 0;
  return (flags & Flag.syn) !== 0 ? WINDOW_BYTES : Math.ceil(WINDOW_BYTES / 2 ** WINDOW_SCALE);
}

/** MSS, SACK permitted, time stamp, window scale: in Linux' order. */
function synOptions(frame: Frame): number[] {
  const { mssBytes } = frame;
  return [2, 4, mssBytes >> 8, mssBytes & 255, 4, 2, ...stamp(frame), 1, 3, 3, WINDOW_SCALE];
}

function stamp({ timestamp, echo }: Frame): number[] {
  return [8, 10, ...word(timestamp), ...word(echo)];
}

function word(value: number): number[] {
  return [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

function udpHeader(frame: Frame): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, frame.sourcePort);
  view.setUint16(2, frame.destinationPort);
  view.setUint16(4, 8 + (frame.fragment?.allBytes ?? frame.payloadBytes));
  return bytes;
}

/** Destination unreachable: it quotes the IP header of what it is about, and 8 bytes. */
function icmpBytes(frame: Frame): Uint8Array {
  const { flags, source } = frame;
  const [type, code] = unreachable(flags, source.family);
  const about = { ...frame, source: frame.destination, destination: frame.source, ttl: 64 };
  const quoted =
    source.family === 4
      ? ipv4Header(about, frame.protocol, 20)
      : ipv6Header(about, frame.protocol, 20);
  const bytes = new Uint8Array(8 + quoted.length + 8);
  const view = new DataView(bytes.buffer);
  bytes.set([type, code], 0);
  bytes.set(quoted, 8);
  view.setUint16(8 + quoted.length, frame.destinationPort);
  view.setUint16(10 + quoted.length, frame.sourcePort);
  return bytes;
}

function unreachable(flags: number, family: 4 | 6): readonly [type: number, code: number] {
  if ((flags & Flag.icmpPortUnreachable) !== 0) return family === 4 ? [3, 3] : [1, 4];
  if ((flags & Flag.icmpHostUnreachable) !== 0) return family === 4 ? [3, 1] : [1, 3];
  return family === 4 ? [3, 0] : [1, 0];
}

/** Writes it in. Of a fragmented datagram it is that of the whole. */
function checksum(frame: Frame, transport: Uint8Array, protocol: number, icmp: boolean): void {
  const view = new DataView(transport.buffer);
  const length = transport.length + (icmp ? 0 : (frame.fragment?.allBytes ?? frame.payloadBytes));
  const withPseudoHeader = !icmp || frame.source.family === 6;
  const pseudo = withPseudoHeader
    ? sumOf(frame.source.bytes) +
      sumOf(frame.destination.bytes) +
      protocol +
      (length >>> 16) +
      (length & 0xffff)
    : 0;
  const sum = folded(sumOf(transport) + pseudo);
  const at = icmp ? 2 : protocol === TCP ? 16 : 6;
  // UDP: 0 would say that there is none.
  view.setUint16(at, protocol === UDP && sum === 0 ? 0xffff : sum);
}

function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) + (bytes[i + 1] ?? 0);
  return sum;
}

function folded(sum: number): number {
  let rest = sum;
  while (rest > 0xffff) rest = (rest & 0xffff) + (rest >>> 16);
  return ~rest & 0xffff;
}
