/** The client: every way a request can end, its tries, its connections. */
import { describe, expect, test } from "vitest";
import { ms, Phase, seconds } from "../../src/engine/index.ts";
import { linuxProfile } from "../../src/network/profile.ts";
import { SocketState, type ListenerHandler, type Socket } from "../../src/network/socket.ts";
import { answerInfo } from "../../src/workload/program.ts";
import { noRetries, openLoop, programRig, WORKLOAD, type ProgramRig } from "../helpers/programs.ts";
import { guest, listen, rules } from "../helpers/wire.ts";

const slow = { serviceTime: { kind: "deterministic", value: seconds(60) } } as const;

/** The one request of a default client, after `prepare`. */
function outcome(prepare: (rig: ProgramRig) => void, untilNs = seconds(20)) {
  const rig = programRig();
  prepare(rig);
  rig.sim.run(untilNs);
  expect(rig.startedNs).toEqual([seconds(1)]);
  expect(rig.ended).toHaveLength(1);
  const { outcome: name, endedNs } = rig.ended[0]!;
  return { name, tookNs: endedNs - seconds(1) };
}

describe("a request ends as", () => {
  test("served, after the way there, the service and the way back", () => {
    const { name, tookNs } = outcome((rig) => (rig.server(), rig.client()));
    expect(name).toBe("served");
    expect(tookNs).toBeGreaterThan(ms(10));
    expect(tookNs).toBeLessThan(ms(11));
  });

  test("refused, at once, where nobody listens", () => {
    const { name, tookNs } = outcome((rig) => rig.client());
    expect(name).toBe("refused");
    expect(tookNs).toBeLessThan(ms(1));
  });

  test("unreachable, after 3 s of ARP, where the pod has gone from the bridge (timings §10)", () => {
    const { name, tookNs } = outcome((rig) => {
      rig.guests.del(rig.serverPod);
      rig.client({ timeoutNs: seconds(10) });
    });
    expect(name).toBe("unreachable");
    expect(tookNs).toBeGreaterThanOrEqual(seconds(3));
    expect(tookNs).toBeLessThan(seconds(3.1));
  });

  test("timeout, at the client's own deadline to the nanosecond", () => {
    const { name, tookNs } = outcome((rig) => (rig.server(slow), rig.client()));
    expect([name, tookNs]).toEqual(["timeout", seconds(2)]);
  });

  test("closed, when the process that was serving it ends", () => {
    const { name, tookNs } = outcome((rig) => {
      const server = rig.server(slow);
      rig.client();
      rig.sim.callAt(seconds(1.5), Phase.start, () => server.crash(1));
    });
    expect(name).toBe("closed");
    expect(tookNs).toBeLessThan(ms(501));
  });

  test("reset, when the process ends before it has read the request", () => {
    const rig = programRig();
    const server = rig.server(slow);
    // Two requests, one worker: the second is still unread in the queue.
    rig.client({ load: openLoop(10), stopNs: ms(250), timeoutNs: seconds(10) });
    rig.sim.callAt(seconds(1), Phase.start, () => server.crash(1));
    rig.sim.run(seconds(5));
    expect(rig.ended.map(({ outcome: name }) => name).sort()).toEqual(["closed", "reset"]);
  });

  test("reset, too, when the address has another owner and the connection is an old one", () => {
    const rig = programRig();
    rig.server();
    rig.client({ poolSize: 1, stopNs: seconds(2.5) });
    rig.sim.callAt(seconds(1.5), Phase.start, () => {
      const { serverPod, network } = rig;
      rig.guests.del(serverPod);
      // The next owner of the same address: nobody listens there, and nobody knows the connection.
      const next = guest(rig, 0, "next");
      const host = network.hosts[0]!;
      network.namespaces[next.namespace]!.addresses.add(rig.serverAddress);
      host.plug(
        network.namespaces[next.namespace]!,
        network.namespaces[next.namespace]!.link!,
        rig.serverAddress,
      );
    });
    rig.sim.run(seconds(10));
    expect(rig.ended.map(({ outcome: name }) => name)).toEqual(["served", "reset"]);
  });

  test("overloaded, at once, when all workers are busy and the queue is full", () => {
    const rig = programRig();
    rig.server({ ...slow, queueLimit: 0 });
    rig.client({ load: openLoop(10), stopNs: ms(250), timeoutNs: seconds(5) });
    rig.sim.run(seconds(10));
    const [first] = rig.ended;
    expect(first!.outcome).toBe("overloaded");
    expect(first!.endedNs - first!.startedNs).toBeLessThan(ms(1));
  });

  test("misrouted, when another workload answers", () => {
    const { name } = outcome((rig) => (rig.server({ workload: WORKLOAD + 1 }), rig.client()));
    expect(name).toBe("misrouted");
  });

  test("no_local_port, when every port to that destination is in use", () => {
    const tcp = { ...linuxProfile.tcp, localPortFirst: 40_000, localPortLast: 40_001 };
    const rig = programRig({ ...linuxProfile, tcp });
    rig.server({ ...slow, concurrency: 10 });
    rig.client({ load: openLoop(10), stopNs: ms(350), timeoutNs: seconds(5) });
    rig.sim.run(ms(350));
    expect(rig.ended.map(({ outcome: name }) => name)).toEqual(["no_local_port"]);
  });
});

/** Times at which a client opened connections: its node sees each one's first packet. */
function watchConnects(rig: ProgramRig): number[] {
  const times: number[] = [];
  rig.network.hosts[1]!.nat = rules(() => void times.push(rig.sim.nowNs));
  return times;
}

describe("tries", () => {
  const retries = { ...noRetries, maxAttempts: 5, maxBackoffNs: ms(300) };

  test("back off 100, 200, then at most 300 ms, and end with the last cause after the last", () => {
    const rig = programRig();
    const connects = watchConnects(rig);
    rig.client({ retries });
    rig.sim.run(seconds(10));
    expect(rig.ended.map(({ outcome: name, attempts }) => [name, attempts])).toEqual([
      ["refused", 5],
    ]);
    const gaps = connects.slice(1).map((atNs, i) => atNs - connects[i]!);
    for (const [i, waitNs] of [ms(100), ms(200), ms(300), ms(300)].entries()) {
      // The wait begins when the refusal has come back.
      expect(gaps[i]! - waitNs).toBeGreaterThan(0);
      expect(gaps[i]! - waitNs).toBeLessThan(ms(1));
    }
  });

  test("jitter spreads a wait evenly over +-50 %: bounds and chi-square at the 99.9 % level", () => {
    // Broken on purpose: a jitter that only lengthens.
    const rig = programRig();
    const connects = watchConnects(rig);
    const jittered = { ...noRetries, maxAttempts: 2, jitter: 0.5 };
    // One request a second, so that tries come in pairs.
    rig.client({ retries: jittered, stopNs: seconds(201) });
    rig.sim.run(seconds(202));
    const waits = connects.flatMap((atNs, i) => (i % 2 === 1 ? [atNs - connects[i - 1]!] : []));
    expect(waits).toHaveLength(200);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(ms(50));
    expect(Math.max(...waits)).toBeLessThan(ms(151));
    const tenths = Array.from({ length: 10 }, () => 0);
    for (const waitNs of waits) tenths[Math.min(9, Math.floor((waitNs - ms(50)) / ms(10)))]!++;
    const chiSquare = tenths.reduce((sum, count) => sum + (count - 20) ** 2 / 20, 0);
    expect(chiSquare).toBeLessThan(27.88);
  });

  test("each has its own deadline", () => {
    const rig = programRig();
    rig.server({ ...slow, concurrency: 10 });
    rig.client({ timeoutNs: ms(500), retries: { ...noRetries, maxAttempts: 3 } });
    rig.sim.run(seconds(10));
    const tookNs = ms(500 + 100 + 500 + 200 + 500);
    expect(rig.ended).toEqual([
      { outcome: "timeout", startedNs: seconds(1), endedNs: seconds(1) + tookNs, attempts: 3 },
    ]);
  });

  test("a success ends them: an old deadline does no harm", () => {
    const rig = programRig();
    rig.sim.callAt(seconds(1.05), Phase.start, () => rig.server());
    rig.client({ timeoutNs: seconds(1), retries, stopNs: seconds(10.5) });
    rig.sim.run(seconds(20));
    expect(rig.ended[0]).toMatchObject({ outcome: "served", attempts: 2 });
    expect(rig.ended.slice(1).every(({ attempts }) => attempts === 1)).toBe(true);
    expect(rig.ended).toHaveLength(10);
  });
});

/** Answers the n-th message after the n-th of these waits, and notes on which connection it came. */
class Answering implements ListenerHandler {
  readonly usedConnections: number[] = [];
  readonly accepts: Socket[] = [];
  closedByPeer = 0;
  readonly #rig: ProgramRig;
  readonly #waitsNs: readonly number[];

  constructor(rig: ProgramRig, waitsNs: readonly number[]) {
    this.#rig = rig;
    this.#waitsNs = waitsNs;
  }

  accepted(socket: Socket): void {
    this.accepts.push(socket);
  }
  connected(): void {}
  failed(): void {}
  message(socket: Socket, message: number): void {
    const waitNs = this.#waitsNs[this.usedConnections.length] ?? ms(1);
    this.usedConnections.push(this.accepts.indexOf(socket));
    this.#rig.sim.callAfter(waitNs, Phase.complete, () => {
      if (socket.state === SocketState.free) return;
      this.#rig.transport.send(socket, 100, message, answerInfo(0, WORKLOAD), false);
    });
  }
  peerClosed(socket: Socket): void {
    this.closedByPeer++;
    this.#rig.transport.close(socket);
  }
}

describe("connections", () => {
  function pooled(
    poolSize: number,
    load: ReturnType<typeof openLoop>,
    waitsNs: number[],
    stopNs: number,
  ) {
    const rig = programRig();
    const server = new Answering(rig, waitsNs);
    listen(rig, rig.serverPod, 80, server);
    rig.client({ poolSize, load, stopNs });
    rig.sim.run(seconds(20));
    expect(rig.ended.every(({ outcome: name }) => name === "served")).toBe(true);
    return server;
  }

  test("without a pool each request opens its own", () => {
    // The client asks for the close; this server leaves it to the client's end of the wire.
    const rig = programRig();
    const connects = watchConnects(rig);
    rig.server();
    rig.client({ load: openLoop(10), stopNs: ms(1050) });
    rig.sim.run(seconds(5));
    expect([connects.length, rig.ended.length]).toEqual([10, 10]);
  });

  test("with one, requests one after the other share a connection", () => {
    const server = pooled(4, openLoop(10), [], ms(1050));
    expect(server.usedConnections).toEqual(Array(10).fill(0));
  });

  test("of idle ones the latest used comes first", () => {
    // Two at 100 and 200 ms overlap; the first, on connection 0, is answered last. Next: 0 again.
    // Broken on purpose: taken from the other end it is 1.
    const server = pooled(4, openLoop(10), [ms(190), ms(50)], ms(450));
    expect(server.usedConnections.slice(0, 2)).toEqual([0, 1]);
    expect(server.usedConnections.slice(2)).toEqual([0, 0]);
  });

  test("no more idle ones than the pool holds: the others are closed", () => {
    const server = pooled(1, openLoop(10), [ms(350), ms(250), ms(150)], ms(350));
    expect(server.accepts).toHaveLength(3);
    expect(server.closedByPeer).toBe(2);
  });

  test("an idle one that the server closes is not used again", () => {
    const rig = programRig();
    const server = rig.server();
    rig.client({ poolSize: 1, stopNs: seconds(2.5) });
    rig.sim.callAt(seconds(1.5), Phase.start, () => {
      server.crash(1);
      rig.server({}, rig.serverPod, "second");
    });
    rig.sim.run(seconds(5));
    expect(rig.ended.map(({ outcome: name }) => name)).toEqual(["served", "served"]);
  });

  test("each new one goes to an address drawn from all, evenly", () => {
    const rig = programRig();
    const pods = [0, 1, 2, 3].map((i) => guest(rig, 0, `backend-${i}`));
    const counts = pods.map(() => 0);
    for (const [i, where] of pods.entries()) {
      const counting = new Answering(rig, []);
      counting.accepted = () => void counts[i]!++;
      listen(rig, where, 80, counting);
    }
    const addresses = pods.map((each) => each.addresses[0]!);
    rig.client({ addresses, load: openLoop(100), stopNs: seconds(10.005), timeoutNs: ms(5) });
    rig.sim.run(seconds(12));
    const chiSquare = counts.reduce((sum, count) => sum + (count - 250) ** 2 / 250, 0);
    expect(counts.reduce((a, b) => a + b)).toBe(1000);
    // Chi-square with 3 degrees at 99.9 %.
    expect(chiSquare).toBeLessThan(16.27);
  });
});

describe("load", () => {
  test("open loop: requests come at the rate, whatever becomes of them, from start to stop", () => {
    const rig = programRig();
    rig.server({ ...slow, concurrency: 1000 });
    rig.client({ load: openLoop(4), startNs: seconds(2), stopNs: seconds(4) });
    rig.sim.run(seconds(10));
    expect(rig.startedNs).toEqual([2.25, 2.5, 2.75, 3, 3.25, 3.5, 3.75].map((at) => seconds(at)));
  });

  test("closed loop: a user's next request comes a think time after the end of the last", () => {
    const rig = programRig();
    rig.server();
    const thinkTime = { kind: "deterministic", value: ms(100) } as const;
    rig.client({ load: { kind: "closedLoop", users: 1, thinkTime }, stopNs: seconds(2) });
    rig.sim.run(seconds(5));
    const waits = rig.startedNs.slice(1).map((atNs, i) => atNs - rig.ended[i]!.endedNs);
    expect(rig.startedNs[0]).toBe(ms(100));
    expect(new Set(waits)).toEqual(new Set([ms(100)]));
    expect(rig.ended.length).toBeGreaterThan(15);
  });

  test("closed loop: never more requests out than users", () => {
    const rig = programRig();
    rig.server();
    const thinkTime = { kind: "exponential", mean: ms(5) } as const;
    rig.client({ load: { kind: "closedLoop", users: 5, thinkTime }, stopNs: seconds(5) });
    rig.sim.run(seconds(10));
    const changes = [
      ...rig.startedNs.map((atNs) => [atNs, 1] as const),
      ...rig.ended.map(({ endedNs }) => [endedNs, -1] as const),
    ].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    let out = 0;
    let most = 0;
    for (const [, change] of changes) most = Math.max(most, (out += change));
    expect([out, most]).toEqual([0, 5]);
  });

  test("a client that ends makes no more requests, and those it had out do not end", () => {
    const rig = programRig();
    rig.server(slow);
    const client = rig.client({ stopNs: seconds(100) });
    rig.sim.callAt(seconds(2.5), Phase.start, () => client.signal("SIGTERM"));
    rig.sim.run(seconds(10));
    expect([rig.startedNs.length, rig.ended.length]).toEqual([2, 0]);
    expect(rig.exits).toEqual([{ name: "client", code: 0, atNs: seconds(2.5) }]);
  });
});
