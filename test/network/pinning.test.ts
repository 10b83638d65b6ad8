/**
 * When a connection keeps its endpoint and when it chooses anew while the rules change under it:
 * timings §10 and §14.16-18, measured on Linux.
 */
import { describe, expect, it } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import type { AddressId } from "../../src/network/address.ts";
import { NatVerdict } from "../../src/network/nat.ts";
import type { Guest } from "../../src/network/kinds/contract.ts";
import { call, guest, listen, Recorder, rules, wire, type Wire } from "../helpers/wire.ts";

/** A client on node 1 that dials a virtual address, which node 1 sends to `target`. */
interface Cluster {
  readonly net: Wire;
  readonly a: Guest;
  readonly b: Guest;
  readonly c: Guest;
  readonly vip: AddressId;
  readonly serverB: Recorder;
  readonly serverC: Recorder;
  /** null: dropped by the rules. */
  target: AddressId | null;
}

function cluster(): Cluster {
  const net = wire();
  const vip = net.network.addresses.intern("10.96.0.10");
  const [a, b, c] = [guest(net, 0, "a"), guest(net, 1, "b"), guest(net, 1, "c")];
  const [serverB, serverC] = [new Recorder(net, 10), new Recorder(net, 10)];
  listen(net, b, 80, serverB);
  listen(net, c, 80, serverC);
  const made: Cluster = { net, a, b, c, vip, serverB, serverC, target: b.addresses[0]! };
  net.network.hosts[0]!.nat = rules((packet, decision) => {
    if (packet.destination !== vip) return;
    if (made.target === null) {
      decision.verdict = NatVerdict.drop;
      decision.rule = "dropped";
    } else {
      decision.dnatAddress = made.target;
      decision.dnatPort = 80;
    }
  });
  return made;
}

const HANDSHAKE = 82_280;

describe("a SYN that waits while the rules are mended", () => {
  /** Seen to fail with the entry taken back whenever its first packet was lost, wherever that was. */
  it("stays with the dead endpoint when it is lost beyond this node; only a new socket escapes", () => {
    const made = cluster();
    const { net, a, b, c, vip, serverC } = made;
    net.network.hosts[1]!.nat = rules((packet, decision) => {
      if (packet.destination !== b.addresses[0]) return;
      decision.verdict = NatVerdict.drop;
      decision.rule = "dead";
    });
    const pinned = call(net, a, vip, 80);
    net.sim.run(seconds(2.5));
    made.target = c.addresses[0]!;
    const fresh = call(net, a, vip, 80);
    net.sim.run(seconds(200));
    expect(fresh.client.events).toEqual(["connected"]);
    expect(fresh.client.timesNs).toEqual([seconds(2.5) + HANDSHAKE]);
    // Eleven SYNs, all to b.
    expect(pinned.client.events).toEqual(["ETIMEDOUT"]);
    expect(pinned.client.timesNs).toEqual([seconds(131)]);
    expect(net.network.drops.get("node-2/netfilter")?.get("dead")).toBe(11);
    expect(serverC.events).toEqual([]);
  });

  /** Seen to fail with the entry forgotten before the ICMP error was sent: nobody was told. */
  it("is told at once when a node that forwards has no route for the endpoint, and nothing is remembered", () => {
    const made = cluster();
    const { net, a, c, vip } = made;
    made.target = net.network.addresses.intern("198.51.100.1");
    const { client } = call(net, a, vip, 80);
    net.sim.run(seconds(0.5));
    expect(net.network.drops.get("node-1/route")?.get("no_route")).toBe(1);
    expect(client.events).toEqual(["ENETUNREACH"]);
    expect(net.network.hosts[0]!.conntrack!.count).toBe(0);
    made.target = c.addresses[0]!;
    const fresh = call(net, a, vip, 80);
    net.sim.run(seconds(1));
    expect(fresh.client.events).toEqual(["connected"]);
  });

  /** Seen to fail with the entry forgotten all the same. */
  it("is told that the host is unreachable where a table of its own holds the connection, which stays", () => {
    const made = cluster();
    const { net, a, vip } = made;
    const conntrack = net.network.hosts[0]!.conntrack!;
    made.target = net.network.addresses.intern("198.51.100.1");
    conntrack.watcher = {
      establishedNs: seconds(900),
      lifeNs: () => Infinity,
      keeps: () => true,
      began: () => undefined,
      activity: () => undefined,
      reopened: () => undefined,
      ended: () => undefined,
    };
    const { client } = call(net, a, vip, 80);
    net.sim.run(seconds(0.5));
    expect(client.events).toEqual(["EHOSTUNREACH"]);
    expect(conntrack.count).toBe(1);
  });

  /** Seen to fail with the entry kept, and with an ICMP error to the sender itself, over its loopback. */
  it("chooses anew at its next try when its own node translated it and has no route: no error ends connect()", () => {
    const made = cluster();
    const { net, c, vip } = made;
    const host = net.network.hosts[0]!;
    made.target = net.network.addresses.intern("198.51.100.1");
    const { client } = call(net, host.namespace, vip, 80);
    net.sim.run(seconds(0.5));
    expect(net.network.drops.get("node-1/route")?.get("no_route")).toBe(1);
    expect(client.events).toEqual([]);
    expect(host.namespace.loopback.packets).toBe(0);
    expect(host.conntrack!.count).toBe(0);
    made.target = c.addresses[0]!;
    net.sim.run(seconds(2));
    expect(client.events).toEqual(["connected"]);
  });

  it("chooses anew at its next try when this node's rules had dropped it", () => {
    const made = cluster();
    const { net, a, c, vip } = made;
    made.target = null;
    const { client } = call(net, a, vip, 80);
    net.sim.run(seconds(2.5));
    made.target = c.addresses[0]!;
    net.sim.run(seconds(10));
    expect(client.events).toEqual(["connected"]);
    expect(client.timesNs).toEqual([seconds(3) + HANDSHAKE]);
  });

  it("is an error after 3 s, not a second choice, when nobody answers ARP", () => {
    const made = cluster();
    const { net, a, b, c, vip, serverC } = made;
    net.guests.del(b);
    const { client } = call(net, a, vip, 80);
    net.sim.run(seconds(1.5));
    made.target = c.addresses[0]!;
    net.sim.run(seconds(10));
    expect(client.events).toEqual(["EHOSTUNREACH"]);
    expect(serverC.events).toEqual([]);
  });
});

describe("a connection that stands", () => {
  it("goes on to its endpoint after the rules have lost it", () => {
    const made = cluster();
    const { net, a, c, vip, serverB, serverC } = made;
    const { socket, client } = call(net, a, vip, 80);
    net.sim.run(seconds(1));
    made.target = c.addresses[0]!;
    for (let i = 1; i <= 3; i++) net.transport.send(socket, 100, i, 0, false);
    net.sim.run(seconds(2));
    expect(client.events).toEqual(["connected", "message 1", "message 2", "message 3"]);
    expect(serverB.events).toEqual(["accepted", "message 1", "message 2", "message 3"]);
    expect(serverC.events).toEqual([]);
    expect(net.network.hosts[0]!.conntrack!.counters.inserted).toBe(1);
  });

  it("is forgotten after a day, and its next packet goes where the rules now say: a reset", () => {
    const made = cluster();
    const { net, a, c, vip } = made;
    const { socket, client } = call(net, a, vip, 80);
    net.sim.run(seconds(1));
    net.transport.send(socket, 100, 1, 0, false);
    net.sim.run(seconds(2));
    made.target = c.addresses[0]!;
    net.sim.run(seconds(2) + seconds(24 * 3600));
    net.transport.send(socket, 100, 2, 0, false);
    net.sim.run(net.sim.nowNs + seconds(1));
    expect(client.events).toEqual(["connected", "message 1", "ECONNRESET"]);
  });
});

describe("a port that comes round", () => {
  /** Seen to fail while an entry in TIME_WAIT kept its endpoint for the next connection of that port. */
  it("goes to the endpoint of today", () => {
    const made = cluster();
    const { net, a, c, vip, serverB, serverC } = made;
    const first = call(net, a, vip, 80);
    net.sim.run(seconds(1));
    net.transport.send(first.socket, 100, 1, 1, false);
    net.sim.run(seconds(2));
    // The server closed first, so the client's port is free at once.
    expect(first.client.events).toEqual(["connected", "message 1", "eof"]);
    made.target = c.addresses[0]!;
    const { localPortFirst, localPortLast } = net.network.profile.tcp;
    for (let i = localPortFirst; i < localPortLast; i++) {
      net.transport.close(call(net, a, net.network.addresses.intern("192.0.2.1"), 80).socket);
    }
    const again = call(net, a, vip, 80);
    expect(again.socket.localPort).toBe(localPortFirst);
    net.sim.run(seconds(3));
    net.transport.send(again.socket, 100, 2, 0, false);
    net.sim.run(seconds(4));
    expect(serverC.events).toEqual(["accepted", "message 2"]);
    expect(serverB.events).toEqual(["accepted", "message 1"]);
  });
});
