/**
 * A tap that follows one packet and writes down its way.
 *
 * Owns: which packet it is, its clock, and the words for what the stack tells. Refuses to own: sending the
 * packet (probe.ts) and the look of the record.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { Track, type TrackVerdict } from "../../network/conntrack.ts";
import { DROPPED, type Hop } from "../../network/hop.ts";
import type { Egress, Host, Namespace } from "../../network/host.ts";
import type { NatHookPoint } from "../../network/nat.ts";
import type { Network } from "../../network/network.ts";
import type { Packet } from "../../network/packet.ts";
import type { PacketTap } from "../../network/tap.ts";
import { HopPlaces } from "./hopPlaces.ts";
import type { Flow, TraceRule, TraceStep, Verdict } from "./record.ts";

/** A packet's addresses at some step. */
export interface PacketView {
  readonly protocol: Packet["protocol"];
  readonly source: number;
  readonly sourcePort: number;
  readonly destination: number;
  readonly destinationPort: number;
}

/** What is known of the rules of hosts. */
export interface RuleBook {
  /** Which rules matched, by how the packet was before and after. */
  matched(
    host: Host,
    point: NatHookPoint,
    before: PacketView,
    after: PacketView,
  ): readonly TraceRule[];
  /** What the point is called where the host's rules hang: "PREROUTING", "tc ingress". */
  nameOf(host: Host, point: NatHookPoint): string;
}

export class PacketRecorder implements PacketTap {
  readonly steps: TraceStep[] = [];
  verdict: Verdict | null = null;
  /** As it left its socket. */
  first: PacketView | null = null;
  readonly #network: Network;
  readonly #placeOf: (namespace: Namespace) => string;
  readonly #rules: RuleBook;
  readonly #isIt: (packet: Packet) => boolean;
  readonly #places: HopPlaces;
  #packet: Packet | null = null;
  #sentAtNs: SimTimeNs = 0;
  /** Since then. What a step takes is added when it is taken. */
  #afterNs = 0;
  #before: PacketView | null = null;
  #point: NatHookPoint = "PREROUTING";
  #isRejected = false;

  /**
   * @param isIt whether a packet is the one to follow; the first such is. By default the first that it is told of
   * @param places shared by the recorders of many packets
   */
  constructor(
    network: Network,
    placeOf: (namespace: Namespace) => string,
    rules: RuleBook,
    isIt: (packet: Packet) => boolean = () => true,
    places = new HopPlaces(network, placeOf),
  ) {
    this.#network = network;
    this.#placeOf = placeOf;
    this.#rules = rules;
    this.#isIt = isIt;
    this.#places = places;
  }

  crossed(packet: Packet, hop: Hop, atNs: SimTimeNs, waitNs: number, leftNs: number): void {
    if (!this.#follows(packet)) return;
    const place = this.#places.of(hop);
    if (leftNs === DROPPED) {
      this.#end("dropped", hop.name, "queue_full");
      return;
    }
    const sendNs = leftNs - atNs - waitNs;
    const { latencyNs, name, kind } = hop;
    const costs = { waitNs, sendNs, latencyNs };
    this.#add({ kind: "hop", place, afterNs: this.#now(), hop: name, hopKind: kind, ...costs });
    this.#afterNs += leftNs - atNs + latencyNs;
  }

  entering(packet: Packet, _host: Host, point: NatHookPoint): void {
    if (!this.#follows(packet)) return;
    this.#before = viewOf(packet);
    this.#point = point;
  }

  tracked(packet: Packet, host: Host, verdict: TrackVerdict): void {
    if (!this.#follows(packet)) return;
    const { isNew, walkNs, cause } = host.conntrack!;
    const passes = verdict !== Track.drop && verdict !== Track.reject;
    const isFirst = isNew || !passes;
    const before = this.#before!;
    const after = viewOf(packet);
    this.#isRejected = verdict === Track.reject;
    this.#add({
      kind: "netfilter",
      place: this.#placeOf(host.namespace),
      afterNs: this.#now(),
      point: this.#rules.nameOf(host, this.#point),
      before: this.#flow(before),
      after: this.#flow(after),
      isKnown: !isFirst,
      walkNs,
      rules: isFirst ? this.#rules.matched(host, this.#point, before, after) : [],
      verdict: passes ? "pass" : this.#isRejected ? "reject" : "drop",
      cause: passes ? "" : cause,
    });
    this.#afterNs += walkNs;
  }

  routed(packet: Packet, host: Host, egress: Egress): void {
    if (!this.#follows(packet)) return;
    const place = this.#placeOf(host.namespace);
    const to = this.#next(host, egress);
    const last = this.steps.at(-1);
    // A packet that will be held is routed twice: the second time, it is.
    if (last?.kind === "route" && last.place === place && last.to === to) return;
    this.#add({ kind: "route", place, afterNs: this.#now(), to });
  }

  dropped(packet: Packet, place: string, cause: string): void {
    if (this.#follows(packet)) this.#end(this.#isRejected ? "rejected" : "dropped", place, cause);
  }

  delivered(packet: Packet, namespace: Namespace): void {
    if (!this.#follows(packet)) return;
    // By the simulation's clock, not by the sum of the steps: the two must agree.
    this.#afterNs = this.#network.sim.nowNs - this.#sentAtNs;
    this.#end("delivered", this.#placeOf(namespace), "");
  }

  /** The time is over, and it has not come to an end. */
  giveUp(): Verdict {
    const place = this.steps.at(-1)?.place ?? "";
    return { kind: "under way", place, cause: "", afterNs: this.#now() };
  }

  /** When it left its socket. */
  get sentAtNs(): SimTimeNs {
    return this.#sentAtNs;
  }

  flowOf(view: PacketView): Flow {
    return this.#flow(view);
  }

  /** The first packet that it is told of is the one. */
  #follows(packet: Packet): boolean {
    if (this.verdict !== null) return false;
    if (this.#packet === null) {
      if (!this.#isIt(packet)) return false;
      this.#packet = packet;
      this.#sentAtNs = packet.sentAtNs;
      this.first = viewOf(packet);
    }
    return packet === this.#packet;
  }

  /** A packet that was held takes up again later than its own steps took. */
  #now(): number {
    const { nowNs } = this.#network.sim;
    this.#afterNs = Math.max(this.#afterNs, nowNs - this.#sentAtNs);
    return this.#afterNs;
  }

  #add(step: TraceStep): void {
    this.steps.push(step);
  }

  #end(kind: Verdict["kind"], place: string, cause: string): void {
    this.verdict = { kind, place, cause, afterNs: this.#now() };
  }

  #flow({ source, sourcePort, destination, destinationPort }: PacketView): Flow {
    return {
      source: this.textOf(source, sourcePort),
      destination: this.textOf(destination, destinationPort),
    };
  }

  /** "10.0.0.1:80". */
  textOf(address: number, port: number): string {
    const { addresses } = this.#network;
    const text = addresses.text(address);
    return addresses.family(address) === 6 ? `[${text}]:${port}` : `${text}:${port}`;
  }

  #next(host: Host, egress: Egress): string {
    switch (egress.kind) {
      case "guest":
        return this.#placeOf(egress.namespace);
      case "host":
        return this.#placeOf(this.#network.hosts[egress.host]!.namespace);
      case "local":
        return `${this.#placeOf(host.namespace)} itself`;
      case "unresolved":
        return "the bridge: held while it asks who has the address";
      case "unreachable":
        return "nowhere: no route";
    }
  }
}

function viewOf(packet: Packet): PacketView {
  const { protocol, source, sourcePort, destination, destinationPort } = packet;
  return { protocol, source, sourcePort, destination, destinationPort };
}
