/**
 * No packet is lost without a name: every one is delivered, or dropped at a hop or place with a cause.
 * Random small networks with narrow queues, guests that vanish and rules that drop.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ms, Phase } from "../../src/engine/index.ts";
import { HostState, type Host } from "../../src/network/host.ts";
import { NatVerdict } from "../../src/network/nat.ts";
import { Netem, type NetemOptions } from "../../src/network/netem.ts";
import type { Packet } from "../../src/network/packet.ts";
import { linuxProfile, type LinuxProfile } from "../../src/network/profile.ts";
import { SocketState, type Socket } from "../../src/network/socket.ts";
import type { Guest } from "../../src/network/kinds/contract.ts";
import { guest, listen, namespaceOf, Recorder, rules, wire, type Wire } from "../helpers/wire.ts";

interface Plan {
  readonly nodes: number;
  /** Node of each guest, modulo the nodes. */
  readonly guests: readonly number[];
  readonly queuePackets: number;
  readonly nicMbps: number;
  /** Whether the bridge is a queue or a mere delay. */
  readonly bridgeQueues: boolean;
  /** Of 16 new connections at a node, so many are dropped and so many rejected. */
  readonly dropped: number;
  readonly rejected: number;
  readonly calls: readonly {
    readonly atMs: number;
    readonly from: number;
    readonly to: number;
    readonly port: 80 | 81;
    readonly bytes: number;
    readonly close: boolean;
  }[];
  /** Faults of the first host's line and of the second host, or none. */
  readonly line: Pick<NetemOptions, "lossShare" | "duplicateShare" | "jitterNs"> | null;
  readonly outage: "cut" | "frozen" | "off" | null;
  readonly deletions: readonly { readonly atMs: number; readonly guest: number }[];
}

const plans: fc.Arbitrary<Plan> = fc.record({
  nodes: fc.integer({ min: 1, max: 3 }),
  guests: fc.array(fc.nat(2), { minLength: 2, maxLength: 6 }),
  queuePackets: fc.integer({ min: 1, max: 60 }),
  nicMbps: fc.constantFrom(10, 100, 10_000),
  bridgeQueues: fc.boolean(),
  dropped: fc.nat(4),
  rejected: fc.nat(4),
  calls: fc.array(
    fc.record({
      // Many at once, and many to one guest: its veth then has several feeders.
      atMs: fc.nat(3),
      from: fc.nat(5),
      to: fc.oneof(fc.constant(0), fc.nat(5)),
      port: fc.constantFrom(80 as const, 80 as const, 81 as const),
      bytes: fc.integer({ min: 1, max: 300_000 }),
      close: fc.boolean(),
    }),
    { minLength: 1, maxLength: 25 },
  ),
  line: fc.option(
    fc.record({
      lossShare: fc.constantFrom(0, 0.2),
      duplicateShare: fc.constantFrom(0, 0.3),
      jitterNs: fc.constantFrom(0, ms(3)),
    }),
  ),
  outage: fc.constantFrom("cut" as const, "frozen" as const, "off" as const, null, null),
  deletions: fc.array(fc.record({ atMs: fc.nat(60), guest: fc.nat(5) }), { maxLength: 3 }),
});

/** Segments by what became of them, counted where the stack hands them over. */
interface Fate {
  sent: number;
  received: number;
  lost: number;
}

/** Counts what the stack takes in and gives out, without changing any of it. */
function watch({ stack, transport }: Wire): Fate {
  const fate: Fate = { sent: 0, received: 0, lost: 0 };
  stack.attach({
    receive: (namespace, packet) => {
      fate.received += packet.packets;
      transport.receive(namespace, packet);
    },
    copied: (packet, copy) => {
      fate.sent += copy.packets;
      transport.copied(packet, copy);
    },
    lost: (packet) => {
      fate.lost += packet.packets;
      transport.lost(packet);
    },
    hints: (packet) => transport.hints(packet),
  });
  const output = stack.output.bind(stack);
  stack.output = (packet: Packet, namespace) => {
    fate.sent += packet.packets;
    output(packet, namespace);
  };
  return fate;
}

function profileOf({ queuePackets, nicMbps, bridgeQueues }: Plan): LinuxProfile {
  const narrow = { queueLimitPackets: queuePackets };
  return {
    ...linuxProfile,
    veth: { ...linuxProfile.veth, ...narrow },
    bridge: bridgeQueues ? { ...linuxProfile.bridge, linkRateBps: 10e9 } : linuxProfile.bridge,
    nic: { ...linuxProfile.nic, ...narrow, linkRateBps: nicMbps * 1e6 },
    switchPort: { ...linuxProfile.switchPort, queueLimitBytes: 2000 * queuePackets },
  };
}

class Caller extends Recorder {
  readonly #send: (socket: Socket) => void;
  constructor(net: Wire, send: (socket: Socket) => void) {
    super(net);
    this.#send = send;
  }
  override connected(socket?: Socket): void {
    this.#send(socket!);
  }
}

function install(net: Wire, plan: Plan): readonly Guest[] {
  const guests = plan.guests.map((node, i) => guest(net, node % plan.nodes, `g${i}`));
  for (const server of guests) listen(net, server, 80, new Recorder(net, 70_000));
  const stream = net.sim.streams.get("verdicts");
  for (const host of net.network.hosts) {
    host.nat = rules((_packet, decision) => {
      const draw = stream.below(16);
      decision.rule = "chance";
      if (draw < plan.dropped) decision.verdict = NatVerdict.drop;
      else if (draw < plan.dropped + plan.rejected) decision.verdict = NatVerdict.reject;
    });
  }
  for (const { atMs, from, to, port, bytes, close } of plan.calls) {
    const [source, target] = [guests[from % guests.length]!, guests[to % guests.length]!];
    net.sim.callAt(ms(atMs), 4, () => {
      const namespace = namespaceOf(net, source);
      if (!namespace.alive) return;
      const caller = new Caller(net, (socket) => {
        net.transport.send(socket, bytes, 1, close ? 1 : 0, false);
      });
      net.transport.connect(namespace, target.addresses[0]!, port, caller, 0);
    });
  }
  for (const { atMs, guest: index } of plan.deletions) {
    net.sim.callAt(ms(atMs), 1, () => net.guests.del(guests[index % guests.length]!));
  }
  disturb(net, plan);
  return guests;
}

/** From 2 to 40 ms. */
function disturb(net: Wire, { line, outage, nodes }: Plan): void {
  const { sim, stack, network } = net;
  const [first, second] = network.hosts as [Host, Host];
  const targets = new Set(network.hosts.map(({ index }) => index));
  if (line !== null) {
    const options = { latencyNs: ms(4), reorderShare: 0.1, rateBps: Infinity, limit: 3, ...line };
    const shaping = { netem: new Netem(options, sim.streams.get("line")), targets };
    sim.callAt(ms(1), Phase.topology, () => stack.faultsOf(first).shape(shaping));
    sim.callAt(ms(40), Phase.topology, () => first.faults!.unshape(shaping));
  }
  if (outage === null || nodes < 2) return;
  sim.callAt(ms(2), Phase.topology, () => {
    if (outage === "cut") stack.faultsOf(first).cut(second.index);
    else if (outage === "off") powerOff(net, second);
    else network.setState(second, HostState.frozen);
  });
  sim.callAt(ms(40), Phase.topology, () => {
    if (outage === "cut") first.faults!.mend(second.index);
    else network.setState(second, HostState.on);
  });
}

/** With its guests, which do not come back. */
function powerOff({ network, stack, transport }: Wire, host: Host): void {
  stack.powerOff(host);
  for (const namespace of network.namespaces) {
    if (namespace.host === host.index) transport.closeNamespace(namespace);
  }
  host.namespace.alive = true;
}

function droppedSegments({ network }: Wire): number {
  const places = [...network.drops.values()].flatMap((causes) => [...causes]);
  const atPlaces = places.reduce((all, [, count]) => all + count, 0);
  return network.hops.reduce((all, hop) => all + hop.droppedPackets, atPlaces);
}

describe("packets", () => {
  /**
   * Seen to fail with a drop by the veth behind the bridge that discards nothing, with countDrop() left out
   * of drop(), with an unresolved neighbour's packets forgotten, with those that a frozen host holds thrown away,
   * and with a copy that netem has no room for released without a drop.
   */
  it("are delivered, dropped with a cause, or on their way, at every moment", () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const net = wire(profileOf(plan), "conservation", plan.nodes);
        const fate = watch(net);
        install(net, plan);
        const { packets } = net.network;
        for (let atMs = 1; atMs <= 100; atMs += 9) {
          net.sim.run(ms(atMs));
          const travelling = packets.all.filter((packet) => packet.inUse).length;
          expect(packets.sent).toBe(packets.delivered + packets.dropped + travelling);
          expect(packets.inFlight).toBe(travelling);
          expect(fate.lost).toBe(droppedSegments(net));
        }
        // Until the last retransmission has been given up and all time-outs are over.
        net.sim.run(Infinity);
        expect(packets.inFlight).toBe(0);
        expect(fate.lost).toBe(droppedSegments(net));
        // Besides what sockets send there are ICMP errors: no fewer came out than went in.
        expect(fate.received + fate.lost).toBeGreaterThanOrEqual(fate.sent);
        expect(packets.delivered + packets.dropped).toBe(packets.sent);
      }),
      { numRuns: 60 },
    );
  });

  /** Seen to fail while the bridge counted what the veth in front of it had dropped. */
  it("that leave a NIC reach a switch port, and those that cross a bridge its veths", () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const net = wire(profileOf(plan), "conservation", plan.nodes);
        install(net, plan);
        net.sim.run(Infinity);
        const sum = (of: (host: (typeof net.network.hosts)[number]) => number): number =>
          net.network.hosts.reduce((all, host) => all + of(host), 0);
        expect(sum(({ nic }) => nic.packets)).toBe(
          sum(({ switchPort }) => switchPort.packets + switchPort.droppedPackets),
        );
        for (const { bridge, index } of net.network.hosts) {
          if (bridge === null) continue;
          const links = net.network.namespaces.filter(
            ({ host, link }) => host === index && link !== null,
          );
          // Over the bridge goes what a guest's veth let out, and what comes to a guest's veth.
          const crossed = links.reduce(
            (all, { link }) => all + link!.out.packets + link!.in.packets + link!.in.droppedPackets,
            0,
          );
          expect(bridge.packets).toBe(crossed);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe("sockets", () => {
  /**
   * When all is quiet nobody waits for an answer that cannot come: a connect() has ended, and the server
   * holds nothing half open. Guests stay here: transport.ts says what becomes of a client whose server
   * vanishes in the middle of the handshake. Seen to fail with lost() arming no timer and, over 2,500
   * runs, while nobody noticed that a RST had been lost on its way back.
   */
  it("are in no state that only a packet could end", () => {
    fc.assert(
      fc.property(plans, (any) => {
        const plan = { ...any, deletions: [], outage: any.outage === "off" ? null : any.outage };
        const net = wire(profileOf(plan), "conservation", plan.nodes);
        install(net, plan);
        net.sim.run(Infinity);
        const states = net.transport.sockets.all.map(({ state }) => state);
        expect(states).not.toContain(SocketState.synSent);
        expect(states).not.toContain(SocketState.finWait);
        expect(states).not.toContain(SocketState.timeWait);
      }),
      { numRuns: 30 },
    );
  });
});
