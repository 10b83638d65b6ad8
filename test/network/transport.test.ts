/** TCP over the wire, and nat under it: what each end sees while the target is there. */
import { describe, expect, it } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import { guest, listen, Recorder, rules, wire } from "../helpers/wire.ts";

describe("a connection between guests", () => {
  it("carries a message each way and ends in order on both sides", () => {
    const net = wire();
    const [a, b] = [guest(net, 0, "a"), guest(net, 1, "b")];
    const server = new Recorder(net, 100_000);
    listen(net, b, 80, server);
    const client = new Recorder(net);
    client.connected = function (this: Recorder, ...args: unknown[]) {
      net.transport.send(args[0] as never, 200, 7, 1, false);
    } as never;
    net.transport.connect(net.network.namespaces[a.namespace]!, b.addresses[0]!, 80, client, 0);
    net.sim.run(seconds(1));
    expect(server.events).toEqual(["accepted", "message 7"]);
    expect(client.events).toEqual(["message 7", "eof"]);
    expect(net.transport.sockets.inUse).toBe(0);
    expect(net.network.packets.inFlight).toBe(0);
  });
});

describe("nat", () => {
  it("sends a connection where its first packet went, and brings the reply back under the dialled address", () => {
    const net = wire();
    const [a, b, c] = [guest(net, 0, "a"), guest(net, 1, "b"), guest(net, 1, "c")];
    const vip = net.network.addresses.intern("10.96.0.10");
    let target = b.addresses[0]!;
    net.network.hosts[0]!.nat = rules((packet, decision) => {
      if (packet.destination !== vip) return;
      decision.dnatAddress = target;
      decision.dnatPort = 80;
    });
    const [serverB, serverC] = [new Recorder(net, 10), new Recorder(net, 10)];
    listen(net, b, 80, serverB);
    listen(net, c, 80, serverC);
    const client = new Recorder(net);
    const namespace = net.network.namespaces[a.namespace]!;
    const socket = net.transport.connect(namespace, vip, 8080, client, 0)!;
    net.sim.run(seconds(1));
    target = c.addresses[0]!;
    net.transport.send(socket, 100, 1, 0, false);
    net.sim.run(seconds(2));
    expect(client.events).toEqual(["connected", "message 1"]);
    expect(serverB.events).toEqual(["accepted", "message 1"]);
    expect(serverC.log).toEqual([]);
  });

  it("masquerades: the endpoint sees the node, the client sees the node port", () => {
    const net = wire();
    const b = guest(net, 1, "b");
    const node1 = net.network.hosts[0]!;
    node1.nat = rules((packet, decision) => {
      if (packet.destinationPort !== 31_000) return;
      decision.dnatAddress = b.addresses[0]!;
      decision.dnatPort = 80;
      decision.masquerade = true;
    });
    const server = new Recorder(net, 10);
    listen(net, b, 80, server);
    const client = new Recorder(net);
    const laptop = net.network.hosts[net.outside]!.namespace;
    const socket = net.transport.connect(laptop, node1.address, 31_000, client, 0)!;
    net.sim.run(seconds(1));
    net.transport.send(socket, 100, 1, 0, false);
    net.sim.run(seconds(2));
    expect(client.events).toEqual(["connected", "message 1"]);
    expect(server.sockets[0]!.remoteAddress).toBe(node1.address);
  });

  it("cannot be reached from outside by an address that only nodes translate", () => {
    const net = wire();
    const vip = net.network.addresses.intern("10.96.0.10");
    const client = new Recorder(net);
    const laptop = net.network.hosts[net.outside]!.namespace;
    net.transport.connect(laptop, vip, 8080, client, 0);
    net.sim.run(seconds(1));
    expect(client.events).toEqual(["ENETUNREACH"]);
  });
});
