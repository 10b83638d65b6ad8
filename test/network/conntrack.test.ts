/**
 * Connection tracking of one host, packet by packet: states, time-outs, translation, the table's limit.
 * Sources: timings §10 (nf_conntrack-sysctl), §7.4 (what kube-proxy sets), nf_conntrack_proto_tcp.c.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hours, seconds, Simulation } from "../../src/engine/index.ts";
import type { AddressId } from "../../src/network/address.ts";
import { Conntrack, Track } from "../../src/network/conntrack.ts";
import { canEarlyDrop, CtState, isInvalidFirst } from "../../src/network/conntrackStates.ts";
import { ConntrackTables } from "../../src/network/conntrackTable.ts";
import { NatVerdict, type NatDecision, type NatRules } from "../../src/network/nat.ts";
import { Flag, Packet } from "../../src/network/packet.ts";
import { linuxProfile, type LinuxProfile } from "../../src/network/profile.ts";
import { rules } from "../helpers/wire.ts";

const CLIENT: AddressId = 1;
const SERVER: AddressId = 2;
const VIP: AddressId = 3;
const NODE: AddressId = 9;

type Tuple = readonly [source: number, sourcePort: number, to: number, toPort: number];

class Bench {
  readonly sim = new Simulation({ seed: "conntrack" });
  readonly tables = new ConntrackTables();
  readonly table: Conntrack;
  nat: NatRules | null = null;

  constructor(profile: Partial<LinuxProfile["conntrack"]> = {}) {
    this.table = new Conntrack(this.sim, {
      host: 0,
      hostName: "node",
      masqueradeAddress: () => NODE,
      cores: 1,
      profile: { ...linuxProfile.conntrack, confirmNs: 0, ...profile },
      tables: this.tables,
    });
  }

  /** What becomes of a packet: its tuple after translation, or the cause of its drop. */
  send(
    [source, sourcePort, destination, destinationPort]: Tuple,
    flags: number,
    protocol = 6,
  ): Tuple | string {
    const packet = new Packet(0);
    Object.assign(packet, { protocol, source, sourcePort, destination, destinationPort, flags });
    const verdict = this.table.track(packet, "PREROUTING", new Set([NODE]), this.nat, null);
    if (verdict === Track.invalid) return "invalid";
    if (verdict !== Track.pass) return this.table.cause;
    return [packet.source, packet.sourcePort, packet.destination, packet.destinationPort];
  }

  /** State of the entry last met. */
  get state(): number {
    return this.tables.stateOf(this.table.entry);
  }

  /** How long the entry last met lives if nothing more comes. */
  get leftNs(): number {
    return this.tables.expiresAtNs[this.table.entry]! - this.sim.nowNs;
  }
}

function snatPorts(portFirst: number, portLast: number): LinuxProfile["conntrack"]["snat"] {
  return { ...linuxProfile.conntrack.snat, portFirst, portLast };
}

const there: Tuple = [CLIENT, 40_000, SERVER, 80];
const back: Tuple = [SERVER, 80, CLIENT, 40_000];
const SYN_ACK = Flag.syn | Flag.ack;
const FIN_ACK = Flag.fin | Flag.ack;

function dnat(address: AddressId, port: number, masquerade = false): NatRules {
  return rules((packet, decision) => {
    if (packet.destination !== VIP) return;
    Object.assign(decision, { dnatAddress: address, dnatPort: port, masquerade });
  });
}

describe("a TCP connection's entry", () => {
  /** Seen to fail with each state's time-out exchanged for another's in Conntrack.timeouts. */
  it("goes through the states of nf_conntrack with their time-outs", () => {
    const bench = new Bench();
    const steps: [Tuple, number, number, number][] = [
      [there, Flag.syn, CtState.synSent, seconds(120)],
      [back, SYN_ACK, CtState.synRecv, seconds(60)],
      [there, Flag.ack, CtState.established, hours(24)],
      [back, Flag.ack, CtState.established, hours(24)],
      [back, FIN_ACK, CtState.finWait, seconds(120)],
      [back, FIN_ACK, CtState.lastAck, seconds(30)],
      [there, Flag.ack, CtState.timeWait, seconds(120)],
    ];
    for (const [tuple, flags, state, leftNs] of steps) {
      bench.sim.run(bench.sim.nowNs + seconds(1));
      bench.send(tuple, flags);
      expect([bench.state, bench.leftNs]).toEqual([state, leftNs]);
    }
    expect(bench.table.counters.inserted).toBe(1);
  });

  /** §7.4: the kernel's own close_wait is 60 s. */
  it("waits for an hour in CLOSE_WAIT, as kube-proxy sets it, for the second FIN", () => {
    const bench = new Bench();
    bench.send(there, Flag.syn);
    bench.send(back, SYN_ACK);
    bench.send(there, Flag.ack);
    bench.send(back, FIN_ACK);
    bench.send(there, Flag.ack);
    expect([bench.state, bench.leftNs]).toEqual([CtState.closeWait, hours(1)]);
    bench.send(there, FIN_ACK);
    expect([bench.state, bench.leftNs]).toEqual([CtState.timeWait, seconds(120)]);
  });

  it("is closed by a RST and kept for 10 s", () => {
    const bench = new Bench();
    bench.send(there, Flag.syn);
    bench.send(back, SYN_ACK);
    bench.send(back, Flag.rst);
    expect([bench.state, bench.leftNs]).toEqual([CtState.close, seconds(10)]);
    // tcp_conntracks[]: a FIN leaves sCL as it is. Seen to fail: it went on to LAST_ACK.
    bench.send(there, FIN_ACK);
    expect(bench.state).toBe(CtState.close);
  });

  it("is forgotten at once when the only answer is a RST", () => {
    // tcp_packet(): without IPS_SEEN_REPLY a RST kills the entry.
    const bench = new Bench();
    bench.send(there, Flag.syn);
    expect(bench.send(back, Flag.rst)).toEqual(back);
    expect(bench.table.count).toBe(0);
  });

  it("is neither moved nor renewed by an ICMP error", () => {
    const bench = new Bench();
    bench.send(there, Flag.syn);
    bench.sim.run(seconds(50));
    bench.send(back, Flag.icmpHostUnreachable);
    expect([bench.state, bench.leftNs]).toEqual([CtState.synSent, seconds(70)]);
  });

  it("begins in the middle of a connection too, but not with a RST, a FIN or an answer", () => {
    // nf_conntrack_tcp_loose = 1; tcp_conntracks[] has sIV for these where nothing is known.
    const bench = new Bench();
    for (const flags of [Flag.rst, FIN_ACK, SYN_ACK]) {
      expect(bench.send(there, flags)).toBe("invalid");
    }
    expect([bench.table.count, bench.table.counters.invalid]).toEqual([0, 3]);
    // A train of data and a FIN is several packets, the first of them data. Seen to fail: taken for a bare FIN.
    expect(isInvalidFirst(6, FIN_ACK, 1)).toBe(false);
    expect(isInvalidFirst(6, FIN_ACK, 0)).toBe(true);
    bench.send(there, Flag.ack);
    expect(bench.state).toBe(CtState.established);
  });

  it("ends at its time-out, and the next packet is decided anew", () => {
    const bench = new Bench();
    bench.nat = dnat(SERVER, 80);
    const dialled: Tuple = [CLIENT, 40_000, VIP, 8080];
    expect(bench.send(dialled, Flag.syn)).toEqual(there);
    bench.nat = dnat(SERVER, 81);
    bench.sim.run(seconds(120) - 1);
    expect(bench.send(dialled, Flag.syn)).toEqual(there);
    bench.sim.run(bench.sim.nowNs + seconds(120));
    expect(bench.send(dialled, Flag.syn)).toEqual([CLIENT, 40_000, SERVER, 81]);
    expect(bench.table.counters.inserted).toBe(2);
  });
});

describe("a UDP flow's entry", () => {
  const udp = (bench: Bench, tuple: Tuple): Tuple | string => bench.send(tuple, 0, 17);

  /** nf_conntrack_udp_packet(). Seen to fail with the two seconds left out. */
  it("lives for 30 s, and for 120 s once it is answered and older than two seconds", () => {
    const bench = new Bench();
    const steps: [number, Tuple, number, number][] = [
      [0, there, CtState.udpUnreplied, seconds(30)],
      [20, there, CtState.udpUnreplied, seconds(30)],
      [21, back, CtState.udpUnreplied, seconds(30)],
      [22, there, CtState.udpStream, seconds(120)],
      [100, back, CtState.udpStream, seconds(120)],
    ];
    for (const [atS, tuple, state, leftNs] of steps) {
      bench.sim.run(seconds(atS));
      expect(udp(bench, tuple)).toEqual(tuple);
      expect([atS, bench.state, bench.leftNs]).toEqual([atS, state, leftNs]);
    }
    expect(bench.table.counters.inserted).toBe(1);
  });

  it("is no stream for one question and its answers within two seconds", () => {
    const bench = new Bench();
    for (const [atS, tuple] of [[0, there] as const, [1, back] as const, [1.5, there] as const]) {
      bench.sim.run(seconds(atS));
      udp(bench, tuple);
    }
    expect([bench.state, bench.leftNs]).toEqual([CtState.udpUnreplied, seconds(30)]);
  });

  /** Facts 13: a flow that was never translated, and one to an endpoint that has gone, stay as they are. */
  it("keeps the first decision while it is used, until somebody deletes it", () => {
    const bench = new Bench();
    const dialled: Tuple = [CLIENT, 40_000, VIP, 53];
    expect(udp(bench, dialled)).toEqual(dialled);
    bench.nat = dnat(SERVER, 53);
    bench.sim.run(seconds(29));
    expect(udp(bench, dialled)).toEqual(dialled);
    bench.sim.run(seconds(58));
    const seen = [...bench.table.entries(17)];
    expect(seen).toMatchObject([
      { originalDestination: VIP, originalDestinationPort: 53, replySource: VIP, protocol: 17 },
    ]);
    const stale = bench.table.deleteEntries(17, (entry) => entry.replySource !== SERVER);
    expect([stale, bench.table.counters.deleted, bench.table.count]).toEqual([1, 1, 0]);
    expect(udp(bench, dialled)).toEqual([CLIENT, 40_000, SERVER, 53]);
    expect(bench.table.deleteEntries(17, (entry) => entry.replySource !== SERVER)).toBe(0);
  });

  it("alone is deleted, of all that the table holds", () => {
    const bench = new Bench();
    for (let port = 0; port < 200; port++) {
      bench.send([CLIENT, port, SERVER, 80], Flag.syn);
      udp(bench, [CLIENT, port, port % 2 === 0 ? SERVER : VIP, 53]);
    }
    const deleted = bench.table.deleteEntries(17, (entry) => entry.originalDestination === VIP);
    expect([deleted, bench.table.count]).toEqual([100, 300]);
    expect([...bench.table.entries(17)]).toHaveLength(100);
    expect([...bench.table.entries(6)]).toHaveLength(200);
  });
});

describe("an SCTP association's entry", () => {
  it("goes through nf_conntrack_proto_sctp's states with their time-outs", () => {
    const bench = new Bench();
    const steps: [Tuple, number, number, number][] = [
      [there, Flag.syn, CtState.sctpCookieWait, 3],
      [back, SYN_ACK, CtState.sctpCookieEchoed, 3],
      [there, Flag.ack, CtState.sctpEstablished, 210],
      [back, FIN_ACK, CtState.sctpShutdownSent, 3],
      [there, FIN_ACK, CtState.sctpShutdownAckSent, 3],
    ];
    for (const [tuple, flags, state, leftS] of steps) {
      bench.send(tuple, flags, 132);
      expect([bench.state, bench.leftNs]).toEqual([state, seconds(leftS)]);
    }
  });
});

/** weave#3287: two first packets that are in nat before either of them has left POSTROUTING. */
describe("two first packets at once", () => {
  const QUERY: Tuple = [CLIENT, 40_000, VIP, 53];
  const racing = (profile: Partial<LinuxProfile["conntrack"]> = {}): Bench =>
    new Bench({ confirmNs: 1000, ...profile });

  /** An endpoint for each packet in turn. */
  const inTurn = (...endpoints: readonly number[]): NatRules => {
    let next = 0;
    return rules((_packet, decision) => {
      decision.dnatAddress = endpoints[next++ % endpoints.length]!;
      decision.dnatPort = 53;
    });
  };

  /** Seen to fail with the entry visible from the start: the rules were asked once. */
  it("of one UDP socket are both decided, and the loser is dropped before Linux 5.7", () => {
    const bench = racing({ insertsClashingEntries: false });
    bench.nat = inTurn(SERVER, SERVER + 100);
    expect(bench.send(QUERY, 0, 17)).toEqual([CLIENT, 40_000, SERVER, 53]);
    expect(bench.send(QUERY, 0, 17)).toBe("conntrack_insert_failed");
    expect(bench.table.counters).toMatchObject({ insertFailed: 1, dropped: 1, inserted: 1 });
    // The resolver asks again after 5 s, and finds the winner's entry.
    bench.sim.run(seconds(5));
    expect(bench.send(QUERY, 0, 17)).toEqual([CLIENT, 40_000, SERVER, 53]);
  });

  it("pass both if they agree on everything", () => {
    const bench = racing({ insertsClashingEntries: false });
    bench.nat = inTurn(SERVER);
    for (let i = 0; i < 2; i++) {
      expect(bench.send(QUERY, 0, 17)).toEqual([CLIENT, 40_000, SERVER, 53]);
    }
    expect(bench.table.counters).toMatchObject({ insertFailed: 0, clashResolved: 1, inserted: 1 });
  });

  it("pass both on Linux 5.7, where the loser's entry is for its replies alone and lives for 1 s", () => {
    const bench = racing();
    bench.nat = inTurn(SERVER, SERVER + 100);
    bench.send(QUERY, 0, 17);
    expect(bench.send(QUERY, 0, 17)).toEqual([CLIENT, 40_000, SERVER + 100, 53]);
    expect(bench.table.counters).toMatchObject({ insertFailed: 0, clashResolved: 1, inserted: 2 });
    expect([...bench.table.entries(17)]).toHaveLength(1);
    const answer: Tuple = [SERVER + 100, 53, CLIENT, 40_000];
    bench.sim.run(seconds(0.9));
    expect(bench.send(answer, 0, 17)).toEqual([VIP, 53, CLIENT, 40_000]);
    expect(bench.send(QUERY, 0, 17)).toEqual([CLIENT, 40_000, SERVER, 53]);
    bench.nat = null;
    bench.sim.run(seconds(1));
    expect(bench.send(answer, 0, 17)).toEqual(answer);
  });

  /** Seen to fail with the entry hidden until its time: on a way without delay the handshake's ACK was lost. */
  it.each([6, 17])("are no race with what follows an answer (protocol %i)", (protocol) => {
    const bench = racing();
    bench.nat = dnat(SERVER, 80, true);
    const dialled: Tuple = [CLIENT, 40_000, VIP, 8080];
    const [source, port] = bench.send(dialled, protocol === 6 ? Flag.syn : 0, protocol) as Tuple;
    bench.send([SERVER, 80, source, port], protocol === 6 ? SYN_ACK : 0, protocol);
    expect(bench.send(dialled, protocol === 6 ? Flag.ack : 0, protocol)).toEqual([
      NODE,
      port,
      SERVER,
      80,
    ]);
    expect(bench.table.counters.insertFailed).toBe(0);
  });

  /** Seen to fail with the loser's original tuple in the index: the question followed the loser's entry. */
  it("leave nothing but the winner's entry for what follows", () => {
    const bench = racing();
    bench.nat = inTurn(SERVER, SERVER + 100);
    for (let i = 0; i < 2; i++) bench.send(QUERY, 0, 17);
    bench.sim.run(seconds(0.5));
    bench.table.deleteEntries(17, () => true);
    bench.nat = inTurn(SERVER + 200);
    expect(bench.send(QUERY, 0, 17)).toEqual([CLIENT, 40_000, SERVER + 200, 53]);
  });

  it("are no race when the second comes after the first has left, walk through the rules included", () => {
    for (const [afterNs, asked] of [
      [1499, 2],
      [1500, 1],
    ] as const) {
      const bench = racing({ confirmNs: 1000 });
      let decisions = 0;
      bench.nat = rules((_packet, decision) => {
        decisions++;
        decision.walkNs = 500;
      });
      bench.send(QUERY, 0, 17);
      bench.sim.run(afterNs);
      bench.send(QUERY, 0, 17);
      expect([afterNs, decisions]).toEqual([afterNs, asked]);
    }
  });

  /**
   * One port is left: both take it, for neither sees the other. Seen to fail with hidden entries counted as
   * taken in isReplyTaken: the second was told that no port was free, at nat and not at confirmation.
   */
  it.each([6, 17])(
    "that get one masqueraded port lose the second of them (protocol %i)",
    (protocol) => {
      const bench = racing({ snat: snatPorts(2000, 2000) });
      bench.nat = dnat(SERVER, 53, true);
      const flags = protocol === 6 ? Flag.syn : 0;
      expect(bench.send([CLIENT, 1, VIP, 53], flags, protocol)).toEqual([NODE, 2000, SERVER, 53]);
      expect(bench.send([CLIENT + 20, 1, VIP, 53], flags, protocol)).toBe(
        "conntrack_insert_failed",
      );
      bench.sim.run(1000);
      expect(bench.send([CLIENT + 20, 1, VIP, 53], flags, protocol)).toBe("snat_ports_exhausted");
      expect(bench.table.counters).toMatchObject({ insertFailed: 2, dropped: 2, inserted: 1 });
    },
  );

  it("need the same source port without --random-fully, and then collide for certain", () => {
    const keepPort = rules((_packet, decision) => {
      Object.assign(decision, { dnatAddress: SERVER, dnatPort: 53, masquerade: true });
      decision.randomFully = false;
    });
    const bench = racing();
    bench.nat = keepPort;
    expect(bench.send([CLIENT, 5353, VIP, 53], 0, 17)).toEqual([NODE, 5353, SERVER, 53]);
    expect(bench.send([CLIENT + 20, 5353, VIP, 53], 0, 17)).toBe("conntrack_insert_failed");
    expect(bench.send([CLIENT + 20, 5354, VIP, 53], 0, 17)).toEqual([NODE, 5354, SERVER, 53]);
    bench.sim.run(seconds(1));
    const [, port] = bench.send([CLIENT + 20, 5353, VIP, 53], 0, 17) as Tuple;
    expect(port).not.toBe(5353);
  });
});

describe("a port that is used again", () => {
  /**
   * Linux kills an entry in TIME_WAIT or CLOSE that meets a SYN and looks the packet up again. Seen to
   * fail while the entry was kept: a client that comes round its ports within 120 s stayed with an
   * endpoint that the rules no longer held.
   */
  it.each([
    ["a connection that both ends closed", [[back, FIN_ACK] as const, [there, FIN_ACK] as const]],
    ["a connection that was reset", [[there, Flag.rst] as const]],
  ])("after %s gets a new decision", (_name, ending) => {
    const bench = new Bench();
    const dialled: Tuple = [CLIENT, 40_000, VIP, 8080];
    bench.nat = dnat(SERVER, 80);
    bench.send(dialled, Flag.syn);
    bench.send(back, SYN_ACK);
    bench.send(dialled, Flag.ack);
    for (const [tuple, flags] of ending) bench.send(tuple === back ? back : dialled, flags);
    bench.nat = dnat(SERVER, 81);
    expect(bench.send(dialled, Flag.syn)).toEqual([CLIENT, 40_000, SERVER, 81]);
    expect(bench.table.isNew).toBe(true);
    expect(bench.table.count).toBe(1);
  });

  it("while the connection stands, or is half closed, keeps the old one", () => {
    const bench = new Bench();
    const dialled: Tuple = [CLIENT, 40_000, VIP, 8080];
    bench.nat = dnat(SERVER, 80);
    bench.send(dialled, Flag.syn);
    bench.send(back, SYN_ACK);
    bench.send(back, FIN_ACK);
    bench.nat = dnat(SERVER, 81);
    expect(bench.send(dialled, Flag.syn)).toEqual(there);
  });
});

describe("nat", () => {
  it("translates the destination there and the source back", () => {
    const bench = new Bench();
    bench.nat = dnat(SERVER, 80);
    const dialled: Tuple = [CLIENT, 40_000, VIP, 8080];
    expect(bench.send(dialled, Flag.syn)).toEqual(there);
    expect(bench.send(back, SYN_ACK)).toEqual([VIP, 8080, CLIENT, 40_000]);
  });

  it("takes an ICMP error back to who sent the packet, by the names it used", () => {
    const bench = new Bench();
    bench.nat = dnat(SERVER, 80, true);
    const [source, port] = bench.send([CLIENT, 40_000, VIP, 8080], Flag.syn) as Tuple;
    expect(source).toBe(NODE);
    const error = bench.send([SERVER, 80, NODE, port], Flag.icmpHostUnreachable);
    expect(error).toEqual([VIP, 8080, CLIENT, 40_000]);
  });

  it("changes a source port by which two connections would look alike to the endpoint", () => {
    const bench = new Bench();
    bench.nat = dnat(SERVER, 80);
    expect(bench.send([CLIENT, 40_000, VIP, 8080], Flag.syn)).toEqual(there);
    const direct = bench.send(there, Flag.syn) as Tuple;
    expect([direct[0], direct[2], direct[3]]).toEqual([CLIENT, SERVER, 80]);
    expect(direct[1]).not.toBe(40_000);
    expect(bench.send([SERVER, 80, CLIENT, direct[1]], SYN_ACK)).toEqual(back);
  });

  it("asks the rules once a connection, and not about answers", () => {
    const bench = new Bench();
    let asked = 0;
    bench.nat = rules(() => asked++);
    bench.send(there, Flag.syn);
    bench.send(back, SYN_ACK);
    bench.send(there, Flag.ack);
    expect(asked).toBe(1);
  });

  it.each([
    [NatVerdict.drop, Track.drop],
    [NatVerdict.reject, Track.reject],
  ])("keeps no entry of what it refuses (verdict %i)", (verdict, expected) => {
    const bench = new Bench();
    bench.nat = rules((_packet, decision: NatDecision) => {
      Object.assign(decision, { verdict, rule: "why" });
    });
    const packet = new Packet(0);
    packet.flags = Flag.syn;
    expect(bench.table.track(packet, "OUTPUT", new Set(), bench.nat, null)).toBe(expected);
    expect([bench.table.cause, bench.table.count]).toEqual(["why", 0]);
  });

  it("has no masqueraded port left when the endpoint has seen them all", () => {
    const bench = new Bench({ snat: snatPorts(5000, 5007) });
    bench.nat = dnat(SERVER, 80, true);
    const sent = Array.from({ length: 9 }, (_, i) => bench.send([CLIENT, i, VIP, 8080], Flag.syn));
    const ports = sent.slice(0, 8).map((tuple) => (tuple as Tuple)[1]);
    expect(ports.toSorted((a, b) => a - b)).toEqual([
      5000, 5001, 5002, 5003, 5004, 5005, 5006, 5007,
    ]);
    expect(sent[8]).toBe("snat_ports_exhausted");
    // Another endpoint is another set of ports.
    bench.nat = dnat(SERVER, 81, true);
    expect(bench.send([CLIENT, 8, VIP, 8080], Flag.syn)).toHaveLength(4);
  });

  /**
   * Few clients, endpoints and masqueraded ports, so that ports run short and collide; every other
   * connection is refused by its endpoint and frees its port. Seen to fail with pickSnatPort taking the
   * first random port unchecked, and with inUse() asking about the untranslated destination.
   */
  it("never lets two connections look alike to an endpoint, and each answer finds its own", () => {
    const step = fc.record({
      client: fc.integer({ min: 10, max: 12 }),
      port: fc.integer({ min: 1024, max: 1029 }),
      endpoint: fc.integer({ min: 20, max: 21 }),
      masquerade: fc.boolean(),
      refuse: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const bench = new Bench({ snat: snatPorts(1024, 1031) });
        const live = new Map<string, { readonly seen: Tuple; readonly dialled: Tuple }>();
        for (const { client, port, endpoint, masquerade, refuse } of steps) {
          bench.nat = dnat(endpoint, 80, masquerade);
          const dialled: Tuple = [client, port, VIP, 8080];
          const known = live.get(dialled.join());
          const seen = bench.send(dialled, Flag.syn);
          if (known !== undefined) expect(seen).toEqual(known.seen);
          if (typeof seen === "string") {
            expect(seen).toBe("snat_ports_exhausted");
            const taken = [...live.values()].filter((one) => one.seen[2] === endpoint);
            expect(taken.length).toBeGreaterThanOrEqual(8);
            continue;
          }
          live.set(dialled.join(), { seen, dialled });
          if (!refuse) continue;
          bench.send([seen[2], seen[3], seen[0], seen[1]], Flag.rst);
          live.delete(dialled.join());
        }
        const seen = [...live.values()].map((one) => one.seen.join());
        expect(new Set(seen).size).toBe(live.size);
        expect(bench.table.count).toBe(live.size);
        for (const { seen: s, dialled: d } of live.values()) {
          expect(bench.send([s[2], s[3], s[0], s[1]], SYN_ACK)).toEqual([d[2], d[3], d[0], d[1]]);
        }
      }),
    );
  });
});

describe("the table", () => {
  it.each([
    [1, 131_072],
    [4, 131_072],
    [5, 163_840],
    [64, 1_048_576],
  ])("of a machine with %i cores holds %i entries", (cores, limit) => {
    // max(131,072, 32,768 x cores), at most 1,048,576 (§7.4). Read off the first drop, with every limit
    // a 256th so that it comes soon.
    const small = new Simulation({ seed: "limit" });
    const tables = new ConntrackTables();
    const table = new Conntrack(small, {
      host: 0,
      hostName: "node",
      masqueradeAddress: () => NODE,
      cores,
      profile: {
        ...linuxProfile.conntrack,
        maxPerCore: linuxProfile.conntrack.maxPerCore / 256,
        minEntries: linuxProfile.conntrack.minEntries / 256,
        maxEntries: linuxProfile.conntrack.maxEntries / 256,
      },
      tables,
    });
    let verdict: number = Track.pass;
    for (let port = 0; verdict === Track.pass && port < 2 * limit; port++) {
      const send = (from: number, to: number, ports: Partial<Packet>): void => {
        const packet = new Packet(0);
        Object.assign(packet, { source: from, destination: to, ...ports });
        const sent = table.track(packet, "PREROUTING", new Set(), null, null);
        if (sent !== Track.pass) verdict = sent;
      };
      // Picked up in the middle and answered: assured, so that none makes room for another.
      send(CLIENT, SERVER, { sourcePort: port, flags: Flag.ack });
      if (verdict === Track.pass) send(SERVER, CLIENT, { destinationPort: port, flags: Flag.ack });
    }
    expect([verdict, table.cause]).toEqual([Track.drop, "conntrack_full"]);
    expect(table.count).toBe(limit / 256);
  });

  /** Makes `port` an assured connection. */
  const establish = (bench: Bench, port: number): Tuple | string => {
    const sent = bench.send([CLIENT, port, SERVER, 80], Flag.syn);
    if (typeof sent === "string") return sent;
    bench.send([SERVER, 80, CLIENT, port], SYN_ACK);
    bench.send([CLIENT, port, SERVER, 80], Flag.ack);
    return sent;
  };

  /** Seen to fail with earlyDrop() made to look at assured entries too. */
  it("that is full takes what has not been answered yet, and never what stands", () => {
    const bench = new Bench({ minEntries: 4, maxPerCore: 1 });
    for (const port of [1, 2, 3]) establish(bench, port);
    bench.send([CLIENT, 4, SERVER, 80], Flag.syn);
    // 5 takes the place of 4, which is not assured; then it becomes so itself.
    expect(establish(bench, 5)).toEqual([CLIENT, 5, SERVER, 80]);
    expect(bench.table.counters).toMatchObject({ earlyDropped: 1, dropped: 0 });
    expect(establish(bench, 6)).toBe("conntrack_full");
    expect(bench.table.counters).toMatchObject({ earlyDropped: 1, dropped: 1, insertFailed: 0 });
    for (const port of [1, 2, 3, 5]) {
      expect(bench.send([SERVER, 80, CLIENT, port], Flag.ack)).toHaveLength(4);
    }
    expect(bench.table.count).toBe(4);
  });

  it("that is full makes room of what has timed out", () => {
    const bench = new Bench({ minEntries: 3, maxPerCore: 1, collectIntervalNs: hours(2000) });
    for (const port of [1, 2, 3]) establish(bench, port);
    expect(establish(bench, 4)).toBe("conntrack_full");
    bench.sim.run(hours(24));
    // The first packet finds only expired entries in its buckets, and is dropped all the same.
    expect(establish(bench, 5)).toBe("conntrack_full");
    expect(establish(bench, 6)).toHaveLength(4);
    expect(bench.table.counters.earlyDropped).toBe(0);
  });

  /**
   * 64 tuples of eight buckets are looked at, however large the table. Seen to fail with a search of the
   * whole table: every packet found the one entry that could go.
   */
  it("that is full of standing connections is not searched through for the one that could go", () => {
    const bench = new Bench({ minEntries: 4000, maxPerCore: 1 });
    for (let port = 1; port < 4000; port++) establish(bench, port);
    bench.send([CLIENT, 4000, SERVER, 80], Flag.syn);
    let dropped = 0;
    while (establish(bench, 5000 + dropped) === "conntrack_full") dropped++;
    // Each try finds it with chance 64 in 4000; the chance that 20 tries do is 27 %, and the seed is fixed.
    expect(dropped).toBeGreaterThan(20);
    expect(bench.table.counters).toMatchObject({ earlyDropped: 1, dropped });
  });

  // Broken on purpose: a bucket, or a tuple of each, more than the profile says.
  it("that is full looks at so many buckets and tuples, and at no more", () => {
    for (const none of [{ evictionBuckets: 0 }, { tuplesPerBucket: 0 }]) {
      const bench = new Bench({ minEntries: 1, maxPerCore: 1, ...none });
      bench.send([CLIENT, 1, SERVER, 80], Flag.syn);
      expect(bench.send([CLIENT, 2, SERVER, 80], Flag.syn)).toBe("conntrack_full");
    }
    const one = { evictionBuckets: 1, tuplesPerBucket: 1 };
    const bench = new Bench({ minEntries: 1, maxPerCore: 1, ...one });
    bench.send([CLIENT, 1, SERVER, 80], Flag.syn);
    expect(bench.send([CLIENT, 2, SERVER, 80], Flag.syn)).toHaveLength(4);
  });

  /** gc_worker: above 95 % of a table that has been full, closing connections go when they are looked at. */
  it("that was full lets the collector take closing connections", () => {
    const bench = new Bench({ minEntries: 3, maxPerCore: 1 });
    for (const port of [1, 2, 3]) establish(bench, port);
    bench.send([CLIENT, 1, SERVER, 80], FIN_ACK);
    bench.send([SERVER, 80, CLIENT, 1], Flag.ack);
    expect(bench.state).toBe(CtState.closeWait);
    expect(establish(bench, 4)).toBe("conntrack_full");
    bench.sim.run(seconds(61));
    expect(establish(bench, 4)).toHaveLength(4);
    expect(bench.table.count).toBe(3);
    // But on that pass only. Seen to fail with the collector hurried for ever.
    bench.send([CLIENT, 2, SERVER, 80], FIN_ACK);
    bench.send([SERVER, 80, CLIENT, 2], Flag.ack);
    bench.sim.run(seconds(200));
    expect(bench.send([CLIENT, 5, SERVER, 80], Flag.syn)).toBe("conntrack_full");
  });

  /**
   * nf_conntrack_max95: from 95 % on, and entry by entry. Seen to fail with 19 of 20 taken for too few, and with all
   * that close taken however few are left.
   */
  it("that was full gives up closing connections while 95 % of it is taken", () => {
    const bench = new Bench({ minEntries: 20, maxPerCore: 1 });
    for (let port = 1; port <= 20; port++) establish(bench, port);
    expect(establish(bench, 21)).toBe("conntrack_full");
    bench.table.deleteEntries(6, ({ originalSourcePort }) => originalSourcePort === 1);
    for (const port of [18, 19, 20]) {
      bench.send([CLIENT, port, SERVER, 80], FIN_ACK);
      expect(bench.state).toBe(CtState.finWait);
    }
    expect(bench.table.count).toBe(19);
    bench.sim.run(seconds(100));
    // A new connection finds the collector's pass due: one entry goes, and then there are too few.
    bench.send([CLIENT, 30, SERVER, 80], Flag.syn);
    expect(bench.table.count).toBe(18 + 1);
  });

  it("takes for closing what tcp_can_early_drop() does", () => {
    // Seen to fail: CLOSE left out.
    const closing = Object.entries(CtState).filter(([, state]) => canEarlyDrop(state));
    const names = closing.map(([name]) => name);
    expect(names).toEqual(["finWait", "closeWait", "lastAck", "timeWait", "close"]);
  });

  /** Unconfirmed entries are in no bucket yet. Seen to fail with those taken too. */
  it("that is full takes nothing that is still on its way through netfilter", () => {
    const bench = new Bench({ minEntries: 1, maxPerCore: 1, confirmNs: 1000 });
    expect(bench.send([CLIENT, 1, SERVER, 80], Flag.syn)).toHaveLength(4);
    expect(bench.send([CLIENT, 2, SERVER, 80], Flag.syn)).toBe("conntrack_full");
    bench.sim.run(1001);
    expect(bench.send([CLIENT, 2, SERVER, 80], Flag.syn)).toHaveLength(4);
    expect(bench.table.counters.earlyDropped).toBe(1);
  });

  /**
   * A SYN a second, each of which times out after 120 s. Seen to fail with collect() left out of begin(), and with a
   * look at each entry a minute after the last one at that entry.
   */
  it("is gone through by a collector once a minute, which takes out all that has timed out", () => {
    const bench = new Bench();
    const passes: number[] = [];
    for (let s = 1, before = 0; s <= 600; s++) {
      bench.sim.run(seconds(s));
      bench.send([CLIENT, 1000 + s, SERVER, 80], Flag.syn);
      const { count } = bench.table;
      if (count <= before) {
        passes.push(s);
        expect(count).toBe(120);
      }
      before = count;
    }
    expect(passes.length).toBeGreaterThan(5);
    for (const [index, s] of passes.slice(1).entries()) expect(s - passes[index]!).toBe(60);
  });

  it("forgets whom it knew under an entry that stands for another now", () => {
    const bench = new Bench();
    bench.send(there, Flag.syn);
    const old = bench.table.entry;
    bench.send(back, Flag.rst);
    bench.send([CLIENT, 41_000, SERVER, 80], Flag.syn);
    expect(bench.table.entry).toBe(old);
    expect(bench.send(back, Flag.ack)).toEqual(back);
    expect(bench.table.entry).not.toBe(old);
  });

  it("tells hosts apart that share its memory", () => {
    const bench = new Bench();
    const other = new Conntrack(bench.sim, {
      host: 1,
      hostName: "other",
      masqueradeAddress: () => 8,
      cores: 1,
      profile: linuxProfile.conntrack,
      tables: bench.tables,
    });
    bench.nat = dnat(SERVER, 80);
    bench.send([CLIENT, 40_000, VIP, 8080], Flag.syn);
    const packet = new Packet(0);
    Object.assign(packet, { source: CLIENT, sourcePort: 40_000, destination: VIP });
    Object.assign(packet, { destinationPort: 8080, flags: Flag.syn });
    other.track(packet, "PREROUTING", new Set(), null, null);
    expect(packet.destination).toBe(VIP);
    expect([bench.table.count, other.count]).toEqual([1, 1]);
  });
});

describe("whoever keeps books of connections", () => {
  /** What a watcher is told while a connection lives, as "what entry". */
  function watched() {
    const bench = new Bench();
    bench.nat = dnat(SERVER, 80);
    const told: string[] = [];
    bench.table.watcher = {
      establishedNs: Infinity,
      lifeNs: () => Infinity,
      keeps: () => false,
      began: (entry) => told.push(`began ${entry}`),
      activity: (entry, isActive) => told.push(`${isActive ? "active" : "inactive"} ${entry}`),
      reopened: (entry) => told.push(`reopened ${entry}`),
      ended: (entry) => told.push(`ended ${entry}`),
    };
    return { bench, told: () => told.splice(0) };
  }
  const dial: Tuple = [CLIENT, 40_000, VIP, 80];

  it("is told of the beginning, of the first side that closes, and of the end", () => {
    const { bench, told } = watched();
    bench.send(dial, Flag.syn);
    expect(told()).toEqual(["began 0"]);
    bench.send(back, SYN_ACK);
    bench.send(dial, Flag.ack);
    bench.send(dial, Flag.ack);
    expect(told()).toEqual([]);
    bench.send(dial, FIN_ACK);
    bench.send(back, FIN_ACK);
    expect(told()).toEqual(["inactive 0"]);
    bench.table.forget(0);
    expect(told()).toEqual(["ended 0"]);
    expect(bench.table.count).toBe(0);
  });

  it("is told that a SYN uses a closed connection's tuple again, before it is judged anew", () => {
    const { bench, told } = watched();
    bench.send(dial, Flag.syn);
    bench.send(back, SYN_ACK);
    bench.send(back, Flag.rst);
    told();
    bench.send(dial, Flag.syn);
    expect(told()).toEqual(["reopened 0", "ended 0", "began 0"]);
  });

  it("is told of a refused connection's end, and nothing of what was dropped before it had an entry", () => {
    const { bench, told } = watched();
    bench.send(dial, Flag.syn);
    bench.send(back, Flag.rst);
    expect(told()).toEqual(["began 0", "ended 0"]);
    bench.nat = rules((_packet, decision) => {
      decision.verdict = NatVerdict.drop;
    });
    bench.send(dial, Flag.syn);
    expect(told()).toEqual([]);
  });
});
