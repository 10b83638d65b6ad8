/**
 * The short way through conntrack, which packets of connections that stand take, against the long way: two
 * tables that see the same packets, one by hints and the short way where it is open, the other without
 * hints. Both must say the same of each packet, and hold the same.
 *
 * Seen to fail when passes() lets a packet with a FIN, a RST or an ICMP error through, does not ask for the
 * source, the ports, the protocol, the state, the expiry or the assured flag, leaves the time-out as it was, or
 * translates a reply as if it were an original packet; and when what hid the tuple of the packet before was not forgotten: the SYN that
 * reopened a connection was dropped after a clash of datagrams.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { hours, seconds, Simulation } from "../../src/engine/index.ts";
import { Conntrack, Track } from "../../src/network/conntrack.ts";
import { ConntrackTables } from "../../src/network/conntrackTable.ts";
import { Flag, Packet } from "../../src/network/packet.ts";
import { linuxProfile } from "../../src/network/profile.ts";
import { rules } from "../helpers/wire.ts";

const [SERVER, VIP] = [2, 3];
/** Two clients with two ports each, in turn under the hints of one socket. */
const CLIENTS = [1, 4];
const PORTS = [40_000, 40_001];
const TCP = 6;
const UDP = 17;

class Side {
  readonly sim = new Simulation({ seed: "short way" });
  readonly tables = new ConntrackTables();
  shortWays = 0;
  readonly #hints: Int32Array[] | null;
  readonly #table = new Conntrack(this.sim, {
    host: 0,
    hostName: "node",
    masqueradeAddress: () => 9,
    cores: 1,
    profile: linuxProfile.conntrack,
    tables: this.tables,
  });
  readonly #nat = rules((packet, decision) => {
    if (packet.destination === VIP) Object.assign(decision, { dnatAddress: SERVER, dnatPort: 80 });
  });

  constructor(usesHints: boolean) {
    const hintless = (): Int32Array => new Int32Array(1).fill(-1);
    this.#hints = usesHints ? [hintless(), hintless()] : null;
  }

  /** All that can be told of a packet's way through the table. */
  send(step: Step): string {
    const packet = packetOf(step);
    const hints = this.#hints?.[step.isReply ? 1 : 0] ?? null;
    const table = this.#table;
    let verdict: number = Track.pass;
    if (hints !== null && table.passes(packet, hints)) this.shortWays++;
    else verdict = table.track(packet, "PREROUTING", new Set(), this.#nat, hints);
    const { source, sourcePort, destination, destinationPort, tables } = packet;
    const { entry, direction, count, counters } = table;
    return JSON.stringify({
      verdict,
      packet: { source, sourcePort, destination, destinationPort, tables },
      table: { entry, direction: entry < 0 ? null : direction, count, counters: { ...counters } },
      entries: Array.from({ length: this.tables.size }, (_, id) => [
        this.tables.isAlive(id) && this.tables.stateOf(id),
        this.tables.isAlive(id) && this.tables.flagsOf(id),
        this.tables.isAlive(id) && this.tables.expiresAtNs[id],
      ]),
    });
  }
}

/** Mostly those of a connection that stands: an ACK and its answer make one (tcp_loose). */
const flags = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom<number>(Flag.ack, Flag.ack | Flag.push) },
  { weight: 1, arbitrary: fc.constantFrom<number>(Flag.syn, Flag.syn | Flag.ack) },
  { weight: 1, arbitrary: fc.constantFrom<number>(Flag.ack | Flag.fin, Flag.rst) },
  { weight: 1, arbitrary: fc.constant<number>(Flag.icmpPortUnreachable) },
);
const step = fc.record({
  isReply: fc.boolean(),
  connection: fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.nat(CLIENTS.length * PORTS.length - 1) },
  ),
  flags,
  isTcp: fc.nat(9).map((drawn) => drawn > 0),
  waitNs: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(0, 1000, seconds(1)) },
    { weight: 1, arbitrary: fc.constantFrom(seconds(130), hours(25)) },
  ),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function packetOf({ isReply, connection, flags: bits, isTcp }: Step): Packet {
  const client = CLIENTS[connection & 1]!;
  const clientPort = PORTS[connection >> 1]!;
  const tuple = isReply
    ? { source: SERVER, sourcePort: 80, destination: client, destinationPort: clientPort }
    : { source: client, sourcePort: clientPort, destination: VIP, destinationPort: 8080 };
  const protocol = isTcp ? TCP : UDP;
  return Object.assign(new Packet(0), tuple, { flags: bits, protocol, payloadBytes: 1 });
}

test("the short way does what the long one does", () => {
  let shortWays = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 60 }), (steps) => {
      const short = new Side(true);
      const long = new Side(false);
      for (const each of steps) {
        for (const { sim } of [short, long]) sim.run(sim.nowNs + each.waitNs);
        expect(short.send(each)).toBe(long.send(each));
      }
      shortWays += short.shortWays;
    }),
    { numRuns: 100, seed: 20 },
  );
  expect(shortWays).toBeGreaterThan(300);
});
