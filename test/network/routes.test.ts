/** Routes and neighbours of a host: longest prefix, who answers, and caches that follow every change. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import { parsePrefix } from "../../src/network/address.ts";
import type { Host } from "../../src/network/host.ts";
import { call, guest, listen, namespaceOf, Recorder, wire, type Wire } from "../helpers/wire.ts";

function where(net: Wire, host: Host, address: string): string {
  const egress = host.route(net.network.addresses.intern(address));
  if (egress.kind === "guest") return egress.namespace.name;
  return egress.kind === "host" ? net.network.hosts[egress.host]!.name : egress.kind;
}

describe("a host's way to an address", () => {
  it("is itself, its guest, another host, or nowhere", () => {
    const net = wire();
    guest(net, 0, "a");
    const node1 = net.network.hosts[0]!;
    expect(
      ["192.168.0.11", "10.244.1.2", "10.244.1.3", "10.244.2.2", "192.168.0.12", "8.8.8.8"].map(
        (address) => where(net, node1, address),
      ),
    ).toEqual(["local", "a", "unresolved", "node-2", "node-2", "unreachable"]);
  });

  it("is that of the longest prefix, in whatever order the routes came", () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
    ]) {
      const net = wire();
      const laptop = net.network.hosts[net.outside]!;
      const routes = [
        { prefix: parsePrefix("10.0.0.0/8"), to: 0 },
        { prefix: parsePrefix("10.9.0.0/16"), to: 1 },
        { prefix: parsePrefix("10.9.9.9/32"), to: 0 },
      ];
      for (const i of order) laptop.addRoute(routes[i]!);
      expect(["10.1.1.1", "10.9.1.1", "10.9.9.9"].map((to) => where(net, laptop, to))).toEqual([
        "node-1",
        "node-2",
        "node-1",
      ]);
    }
  });

  /** Seen to fail with the cache kept over unplug(), over plug(), and over addRoute(). */
  it("is never one of before the last change", () => {
    const net = wire();
    const node1 = net.network.hosts[0]!;
    expect(where(net, node1, "10.244.1.2")).toBe("unresolved");
    const a = guest(net, 0, "a");
    expect(where(net, node1, "10.244.1.2")).toBe("a");
    net.guests.del(a);
    expect(where(net, node1, "10.244.1.2")).toBe("unresolved");
    expect(where(net, node1, "10.7.0.1")).toBe("unreachable");
    node1.addRoute({ prefix: parsePrefix("10.7.0.0/16"), to: 1 });
    expect(where(net, node1, "10.7.0.1")).toBe("node-2");
  });

  it("is as a fresh lookup finds it, after any changes", () => {
    const address = (slot: number): string => `10.244.1.${slot}`;
    const step = fc.record({ slot: fc.integer({ min: 2, max: 5 }), plugged: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const net = wire();
        const node1 = net.network.hosts[0]!;
        const spare = namespaceOf(net, guest(net, 1, "spare"));
        const reference = new Set<number>();
        for (const { slot, plugged } of steps) {
          const id = net.network.addresses.intern(address(slot));
          const { routeGeneration } = node1;
          if (plugged) node1.plug(spare, spare.link!, id);
          else node1.unplug(id);
          expect(node1.routeGeneration).toBeGreaterThan(routeGeneration);
          if (plugged) reference.add(slot);
          else reference.delete(slot);
          for (const s of [2, 3, 4, 5]) {
            expect(where(net, node1, address(s))).toBe(reference.has(s) ? "spare" : "unresolved");
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe("a connection's cached way", () => {
  /** Seen to fail with cachedEgress() blind to the generation: the data went into the dead veth. */
  it("follows a change of the tables under it", () => {
    const net = wire();
    const [a, b] = [guest(net, 0, "a"), guest(net, 1, "b")];
    listen(net, b, 80, new Recorder(net));
    const { socket, client } = call(net, a, b.addresses[0]!, 80);
    net.sim.run(seconds(1));
    net.transport.send(socket, 100, 1, 0, false);
    net.sim.run(seconds(2));
    net.guests.del(b);
    net.transport.send(socket, 100, 2, 0, false);
    net.sim.run(seconds(2.9));
    expect(net.network.hosts[1]!.resolving.size).toBe(1);
    expect(net.network.drops.get("b")).toBeUndefined();
    expect(client.events).toEqual(["connected"]);
  });
});
