/**
 * docker-proxy: its own connections, its cost, and what its clients see when the container is not there.
 *
 * Seen to fail: with the dial made before the accept (refused instead of closed); with the front closed instead of
 * reset while the request is unread; with the pairs left open when the process ends; with no cost for a copy;
 * with a pair's slot given out again while a copy was under way.
 */
import { expect, it } from "vitest";
import { ms, seconds, us } from "../../src/engine/index.ts";
import { dockerProfile } from "../../src/docker/profile.ts";
import { linuxProfile } from "../../src/network/profile.ts";
import { dockerRig, published, type DockerRig } from "../helpers/docker.ts";
import { openLoop } from "../helpers/programs.ts";

function loopback(rig: DockerRig): number {
  return rig.address("127.0.0.1");
}

function callLocally(rig: DockerRig, change: Parameters<DockerRig["client"]>[3] = {}): void {
  rig.client(rig.host("docker-1").namespace, loopback(rig), 8080, change);
}

it("carries requests and answers, many at a time, on connections that are kept", () => {
  const rig = dockerRig();
  rig.run({ name: "web", publish: published("8080:80") }, { responseBytes: 200_000 });
  for (const poolSize of [0, 4]) {
    callLocally(rig, { load: openLoop(200), poolSize, stopNs: seconds(2) });
  }
  rig.sim.run(seconds(5));
  expect(rig.outcomes).toHaveLength(2 * 399);
  expect(new Set(rig.outcomes)).toEqual(new Set(["served"]));
  const { sent, delivered, dropped, inFlight } = rig.network.packets;
  expect(sent).toBe(delivered + dropped + inFlight);
  // What is left: sockets that wait out FIN_WAIT and TIME_WAIT.
  rig.sim.run(seconds(200));
  expect(rig.transport.sockets.inUse).toBeLessThanOrEqual(2 * 4 * 2);
});

it("is a handshake, two copies and two veths longer than the container's own address", () => {
  const times = [80, 8080].map((port) => {
    const rig = dockerRig();
    const web = rig.run({ name: "web", publish: published("8080:80") });
    const address = port === 80 ? web.address : loopback(rig);
    rig.client(rig.host("docker-1").namespace, address, port, {});
    rig.sim.run(seconds(2));
    return rig.latenciesNs[0]!;
  });
  // Loopback for SYN, SYN-ACK (90 B) and request (290 B) and answer (1090 B), and the copies. The dial begins as
  // the request comes: SYN and SYN-ACK over the bridge, as in the direct way, are there in both.
  const lo = (bytes: number): number => Math.floor(480 + bytes * 0.2) + us(5);
  const copies = 2 * dockerProfile.proxyRelayNs;
  const expected = lo(90) + lo(90) + lo(290) + lo(1090) + copies;
  expect(Math.abs(times[1]! - times[0]! - expected)).toBeLessThanOrEqual(4);
});

it("accepts before it dials: a client of a container that does not listen is connected, then reset", () => {
  const rig = dockerRig();
  rig.run({ name: "web", publish: published("8080:81") });
  callLocally(rig);
  // Refused is what the same request gets from outside, where nat leads straight to the container.
  rig.client(rig.laptop.namespace, rig.address("192.168.0.2"), 8080);
  rig.sim.run(seconds(3));
  expect(rig.outcomes.toSorted()).toEqual(["refused", "reset"]);
});

it("ends with its container: connections are closed, new ones refused", () => {
  const rig = dockerRig();
  const web = rig.run(
    { name: "web", publish: published("8080:80") },
    {
      serviceTime: { kind: "deterministic", value: seconds(10) },
    },
  );
  callLocally(rig, { stopNs: seconds(2.5) });
  rig.sim.run(seconds(1.5));
  web.kill();
  rig.sim.run(seconds(4));
  expect(rig.outcomes).toEqual(["closed", "refused"]);
});

it("is a process of its own: its connections end with it, whatever it had yet to copy", () => {
  const rig = dockerRig({ profile: { proxyRelayNs: seconds(1) } });
  const web = rig.run({ name: "web", publish: published("8080:80") });
  callLocally(rig, { stopNs: seconds(1.5) });
  rig.sim.run(seconds(1.5));
  web.kill();
  rig.sim.run(seconds(4));
  // The request was made at 1 s and waits to be copied: its end is a reset, at once.
  expect(rig.outcomes).toEqual(["reset"]);
  expect(rig.latenciesNs[0]! / 1e9).toBeCloseTo(0.5, 3);
});

it("ends both sides when its client gives up, with a copy under way or not", () => {
  const rig = dockerRig({ profile: { proxyRelayNs: ms(3) } });
  rig.run({ name: "web", publish: published("8080:80") });
  // Requests that are given up at every stage: 0.5 ms to 12 ms after they began.
  for (let i = 1; i <= 24; i++) {
    callLocally(rig, { load: openLoop(50), timeoutNs: ms(i / 2), stopNs: seconds(2) });
  }
  rig.sim.run(seconds(3));
  expect(rig.outcomes).toContain("timeout");
  expect(rig.outcomes).toContain("served");
  expect(new Set(rig.outcomes).size).toBe(2);
  rig.sim.run(seconds(200));
  expect(rig.transport.sockets.inUse).toBe(0);
});

/**
 * docker_bridge_nat.csv: transactions of one byte, CPU-bound. The model does not share cores among hops, so what is
 * compared is the CPU time that it charges a transaction on one connection: its time where latencies are zero and
 * links infinitely fast. To that comes what the machines took without any bridge (native, the base of the table).
 */
it("bridge, NAT and docker-proxy cost what was measured: ratios within 5 %", () => {
  const wire = { latencyNs: 0, linkRateBps: Infinity };
  const free = { ...wire, cpuNsPerPacket: 0 };
  const linux = {
    ...linuxProfile,
    loopback: { ...linuxProfile.loopback, ...free },
    veth: { ...linuxProfile.veth, ...wire },
    bridge: { ...linuxProfile.bridge, ...free },
    nic: { ...linuxProfile.nic, ...free },
    switchPort: { ...linuxProfile.switchPort, ...free },
  };
  const transactionNs = (network: "host" | "bridge", from: string, to: string, port: number) => {
    const rig = dockerRig({ linux });
    const publish = network === "bridge" ? published("8080:80") : [];
    const zero = { serviceTime: { kind: "deterministic", value: 0 } as const };
    rig.run({ name: "netperf", network, publish }, { ...zero, responseBytes: 1 });
    const { namespace } = from === "laptop" ? rig.laptop : rig.host(from);
    const address = rig.address(to);
    rig.client(namespace, address, port, { requestBytes: 1, poolSize: 1, stopNs: seconds(9.5) });
    rig.sim.run(seconds(10));
    // The first request opened the connection.
    return rig.latenciesNs.at(-1)!;
  };
  const perSecond = (nativePerSecond: number, ns: number) => 1e9 / (1e9 / nativePerSecond + ns);

  const native = 742_020;
  const host = perSecond(native, transactionNs("host", "laptop", "192.168.0.2", 80));
  const bridge = perSecond(native, transactionNs("bridge", "docker-1", "172.17.0.2", 80));
  const nat = perSecond(native, transactionNs("bridge", "laptop", "192.168.0.2", 8080));
  const ratio = (a: number, b: number) => a / b;
  // The model charges the host's own network nothing; the machines of the table lost 9 % by it, unexplained.
  expect(ratio(host, native)).toBe(1);
  expect(Math.abs(bridge / native / (432_079 / 742_020) - 1)).toBeLessThan(0.05);
  // txq0: with a veth that has no queue, as they have been since Linux 4.3.
  expect(Math.abs(nat / bridge / (243_145 / 432_079) - 1)).toBeLessThan(0.05);
  // moby#11911: redis over loopback, through docker-proxy.
  const redis = 264_270.62;
  const proxied = perSecond(redis, transactionNs("bridge", "docker-1", "127.0.0.1", 8080));
  expect(Math.abs(proxied / redis / (117_744.02 / 264_270.62) - 1)).toBeLessThan(0.05);
});
