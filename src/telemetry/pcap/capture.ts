/**
 * A tap that sees what captures on interfaces would have seen.
 *
 * Owns: which interface each hop leads out of or into, when a packet is there, and in what frames: a train is shown as the
 * segments that go over the wire, a datagram as its fragments. Refuses to own: their bytes (frames.ts) and numbers (sequences.ts).
 *
 * Not in a capture, for they are not in the model: pure ACKs, ARP, and headers of SCTP (network/transport.ts), whose
 * packets are left out.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import type { TrackVerdict } from "../../network/conntrack.ts";
import { DROPPED, type Hop } from "../../network/hop.ts";
import type { Egress, Host, Namespace } from "../../network/host.ts";
import { TransportProtocol, type NatHookPoint } from "../../network/nat.ts";
import type { Network } from "../../network/network.ts";
import { ICMP_FLAGS, type Packet } from "../../network/packet.ts";
import type { PacketTap } from "../../network/tap.ts";
import type { Transport } from "../../network/transport.ts";
import type { PcapFile } from "./file.ts";
import { frameBytes, type Address } from "./frames.ts";
import { Sequences, type Numbers } from "./sequences.ts";

/** A hop by which packets leave an interface (`out`) or come to it. */
export interface Side {
  readonly hop: Hop;
  readonly direction: "out" | "in";
  readonly file: PcapFile;
  /** Between the hop before and this one there is a delay that is told with neither. */
  readonly addedNs: number;
}

/** Where a packet is on its way. */
interface Journey {
  readonly numbers: Numbers;
  readonly identification: number;
  ttl: number;
  /** It has met a hop: the host that routes it now is not the one that sent it. */
  hasCrossed: boolean;
  /** Its last machine: what its frames come from. */
  from: string;
  /** Frames on a cable whose end is not known yet. */
  readonly open: Uint8Array[];
}

const FIRST_TTL = 64;
/** Largest IPv4 packet; the loopback's MTU is one more. */
const MOST_IP_BYTES = 65_535;
const BRIDGE_MAC = "bridge";

export class CaptureTap implements PacketTap {
  readonly #network: Network;
  readonly #sequences: Sequences;
  readonly #sides = new Map<Hop, Side[]>();
  readonly #journeys: (Journey | undefined)[] = [];
  readonly #addresses = new Map<number, Address>();
  readonly #macs = new Map<string, Uint8Array>();
  readonly #hostOfPort = new Map<Hop, Host>();
  #identification = 0;

  constructor(transport: Transport, sides: readonly Side[]) {
    this.#network = transport.network;
    this.#sequences = new Sequences(
      (socket) => transport.sockets.all[socket]!.namespace?.index ?? -1,
    );
    for (const side of sides) {
      const known = this.#sides.get(side.hop);
      if (known === undefined) this.#sides.set(side.hop, [side]);
      else known.push(side);
    }
    for (const host of this.#network.hosts) this.#hostOfPort.set(host.switchPort, host);
  }

  crossed(packet: Packet, hop: Hop, atNs: SimTimeNs, waitNs: number, leftNs: number): void {
    const journey = this.#of(packet);
    this.#arrivesAt(journey, hop);
    if (leftNs === DROPPED) {
      this.#ended(packet, true);
      return;
    }
    journey.hasCrossed = true;
    for (const { direction, file, addedNs } of this.#sides.get(hop) ?? []) {
      const startNs = atNs + waitNs + packet.carriedNs;
      const lateNs = direction === "out" ? 0 : hop.latencyNs + addedNs;
      this.#show(packet, journey, hop, direction, startNs + lateNs, leftNs - atNs - waitNs, file);
    }
    journey.from = hop.name;
  }

  entering(packet: Packet, _host: Host, _point: NatHookPoint): void {
    this.#of(packet);
  }

  tracked(_packet: Packet, _host: Host, _verdict: TrackVerdict): void {}

  routed(packet: Packet, _host: Host, egress: Egress): void {
    const journey = this.#of(packet);
    const goesOn = egress.kind === "guest" || egress.kind === "host";
    if (goesOn && journey.hasCrossed && journey.ttl > 1) journey.ttl--;
  }

  dropped(packet: Packet): void {
    this.#of(packet);
    this.#ended(packet, true);
  }

  delivered(packet: Packet, namespace: Namespace): void {
    this.#of(packet);
    if (isTcp(packet)) this.#sequences.delivered(packet, namespace.index);
    this.#ended(packet, false);
  }

  #of(packet: Packet): Journey {
    return (this.#journeys[packet.id] ??= {
      numbers: isTcp(packet)
        ? this.#sequences.of(packet)
        : { seq: 0, ack: 0, timestamp: 0, echo: 0 },
      identification: this.#identification++,
      ttl: FIRST_TTL,
      hasCrossed: false,
      from: "",
      open: [],
    });
  }

  #ended(packet: Packet, isLost: boolean): void {
    if (isLost && isTcp(packet)) this.#sequences.lost(packet);
    this.#journeys[packet.id] = undefined;
  }

  /** The switch, or the bridge, knows where a frame went. */
  #arrivesAt({ open }: Journey, hop: Hop): void {
    if (open.length === 0) return;
    const host = this.#hostOfPort.get(hop);
    const name = host === undefined ? guestOf(hop.name) : host.nic.name;
    for (const frame of open.splice(0)) frame.set(this.#mac(name), 0);
  }

  #show(
    packet: Packet,
    journey: Journey,
    hop: Hop,
    direction: Side["direction"],
    startNs: SimTimeNs,
    sendNs: number,
    file: PcapFile,
  ): void {
    if (packet.protocol === TransportProtocol.SCTP) return;
    const [sourceMac, destinationMac] = this.#macsOf(journey, hop, direction);
    const source = this.#address(packet.source);
    const destination = this.#address(packet.destination);
    const { numbers, ttl, identification } = journey;
    const parts = partsOf(packet, source.family, this.#mtuBytes(hop));
    for (const [index, part] of parts.entries()) {
      const { bytes, wholeBytes } = frameBytes({
        sourceMac,
        destinationMac,
        source,
        destination,
        sourcePort: packet.sourcePort,
        destinationPort: packet.destinationPort,
        protocol: packet.protocol,
        ttl,
        identification,
        flags: part.flags,
        seq: (numbers.seq + part.offsetBytes) % 2 ** 32,
        ack: numbers.ack,
        timestamp: numbers.timestamp,
        echo: numbers.echo,
        payloadBytes: part.payloadBytes,
        mssBytes: this.#mtuBytes(hop) - (source.family === 6 ? 60 : 40),
        fragment: part.fragment,
      });
      // Out: as each begins to be sent. In: when each is there.
      const share = (index + (direction === "in" ? 1 : 0)) / parts.length;
      const frame = file.add(startNs + Math.floor(sendNs * share), bytes, wholeBytes);
      // Where it goes is not told yet.
      if (destinationMac === NO_MAC && hop.kind !== "loopback") journey.open.push(frame);
    }
  }

  #mtuBytes(hop: Hop): number {
    const { mtuBytes, loopbackMtuBytes } = this.#network.profile;
    return hop.kind === "loopback" ? Math.min(loopbackMtuBytes, MOST_IP_BYTES) : mtuBytes;
  }

  /** From and to: this interface, and what is at the other end of its link. */
  #macsOf(
    journey: Journey,
    hop: Hop,
    direction: Side["direction"],
  ): readonly [Uint8Array, Uint8Array] {
    switch (hop.kind) {
      case "loopback":
        return [NO_MAC, NO_MAC];
      case "nic":
        // Until the switch has it.
        return [this.#mac(hop.name), NO_MAC];
      case "switch": {
        const host = this.#hostOfPort.get(hop)!;
        return [this.#mac(journey.from), this.#mac(host.nic.name)];
      }
      case "veth":
      case "bridge": {
        const bridge = this.#mac(`${hop.name.split("/")[0]} ${BRIDGE_MAC}`);
        if (hop.kind === "bridge" && !journey.from.endsWith("/out")) return [bridge, NO_MAC];
        const guest = this.#mac(guestOf(hop.kind === "veth" ? hop.name : journey.from));
        return direction === "out" ? [guest, bridge] : [bridge, guest];
      }
    }
  }

  /** Locally administered, and the same in every run. */
  #mac(name: string): Uint8Array {
    let mac = this.#macs.get(name);
    if (mac === undefined) {
      mac = new Uint8Array(6);
      mac[0] = 2;
      let word = 0;
      for (let i = 0; i < name.length; i++) word = (Math.imul(word, 31) + name.charCodeAt(i)) | 0;
      new DataView(mac.buffer).setInt32(2, word);
      this.#macs.set(name, mac);
    }
    return mac;
  }

  #address(id: number): Address {
    let address = this.#addresses.get(id);
    if (address === undefined) {
      const { addresses } = this.#network;
      const family = addresses.family(id);
      address = { family, bytes: octetsOf(addresses.text(id), family) };
      this.#addresses.set(id, address);
    }
    return address;
  }
}

const NO_MAC = new Uint8Array(6);

/** Of a hop of its veth pair. */
function guestOf(hop: string): string {
  return hop.replace(/\/(in|out)$/, "");
}

interface Part {
  readonly flags: number;
  readonly payloadBytes: number;
  readonly offsetBytes: number;
  readonly fragment: {
    readonly offsetBytes: number;
    readonly more: boolean;
    readonly allBytes: number;
  } | null;
}

/** The segments of a train, the fragments of a datagram, or the one packet that it is. */
function partsOf(packet: Packet, family: 4 | 6, mtuBytes: number): Part[] {
  const { payloadBytes, protocol, flags } = packet;
  const ipBytes = family === 4 ? 20 : 40;
  const whole = { flags, payloadBytes, offsetBytes: 0, fragment: null };
  if ((flags & ICMP_FLAGS) !== 0) return [whole];
  if (protocol === TransportProtocol.TCP) {
    const most = mtuBytes - ipBytes - TCP_BYTES;
    if (payloadBytes <= most) return [whole];
    const count = Math.ceil(payloadBytes / most);
    return Array.from({ length: count }, (_, i) => ({
      // The end of the message, and of the stream, is in the last one.
      flags: i === count - 1 ? flags : flags & ~END_FLAGS,
      payloadBytes: Math.min(most, payloadBytes - i * most),
      offsetBytes: i * most,
      fragment: null,
    }));
  }
  return fragmentsOf(packet, mtuBytes - ipBytes, family === 6 ? 8 : 0);
}

/** 20 and the time stamp's 12. */
const TCP_BYTES = 32;
const UDP_BYTES = 8;
/** PSH and FIN. */
const END_FLAGS = 16 | 4;

function fragmentsOf(
  { payloadBytes, flags }: Packet,
  roomBytes: number,
  headerBytes: number,
): Part[] {
  if (payloadBytes + UDP_BYTES <= roomBytes) {
    return [{ flags, payloadBytes, offsetBytes: 0, fragment: null }];
  }
  const each = Math.floor((roomBytes - headerBytes) / 8) * 8;
  const all = payloadBytes + UDP_BYTES;
  return Array.from({ length: Math.ceil(all / each) }, (_, i) => {
    const bytes = Math.min(each, all - i * each);
    const fragment = { offsetBytes: i * each, more: (i + 1) * each < all, allBytes: payloadBytes };
    return { flags, payloadBytes: i === 0 ? bytes - UDP_BYTES : bytes, offsetBytes: 0, fragment };
  });
}

function isTcp({ protocol, flags }: Packet): boolean {
  return protocol === TransportProtocol.TCP && (flags & ICMP_FLAGS) === 0;
}

function octetsOf(text: string, family: 4 | 6): Uint8Array {
  if (family === 4) return Uint8Array.from(text.split(".").map(Number));
  const [head = "", tail] = text.split("::");
  const words = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((each) => Number.parseInt(each, 16));
  const first = words(head);
  const last = words(tail ?? "");
  const gap = Array.from({ length: 8 - first.length - last.length }, () => 0);
  return Uint8Array.from([...first, ...gap, ...last].flatMap((each) => [each >> 8, each & 255]));
}
