/** Requests as datagrams: a client and a server over UDP, lost datagrams, closed ports; and over SCTP. */
import { describe, expect, test } from "vitest";
import { ms, seconds } from "../../src/engine/index.ts";
import { TransportProtocol } from "../../src/network/nat.ts";
import { linuxProfile } from "../../src/network/profile.ts";
import type { ClientOptions } from "../../src/workload/client.ts";
import type { ServerOptions } from "../../src/workload/server.ts";
import { noRetries, programRig, WORKLOAD, type ProgramRig } from "../helpers/programs.ts";

const { UDP, SCTP } = TransportProtocol;
const overUdp: Partial<ServerOptions> = { ports: [], udpPorts: [53] };
const toUdp: Partial<ClientOptions> = { port: 53, protocol: UDP };

const outcomes = (rig: ProgramRig): string[] => rig.ended.map(({ outcome }) => outcome);

describe("a request over UDP", () => {
  test("is one datagram, and its answer another", () => {
    const rig = programRig();
    rig.server(overUdp);
    rig.client(toUdp);
    rig.sim.run(seconds(5));
    expect(outcomes(rig)).toEqual(["served"]);
    // The first packet leaves at 1 s; 10 ms of service, two ways.
    const tookNs = rig.ended[0]!.endedNs - seconds(1);
    expect(tookNs).toBeGreaterThan(ms(10));
    expect(tookNs).toBeLessThan(ms(10.2));
    expect(rig.network.packets.sent).toBe(2);
    // The client's socket is closed; the server's remains.
    expect(rig.transport.sockets.inUse).toBe(1);
  });

  test("comes from a port of its own each time, or from the same one with a pool", () => {
    const ports = (poolSize: number): number => {
      const rig = programRig();
      rig.server(overUdp);
      rig.client({ ...toUdp, poolSize, stopNs: seconds(5.5) });
      rig.sim.run(seconds(10));
      expect(outcomes(rig)).toEqual(Array(5).fill("served"));
      return rig.network.hosts[0]!.conntrack!.counters.inserted;
    };
    expect([ports(0), ports(1)]).toEqual([5, 1]);
  });

  /** Seen to fail with the deadline not armed for UDP: the lost request never ended. */
  test("that is lost fails at its deadline, or is asked again", () => {
    const lose = (retries: ClientOptions["retries"]): ProgramRig => {
      const rig = programRig();
      rig.server(overUdp);
      const { namespace } = rig.serverPod;
      rig.client({ ...toUdp, retries, timeoutNs: seconds(2) });
      rig.network.namespaces[namespace]!.alive = false;
      rig.sim.callAt(seconds(2), 1, () => (rig.network.namespaces[namespace]!.alive = true));
      rig.sim.run(seconds(10));
      return rig;
    };
    expect(lose(noRetries).ended).toMatchObject([{ outcome: "timeout", endedNs: seconds(3) }]);
    const again = lose({ ...noRetries, maxAttempts: 2 });
    expect(again.ended).toMatchObject([{ outcome: "served", attempts: 2 }]);
    expect(again.ended[0]!.endedNs).toBeGreaterThan(seconds(3.1));
  });

  test("to a closed port is refused, and its socket closed", () => {
    const rig = programRig();
    rig.client(toUdp);
    rig.sim.run(seconds(5));
    expect(outcomes(rig)).toEqual(["refused"]);
    expect(rig.ended[0]!.endedNs - seconds(1)).toBeLessThan(ms(1));
    expect(rig.transport.sockets.inUse).toBe(0);
  });

  test("waits in the socket's buffer while the workers are busy, and is lost when that is full", () => {
    const udp = { ...linuxProfile.udp, receiveBufferBytes: 3 * 776 - 1 };
    const rig = programRig({ ...linuxProfile, udp });
    rig.server({ ...overUdp, concurrency: 1, queueLimit: 0 });
    for (let i = 0; i < 6; i++) rig.client({ ...toUdp, timeoutNs: seconds(1) }, `client-${i}`);
    rig.sim.run(seconds(5));
    // One is served at once; 200 B take 776 B: three fill the buffer, being over it with the third.
    expect(outcomes(rig)).toEqual(["served", "served", "served", "served", "timeout", "timeout"]);
    expect(rig.network.drops.get("server")?.get("udp_receive_buffer")).toBe(2);
  });

  test("to another application is misrouted", () => {
    const rig = programRig();
    rig.server({ ...overUdp, workload: WORKLOAD + 1 });
    rig.client(toUdp);
    rig.sim.run(seconds(5));
    expect(outcomes(rig)).toEqual(["misrouted"]);
  });
});

describe("a server of datagrams", () => {
  test("that drains answers what it has, reads no more, and its port is closed after", () => {
    const rig = programRig();
    const server = rig.server({ ...overUdp, concurrency: 1, serviceTime: fixed(100) });
    for (let i = 0; i < 2; i++) rig.client(toUdp, `early-${i}`);
    rig.client({ ...toUdp, startNs: seconds(0.05), stopNs: seconds(1.2) }, "late");
    rig.client({ ...toUdp, startNs: seconds(0.5), stopNs: seconds(1.7) }, "too late");
    rig.sim.callAt(seconds(1.02), 4, () => server.signal("SIGTERM"));
    rig.sim.run(seconds(8));
    expect(outcomes(rig).sort()).toEqual(["refused", "served", "served", "timeout"]);
    expect(rig.exits).toMatchObject([{ name: "server", code: 0 }]);
    expect(rig.exits[0]!.atNs).toBeLessThan(seconds(1.3));
  });

  test("that ends leaves no socket", () => {
    const rig = programRig();
    const server = rig.server(overUdp);
    rig.sim.run(seconds(1));
    server.signal("SIGKILL");
    expect(rig.transport.sockets.inUse).toBe(0);
  });

  test("ends at once if another holds its port", () => {
    const rig = programRig();
    rig.server(overUdp);
    rig.server(overUdp, rig.serverPod, "second");
    rig.sim.run(seconds(1));
    expect(rig.exits).toMatchObject([{ name: "second", code: 1 }]);
  });
});

test("a request over SCTP finds the port of that protocol and no other", () => {
  const rig = programRig();
  rig.server({ ports: [], sctpPorts: [80] });
  rig.client({ protocol: SCTP });
  rig.client({}, "over TCP");
  rig.sim.run(seconds(1.5));
  expect(outcomes(rig).sort()).toEqual(["refused", "served"]);
  const [entry] = rig.network.hosts[0]!.conntrack!.entries(SCTP);
  expect(entry).toMatchObject({ protocol: SCTP, originalDestinationPort: 80 });
});

function fixed(valueMs: number): ServerOptions["serviceTime"] {
  return { kind: "deterministic", value: ms(valueMs) };
}
