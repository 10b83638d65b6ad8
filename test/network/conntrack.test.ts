/**
 * Connection tracking of one host, packet by packet: states, time-outs, translation, the table's limit.
 * Sources: timings §10 (nf_conntrack-sysctl), §7.4 (what kube-proxy sets), nf_conntrack_proto_tcp.c.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hours, seconds, Simulation } from "../../src/engine/index.ts";
import type { AddressId } from "../../src/network/address.ts";
import { Conntrack, CtState, Track } from "../../src/network/conntrack.ts";
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
      address: NODE,
      cores: 1,
      profile: { ...linuxProfile.conntrack, ...profile },
      tables: this.tables,
    });
  }

  /** What becomes of a packet: its tuple after translation, or the cause of its drop. */
  send([source, sourcePort, destination, destinationPort]: Tuple, flags: number): Tuple | string {
    const packet = new Packet(0);
    Object.assign(packet, { source, sourcePort, destination, destinationPort, flags });
    const verdict = this.table.track(packet, "PREROUTING", new Set([NODE]), this.nat, null);
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
      [there, Flag.ack, CtState.finWait, seconds(120)],
      [there, FIN_ACK, CtState.timeWait, seconds(120)],
    ];
    for (const [tuple, flags, state, leftNs] of steps) {
      bench.sim.run(bench.sim.nowNs + seconds(1));
      bench.send(tuple, flags);
      expect([bench.state, bench.leftNs]).toEqual([state, leftNs]);
    }
    expect(bench.table.inserted).toBe(1);
  });

  it("is closed by a RST and kept for 10 s", () => {
    const bench = new Bench();
    bench.send(there, Flag.syn);
    bench.send(back, SYN_ACK);
    bench.send(back, Flag.rst);
    expect([bench.state, bench.leftNs]).toEqual([CtState.close, seconds(10)]);
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

  it("begins in the middle of a connection too, but not with a RST", () => {
    // nf_conntrack_tcp_loose = 1; a RST for nothing known is INVALID.
    const bench = new Bench();
    expect(bench.send(there, Flag.rst)).toBe("conntrack_invalid");
    expect(bench.table.count).toBe(0);
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
    expect(bench.table.inserted).toBe(2);
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
    const bench = new Bench({ snatPortFirst: 5000, snatPortLast: 5007 });
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
      port: fc.integer({ min: 1000, max: 1005 }),
      endpoint: fc.integer({ min: 20, max: 21 }),
      masquerade: fc.boolean(),
      refuse: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const bench = new Bench({ snatPortFirst: 1000, snatPortLast: 1007 });
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
      address: NODE,
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
    for (let port = 0; verdict === Track.pass; port++) {
      const packet = new Packet(0);
      Object.assign(packet, { source: CLIENT, sourcePort: port, destination: SERVER, flags: 1 });
      verdict = table.track(packet, "PREROUTING", new Set(), null, null);
    }
    expect(table.cause).toBe("conntrack_full");
    expect(table.count).toBe(limit / 256);
  });

  it("makes room of what has timed out, and only of that", () => {
    const bench = new Bench({ minEntries: 3, maxPerCore: 1, collectIntervalNs: hours(1) });
    const send = (port: number): Tuple | string => bench.send([CLIENT, port, SERVER, 80], Flag.syn);
    send(1);
    send(2);
    bench.sim.run(seconds(60));
    send(3);
    expect(send(4)).toBe("conntrack_full");
    bench.sim.run(seconds(120));
    // 1 and 2 have timed out, 3 has another 60 s.
    expect([send(5), send(6)].map((sent) => typeof sent)).toEqual(["object", "object"]);
    expect(send(7)).toBe("conntrack_full");
  });

  /** Seen to fail with collect() left out of begin(). */
  it("is gone through by a collector that takes out what has timed out, each a minute after the last look", () => {
    const bench = new Bench();
    bench.send([CLIENT, 1, SERVER, 80], Flag.syn);
    bench.send([CLIENT, 2, SERVER, 80], Flag.syn);
    bench.send([SERVER, 80, CLIENT, 2], SYN_ACK);
    bench.send([CLIENT, 2, SERVER, 80], Flag.ack);
    for (const [s, count] of [
      // Port 1 times out at 120 s. It is looked at when 60 s are over, so at 100 s, and next at 160 s.
      [100, 3],
      [159, 4],
      [161, 4],
      // So is that of 100 s: timed out at 220 s, looked at at 161 s and 221 s.
      [222, 4],
    ] as const) {
      bench.sim.run(seconds(s));
      bench.send([CLIENT, 1000 + s, SERVER, 80], Flag.syn);
      expect([s, bench.table.count]).toEqual([s, count]);
    }
  });

  it("forgets whom it knew under an entry that stands for another now", () => {
    const bench = new Bench();
    bench.send(there, Flag.syn);
    const old = bench.table.entry;
    bench.send(back, Flag.rst);
    bench.send([CLIENT, 41_000, SERVER, 80], Flag.syn);
    expect(bench.table.entry).toBe(old);
    expect(bench.send(back, SYN_ACK)).toEqual(back);
    expect(bench.table.entry).not.toBe(old);
  });

  it("tells hosts apart that share its memory", () => {
    const bench = new Bench();
    const other = new Conntrack(bench.sim, {
      host: 1,
      hostName: "other",
      address: 8,
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
