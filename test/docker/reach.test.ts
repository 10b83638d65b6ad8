/**
 * Who reaches a container, by which address: the same host, a neighbour, another host, the outside.
 *
 * Seen to fail: with a route to the other host's bridge (other hosts reached it); without `-i docker0 -j RETURN`, and with
 * OUTPUT's exception for 127.0.0.0/8 left out (docker-proxy had no connection); with DNAT left out of OUTPUT; with
 * MASQUERADE left out (no answer from the other host); with the source of the host's own connections its NIC's address.
 */
import { describe, expect, it } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import type { Namespace } from "../../src/network/host.ts";
import { dockerRig, published, type DockerRig } from "../helpers/docker.ts";
import { Recorder } from "../helpers/wire.ts";

interface World extends DockerRig {
  readonly web: ReturnType<DockerRig["run"]>;
  readonly neighbour: Namespace;
  readonly remote: Namespace;
}

/** web and a neighbour on docker-1; on docker-2 a container of another address than web's. */
function world(options: Parameters<typeof dockerRig>[0] = {}): World {
  const rig = dockerRig(options);
  const web = rig.run({ name: "web", publish: published("8080:80") });
  const neighbour = rig.namespaceOf(rig.run({ name: "neighbour", exposedPorts: [81] }));
  const first = rig.run({ name: "first", host: "docker-2", exposedPorts: [82] });
  const remote = rig.namespaceOf(rig.run({ name: "remote", host: "docker-2", exposedPorts: [83] }));
  first.kill();
  rig.sim.run(seconds(1));
  return { ...rig, web, neighbour, remote };
}

function outcome(rig: World, from: Namespace, address: string, port: number): string {
  rig.client(from, rig.address(address), port, { startNs: seconds(2), stopNs: seconds(3.5) });
  rig.sim.run(seconds(20));
  expect(rig.outcomes).toHaveLength(1);
  return rig.outcomes[0]!;
}

const froms: Readonly<Record<string, (rig: World) => Namespace>> = {
  "the host": (rig) => rig.host("docker-1").namespace,
  "a container beside it": (rig) => rig.neighbour,
  "the container itself": (rig) => rig.namespaceOf(rig.web),
  "another host": (rig) => rig.host("docker-2").namespace,
  "a container of another host": (rig) => rig.remote,
  "a laptop": (rig) => rig.laptop.namespace,
};

const BRIDGE = "172.17.0.2";
const HOST = "192.168.0.2";

describe.each([true, false])("with docker-proxy: %s", (userlandProxy) => {
  it.each([
    ["the host", BRIDGE, 80, "served"],
    ["a container beside it", BRIDGE, 80, "served"],
    ["the container itself", BRIDGE, 80, "served"],
    // There it is an address of the other docker0, where nobody answers ARP.
    ["another host", BRIDGE, 80, "unreachable"],
    ["a container of another host", BRIDGE, 80, "unreachable"],
    ["a laptop", BRIDGE, 80, "unreachable"],
    ["the host", HOST, 8080, "served"],
    ["the host", "127.0.0.1", 8080, "served"],
    ["the host", "172.17.0.1", 8080, "served"],
    ["a container beside it", HOST, 8080, "served"],
    ["the container itself", HOST, 8080, "served"],
    ["another host", HOST, 8080, "served"],
    ["a container of another host", HOST, 8080, "served"],
    ["a laptop", HOST, 8080, "served"],
    // Not published, or not on that host, or nobody's loopback.
    ["a laptop", HOST, 80, "refused"],
    ["a laptop", "192.168.0.3", 8080, "refused"],
    ["a container beside it", "127.0.0.1", 8080, "refused"],
  ])("%s to %s:%i: %s", (from, address, port, expected) => {
    const rig = world({ userlandProxy });
    expect(outcome(rig, froms[from]!(rig), address, port)).toBe(expected);
  });
});

describe("the way", () => {
  /** Connections that the host's own namespace took or made: docker-proxy's. */
  const proxied = (rig: World): number => {
    const listener = rig.transport.listen(rig.host("docker-1").namespace, 8080, recorder(rig));
    expect(listener).toBeNull();
    return rig.network.hops.find(({ name }) => name === "docker-1/lo")!.packets;
  };
  const recorder = (rig: World): Recorder => new Recorder(rig as never);

  it("of a laptop's packets is translated: loopback sees none of them", () => {
    const rig = world();
    outcome(rig, rig.laptop.namespace, HOST, 8080);
    expect(proxied(rig)).toBe(0);
  });

  it("of the host's own to its address is translated too, to 127.0.0.1 it is over loopback", () => {
    const rig = world();
    outcome(rig, rig.host("docker-1").namespace, HOST, 8080);
    expect(proxied(rig)).toBe(0);
    const other = world();
    outcome(other, other.host("docker-1").namespace, "127.0.0.1", 8080);
    // SYN, SYN-ACK, request, answer, the server's FIN and the client's.
    expect(proxied(other)).toBe(6);
  });

  /** Takes the place of a container's process, and writes down who connects. */
  function listenIn(rig: DockerRig, namespace: Namespace, port: number, seen: string[]): void {
    const handler = {
      accepted: (socket: { remoteAddress: number }) => seen.push(rig.text(socket.remoteAddress)),
      connected() {},
      failed() {},
      message() {},
      peerClosed() {},
    };
    expect(rig.transport.listen(namespace, port, handler as never)).not.toBeNull();
  }

  /** One request a second from each of these, one after another. */
  function callInTurn(rig: DockerRig, calls: readonly [Namespace, string, number][]): void {
    for (const [from, address, port] of calls) {
      const startNs = rig.sim.nowNs;
      rig.client(from, rig.address(address), port, { startNs, stopNs: startNs + seconds(1.5) });
      rig.sim.run(startNs + seconds(3));
    }
  }

  it("of a source that leaves the bridge shows the host's address, of one that stays its own", () => {
    const rig = dockerRig();
    const inside = rig.namespaceOf(rig.run({ name: "inside", exposedPorts: [81] }));
    const target = rig.namespaceOf(rig.run({ name: "target", exposedPorts: [] }));
    const seen: string[] = [];
    listenIn(rig, rig.laptop.namespace, 9, seen);
    listenIn(rig, target, 9, seen);
    callInTurn(rig, [
      [inside, "203.0.113.5", 9],
      [inside, "172.17.0.3", 9],
      [rig.host("docker-1").namespace, "172.17.0.3", 9],
    ]);
    expect(seen).toEqual(["192.168.0.2", "172.17.0.2", "172.17.0.1"]);
  });

  it.each([
    [true, "172.17.0.1"],
    [false, "172.17.0.2"],
  ])(
    "of a container to its host's port: docker-proxy %s, seen from %s",
    (userlandProxy, source) => {
      const rig = dockerRig({ userlandProxy });
      const inside = rig.namespaceOf(rig.run({ name: "inside", exposedPorts: [81] }));
      const target = rig.run({ name: "target", exposedPorts: [], publish: published("8080:80") });
      const seen: string[] = [];
      listenIn(rig, rig.namespaceOf(target), 80, seen);
      callInTurn(rig, [[inside, HOST, 8080]]);
      expect(seen).toEqual([source]);
    },
  );

  it("to 127.0.0.1 alone is for docker-proxy alone when published so", () => {
    const rig = dockerRig();
    rig.run({ name: "web", publish: published("127.0.0.1:8080:80") });
    rig.client(rig.host("docker-1").namespace, rig.address("127.0.0.1"), 8080, { startNs: 0 });
    rig.client(rig.laptop.namespace, rig.address(HOST), 8080, {
      startNs: seconds(3),
      stopNs: seconds(4.5),
    });
    rig.sim.run(seconds(6));
    expect(rig.outcomes).toEqual(["served", "refused"]);
  });
});

it("nobody who answers for an address of the bridge: unreachable after three ARP requests", () => {
  const rig = world();
  const from = rig.host("docker-2").namespace;
  rig.client(from, rig.address(BRIDGE), 80, { startNs: seconds(2), stopNs: seconds(3.5) });
  rig.sim.run(seconds(20));
  expect(rig.latenciesNs[0]! / 1e9).toBeCloseTo(3, 3);
});
