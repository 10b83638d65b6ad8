/** Hosts that stand still or have no power, cables that lead nowhere, CPUs that others use, conntrack emptied. */
import { describe, expect, test } from "vitest";
import { ms, Phase, seconds } from "../../src/engine/index.ts";
import { HostState } from "../../src/network/host.ts";
import { linuxProfile } from "../../src/network/profile.ts";
import { call, guest, hop, listen, namespaceOf, Recorder, rules, wire } from "../helpers/wire.ts";

/** A client on node-1 with a connection to a server on node-2 that answers each message with 100 bytes. */
function connected() {
  const net = wire();
  const [a, b] = [guest(net, 0, "a"), guest(net, 1, "b")];
  const server = new Recorder(net, 100);
  listen(net, b, 80, server);
  const { socket, client } = call(net, a, b.addresses[0]!, 80);
  net.sim.run(seconds(1));
  expect(client.events).toEqual(["connected"]);
  const [first, second] = [net.network.hosts[0]!, net.network.hosts[1]!];
  const drops = (place: string): Record<string, number> =>
    Object.fromEntries(net.network.drops.get(place) ?? []);
  return { net, a, b, server, socket, client, first, second, drops };
}

describe("a partition", () => {
  test("one way: what the client sends arrives, and the answer does not until it is over", () => {
    const { net, socket, client, server, first, second, drops } = connected();
    net.stack.faultsOf(second).cut(first.index);
    net.transport.send(socket, 100, 7, 0, false);
    net.sim.run(seconds(2));
    expect(server.events).toEqual(["accepted", "message 7"]);
    expect(client.events).toEqual(["connected"]);
    expect(drops("switch/node-1")["partitioned"]).toBeGreaterThan(1);
    second.faults!.mend(first.index);
    net.sim.run(seconds(10));
    // The answer was sent again after 200, 400, 800 ms, ... from a little after 1 s on: at 2.4 s it arrives.
    expect(client.events).toEqual(["connected", "message 7"]);
    expect(Math.round(client.timesNs[1]! / 1e8)).toBe(24);
  });

  test("two that overlap: the line is there again when both are over", () => {
    const { net, client, a, b, first, second } = connected();
    const faults = net.stack.faultsOf(first);
    faults.cut(second.index);
    faults.cut(second.index);
    faults.mend(second.index);
    const again = call(net, a, b.addresses[0]!, 80);
    net.sim.run(seconds(1) + ms(500));
    expect(again.client.events).toEqual([]);
    faults.mend(second.index);
    expect(faults.isEmpty).toBe(true);
    // The SYN goes again after a second.
    net.sim.run(seconds(3));
    expect(again.client.events).toEqual(["connected"]);
    expect(client.events).toEqual(["connected"]);
  });
});

describe("a frozen host", () => {
  test("answers nothing, and when it goes on everything that was due happens then", () => {
    // Broken on purpose: packets at its door delivered while it stands still.
    const { net, socket, client, server, second } = connected();
    net.network.setState(second, HostState.frozen);
    net.transport.send(socket, 100, 7, 0, false);
    net.sim.run(seconds(30));
    expect(server.events).toEqual([]);
    expect(client.events).toEqual(["connected"]);
    net.network.setState(second, HostState.on);
    net.sim.run(seconds(31));
    expect(server.events).toEqual(["accepted", "message 7"]);
    expect(server.timesNs[1]! - seconds(30)).toBeLessThan(ms(1));
    expect(client.events).toEqual(["connected", "message 7"]);
    expect(net.network.outages).toBe(0);
  });

  test("holds as many packets as its NIC has room for; the others are lost by name", () => {
    const { net, a, b, second, drops } = connected();
    net.network.setState(second, HostState.frozen);
    const calls = Array.from({ length: 300 }, () => call(net, a, b.addresses[0]!, 80));
    net.sim.run(seconds(1) + ms(900));
    expect(drops("node-2/eth0")).toEqual({ rx_ring_full: 300 - linuxProfile.rxRingPackets });
    net.network.setState(second, HostState.on);
    net.sim.run(seconds(10));
    for (const { client } of calls) expect(client.events).toEqual(["connected"]);
  });

  test("its own retransmissions wait with it", () => {
    // The client's host freezes with a SYN unanswered; while it stands still no second one is sent.
    const { net, a, b, first, second } = connected();
    net.stack.faultsOf(first).cut(second.index);
    const { client } = call(net, a, b.addresses[0]!, 80);
    net.sim.run(seconds(1) + ms(100));
    net.network.setState(first, HostState.frozen);
    first.faults!.mend(second.index);
    const { packets } = hop(net, "node-1/eth0");
    net.sim.run(seconds(20));
    expect(client.events).toEqual([]);
    // Broken on purpose: the timer goes off all the same, and the SYN leaves.
    expect(hop(net, "node-1/eth0").packets).toBe(packets);
    net.network.setState(first, HostState.on);
    net.sim.run(seconds(21));
    expect(client.timesNs[0]! - seconds(20)).toBeLessThan(ms(1));
  });
});

describe("a host without power", () => {
  test("is silent: no reset, no refusal; and conntrack, neighbours and queues are empty afterwards", () => {
    const { net, socket, client, a, b, second, drops } = connected();
    expect(second.conntrack!.count).toBe(1);
    net.stack.powerOff(second);
    net.transport.closeNamespace(namespaceOf(net, b));
    net.transport.send(socket, 100, 7, 0, false);
    const late = call(net, a, b.addresses[0]!, 80);
    net.sim.run(seconds(5));
    expect(client.events).toEqual(["connected"]);
    expect(late.client.events).toEqual([]);
    expect(drops("node-2")["host_down"]).toBeGreaterThan(3);
    expect(second.conntrack!.count).toBe(0);
    expect(second.route(b.addresses[0]!).kind).toBe("unresolved");
    // With power it answers again: nobody has the address any more (3 s, timings §10).
    net.network.setState(second, HostState.on);
    net.sim.run(seconds(20));
    expect(late.client.events).toEqual(["EHOSTUNREACH"]);
  });

  test("what one of its own processes says at the end never leaves", () => {
    const { net, socket, server, client, second, drops } = connected();
    net.transport.send(socket, 100, 7, 0, false);
    net.sim.run(seconds(1) + ms(100));
    net.stack.powerOff(second);
    net.transport.close(server.sockets[0]!);
    net.sim.run(seconds(2));
    // The FIN, sent again after 200 and 600 ms.
    expect(drops("node-2")).toEqual({ host_down: 3 });
    expect(client.events).toEqual(["connected", "message 7"]);
  });
});

test("stolen CPU time: each packet takes its hops' CPU so many times as long, those of guests to come too", () => {
  const { net, first } = connected();
  const cpuOf = (name: string): number => {
    const veth = hop(net, name);
    const atNs = net.sim.nowNs + seconds(1);
    return veth.offer(atNs, 1000, 0) - atNs;
  };
  const before = cpuOf("node-1/a/out");
  expect(before).toBe(480_000);
  net.network.stretchCpu(first, 2);
  expect(cpuOf("node-1/a/in")).toBe(2 * before);
  guest(net, 0, "late");
  expect(cpuOf("node-1/late/out")).toBe(2 * before);
  expect(cpuOf("node-2/b/in")).toBe(before);
  net.network.stretchCpu(first, 1);
  expect(cpuOf("node-1/late/in")).toBe(before);
});

test("conntrack -F: the next packet of a translated connection is a first one and may be sent elsewhere", () => {
  // Broken on purpose: flush() that leaves the entries.
  const net = wire();
  const [a, b, c] = [guest(net, 0, "a"), guest(net, 1, "b"), guest(net, 1, "c")];
  for (const each of [b, c]) listen(net, each, 80, new Recorder(net, 100));
  const virtual = net.network.addresses.intern("10.96.0.1");
  let endpoint = b;
  const node = net.network.hosts[0]!;
  node.nat = rules((packet, decision) => {
    if (packet.destination !== virtual) return;
    decision.dnatAddress = endpoint.addresses[0]!;
    decision.dnatPort = 80;
  });
  const { socket, client } = call(net, a, virtual, 80);
  net.sim.run(seconds(1));
  net.transport.send(socket, 100, 1, 0, false);
  endpoint = c;
  net.sim.run(seconds(2));
  expect(client.events).toEqual(["connected", "message 1"]);
  node.conntrack!.flush();
  expect([node.conntrack!.count, node.conntrack!.counters.deleted]).toEqual([0, 1]);
  net.transport.send(socket, 100, 2, 0, false);
  net.sim.run(seconds(3));
  // The other endpoint knows nothing of the connection.
  expect(client.events).toEqual(["connected", "message 1", "ECONNRESET"]);
});

test("a fault that is over leaves nothing: a run with it and one without go on alike", () => {
  const run = (faulty: boolean): number[] => {
    const { net, a, b, first, second } = connected();
    if (faulty) {
      net.stack.faultsOf(first).cut(second.index);
      net.network.setState(second, HostState.frozen);
      net.network.stretchCpu(second, 3);
      net.sim.callAt(seconds(2), Phase.topology, () => {
        first.faults!.mend(second.index);
        net.network.setState(second, HostState.on);
        net.network.stretchCpu(second, 1);
      });
    }
    net.sim.run(seconds(3));
    const { client } = call(net, a, b.addresses[0]!, 80);
    net.sim.run(seconds(4));
    return client.timesNs;
  };
  expect(run(true)).toEqual(run(false));
});
