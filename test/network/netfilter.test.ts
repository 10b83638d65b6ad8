/**
 * What a host's netfilter does with packets beyond one connection's entry: which address MASQUERADE writes,
 * the host's own sockets, hairpins, and packets that belong to nothing.
 */
import { describe, expect, it } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import { NO_ADDRESS, type AddressId } from "../../src/network/address.ts";
import { Flag, NO_SOCKET } from "../../src/network/packet.ts";
import type { NatDecision, NatRules } from "../../src/network/nat.ts";
import type { Guest } from "../../src/network/kinds/contract.ts";
import {
  call,
  guest,
  hop,
  listen,
  namespaceOf,
  Recorder,
  rules,
  wire,
  type Wire,
} from "../helpers/wire.ts";

/** Every packet for `port` goes to `target`:80, masqueraded if so asked. */
function forward(port: number, target: () => Guest, masquerade: boolean): NatRules {
  return rules((packet, decision: NatDecision) => {
    if (packet.destinationPort !== port) return;
    Object.assign(decision, { dnatAddress: target().addresses[0], dnatPort: 80, masquerade });
  });
}

/** Who a server sees as its peer. */
function peerOf(net: Wire, server: Recorder): string {
  return net.network.addresses.text(server.sockets[0]!.remoteAddress);
}

function setup(nodeOfServer: number) {
  const net = wire();
  const server = new Recorder(net, 10);
  const b = guest(net, nodeOfServer, "b");
  listen(net, b, 80, server);
  return { net, server, b };
}

/** A client's request, of which the server is to see the address. */
function ask(net: Wire, from: Parameters<typeof call>[1], to: AddressId, port: number): Recorder {
  const { socket, client } = call(net, from, to, port);
  net.sim.run(net.sim.nowNs + seconds(1));
  if (client.events[0] === "connected") net.transport.send(socket, 10, 1, 0, false);
  net.sim.run(net.sim.nowNs + seconds(1));
  return client;
}

describe("MASQUERADE", () => {
  /** inet_select_addr() of the device that the packet leaves by. Seen to fail with the host's own address. */
  it("towards a guest of the node writes the bridge's address, towards another node the node's", () => {
    for (const [node, seen] of [
      [0, "10.244.1.1"],
      [1, "192.168.0.11"],
    ] as const) {
      const { net, server, b } = setup(node);
      const [first] = net.network.hosts;
      first!.nat = forward(30_080, () => b, true);
      const outside = net.network.hosts[net.outside]!.namespace;
      const client = ask(net, outside, first!.address, 30_080);
      expect(client.events).toEqual(["connected", "message 1"]);
      expect([node, peerOf(net, server)]).toEqual([node, seen]);
    }
  });

  it("leaves a packet for the node itself alone, for it does not pass POSTROUTING", () => {
    const net = wire();
    const [first] = net.network.hosts;
    const server = new Recorder(net, 10);
    net.transport.listen(first!.namespace, 80, server);
    first!.nat = rules((packet, decision) => {
      if (packet.destinationPort !== 30_080) return;
      Object.assign(decision, { dnatAddress: first!.address, dnatPort: 80, masquerade: true });
    });
    const outside = net.network.hosts[net.outside]!.namespace;
    expect(ask(net, outside, first!.address, 30_080).events).toEqual(["connected", "message 1"]);
    expect(peerOf(net, server)).toBe("203.0.113.5");
  });

  /** A pod that is its own Service's endpoint. Without it the answer would not pass the node. */
  it("lets a guest reach itself through a virtual address", () => {
    const { net, server, b } = setup(0);
    const vip = net.network.addresses.intern("10.96.0.10");
    net.network.hosts[0]!.nat = forward(8080, () => b, true);
    expect(ask(net, b, vip, 8080).events).toEqual(["connected", "message 1"]);
    expect(peerOf(net, server)).toBe("10.244.1.1");
  });
});

describe("the host's own sockets", () => {
  /** Seen to fail while a packet to an own address went straight into loopback: ECONNREFUSED. */
  it("reach a node port of the own host: nat OUTPUT comes before loopback", () => {
    const { net, server, b } = setup(1);
    const [first] = net.network.hosts;
    first!.nat = forward(30_080, () => b, true);
    const client = ask(net, first!.namespace, first!.address, 30_080);
    expect(client.events).toEqual(["connected", "message 1"]);
    expect(peerOf(net, server)).toBe("192.168.0.11");
  });

  it("reach a port of the own host over loopback, tracked once", () => {
    const net = wire();
    const [first] = net.network.hosts;
    const server = new Recorder(net, 10);
    net.transport.listen(first!.namespace, 80, server);
    const client = ask(net, first!.namespace, first!.address, 80);
    expect(client.events).toEqual(["connected", "message 1"]);
    expect(first!.conntrack!.counters.inserted).toBe(1);
    expect(hop(net, "node-1/lo").packets).toBeGreaterThan(0);
  });

  it("are refused by a closed port of the own host, and by a reject", () => {
    const net = wire();
    const [first] = net.network.hosts;
    expect(ask(net, first!.namespace, first!.address, 81).events).toEqual(["ECONNREFUSED"]);
    first!.nat = rules((_packet, decision) => {
      decision.verdict = 2;
      decision.rule = "no_endpoints";
    });
    expect(ask(net, first!.namespace, first!.address, 82).events).toEqual(["ECONNREFUSED"]);
  });
});

describe("a packet that belongs to no connection", () => {
  /** Sends a RST that conntrack has never heard of, from a guest. */
  function stray(net: Wire, from: Guest, to: AddressId): void {
    const packet = net.network.packets.take();
    Object.assign(packet, {
      protocol: 6,
      source: from.addresses[0],
      sourcePort: 1,
      destination: to,
      destinationPort: 2,
      flags: Flag.rst,
      packets: 1,
      wireBytes: 90,
      originSocket: NO_SOCKET,
    });
    net.stack.output(packet, namespaceOf(net, from));
  }

  /** KUBE-FORWARD. Seen to fail with the drop at conntrack itself: it also hit what was for the node. */
  it("is dropped where it is forwarded and the rules say so, and nowhere else", () => {
    for (const dropsInvalid of [true, false]) {
      const net = wire();
      const [a, b] = [guest(net, 0, "a"), guest(net, 1, "b")];
      net.network.hosts[0]!.nat = { dropsInvalid, decide: () => {} };
      stray(net, a, b.addresses[0]!);
      stray(net, a, net.network.hosts[0]!.address);
      net.sim.run(seconds(1));
      const { delivered, dropped } = net.network.packets;
      expect([delivered, dropped]).toEqual(dropsInvalid ? [1, 1] : [2, 0]);
      expect(net.network.drops.get("node-1/netfilter")?.get("conntrack_invalid") ?? 0).toBe(
        dropped,
      );
      expect(net.network.hosts[0]!.conntrack!.counters.invalid).toBe(2);
    }
  });

  it("is let through where nobody has said anything", () => {
    const net = wire();
    const [a, b] = [guest(net, 0, "a"), guest(net, 1, "b")];
    stray(net, a, b.addresses[0]!);
    net.sim.run(seconds(1));
    expect([net.network.packets.delivered, net.network.packets.dropped]).toEqual([1, 0]);
  });
});

describe("loopback", () => {
  /** MTU 65,536: a train of 64 KiB is two packets, not 46. */
  it("carries a message in packets of its own MTU, and the wire in packets of 1500 B", () => {
    for (const [to, name, packets] of [
      ["a", "a/lo", 3],
      ["b", "node-1/eth0", 70],
    ] as const) {
      const net = wire();
      const [a, b] = [guest(net, 0, "a"), guest(net, 1, "b")];
      for (const each of [a, b]) listen(net, each, 80, new Recorder(net));
      const { socket } = call(net, a, (to === "a" ? a : b).addresses[0]!, 80);
      net.sim.run(seconds(1));
      const before = hop(net, name).packets;
      net.transport.send(socket, 100_000, 1, 0, false);
      net.sim.run(seconds(2));
      // 65,536 + 34,464 B: 2 + 1 packets of 65,484 B, or 46 + 24 of 1,448 B.
      expect([to, hop(net, name).packets - before]).toEqual([to, packets]);
    }
  });
});

describe("an address", () => {
  it("of another family than the namespace has cannot be dialled", () => {
    const net = wire();
    const a = namespaceOf(net, guest(net, 0, "a"));
    const six = net.network.addresses.intern("fd00::1");
    expect(net.transport.connect(a, six, 80, new Recorder(net), 0)).toBeNull();
    expect(net.transport.udp.connect(a, six, 80, new Recorder(net), 0)).toBeNull();
    const socket = net.transport.udp.bind(a, NO_ADDRESS, 0, { datagram: () => {} }, 0)!;
    expect(net.transport.udp.sendTo(socket, six, 80, 10, 0, 0)).toBe(false);
    expect(net.network.packets.sent).toBe(0);
  });
});
