/** The server: workers, queue, start and end; and probes as the traffic that they are. */
import { describe, expect, test } from "vitest";
import { ms, Phase, seconds } from "../../src/engine/index.ts";
import type { SentProbe } from "../../src/kubernetes/kubelet/contract.ts";
import { NodeProber } from "../../src/workload/prober.ts";
import type { Signal } from "../../src/workload/program.ts";
import type { ServerOptions } from "../../src/workload/server.ts";
import { openLoop, programRig, type ProgramRig } from "../helpers/programs.ts";

const service = (valueNs: number) =>
  ({ serviceTime: { kind: "deterministic", value: valueNs } }) as const;

/** `count` requests that reach the server together, each on a connection of its own, just after 1 s. */
function together(rig: ProgramRig, count: number): void {
  for (let i = 0; i < count; i++) rig.client({ timeoutNs: seconds(30) }, `client-${i}`);
}

/** How the requests of together() ended: outcome and time since 1 s in whole ms. */
const ends = (rig: ProgramRig): [string, number][] =>
  rig.ended.map(({ outcome, endedNs }) => [outcome, Math.floor((endedNs - seconds(1)) / ms(1))]);

describe("workers and queue", () => {
  test("as many requests at a time as workers, the others one after the other", () => {
    const rig = programRig();
    rig.server({ concurrency: 2, ...service(ms(100)) });
    together(rig, 5);
    rig.sim.run(seconds(5));
    expect(ends(rig).map(([, atMs]) => atMs)).toEqual([100, 100, 200, 200, 300]);
  });

  test("a request that finds the queue full is answered 503 at once and costs no worker", () => {
    // Broken on purpose: a limit of one more.
    const rig = programRig();
    rig.server({ concurrency: 1, queueLimit: 2, ...service(ms(100)) });
    together(rig, 5);
    rig.sim.run(seconds(5));
    expect(ends(rig)).toEqual([
      ["overloaded", 0],
      ["overloaded", 0],
      ["served", 100],
      ["served", 200],
      ["served", 300],
    ]);
  });

  test("a request whose client has given up is served all the same: nobody tells the worker", () => {
    const rig = programRig();
    rig.server({ concurrency: 1, ...service(ms(100)) });
    rig.client({ timeoutNs: ms(50) }, "impatient");
    rig.client({ timeoutNs: ms(50) }, "also impatient");
    rig.client({ timeoutNs: seconds(5) }, "patient");
    rig.sim.run(seconds(5));
    expect(ends(rig)).toEqual([
      ["timeout", 50],
      ["timeout", 50],
      ["served", 300],
    ]);
  });

  test("a long queue keeps its order (past the point where its head is cut off)", () => {
    const rig = programRig();
    rig.server({ concurrency: 1, queueLimit: 5000, ...service(ms(1)) });
    rig.client({
      load: openLoop(2000),
      startNs: seconds(1),
      stopNs: seconds(3),
      timeoutNs: seconds(30),
    });
    rig.sim.run(seconds(10));
    expect(rig.ended).toHaveLength(3999);
    const started = rig.ended.map(({ startedNs }) => startedNs);
    expect(started).toEqual([...started].sort((a, b) => a - b));
    expect(rig.ended.every(({ outcome }) => outcome === "served")).toBe(true);
  });
});

/** A server with one request being served for 500 ms and one in its queue, at the time of a signal. */
function ending(onSigterm: ServerOptions["onSigterm"], signal: Signal) {
  const rig = programRig();
  const server = rig.server({ concurrency: 1, onSigterm, ...service(ms(500)) });
  together(rig, 2);
  rig.sim.callAt(seconds(1.2), Phase.start, () => server.signal(signal));
  // And one more client afterwards.
  rig.client({ startNs: seconds(0.4), stopNs: seconds(1.6) }, "late");
  rig.sim.run(seconds(10));
  return { ends: ends(rig), exits: rig.exits };
}

describe("SIGTERM and SIGKILL", () => {
  test("drain: what it has is answered, nobody new is let in, then it exits 0", () => {
    // Broken on purpose: a drain that forgets the queue.
    const { ends: ended, exits } = ending("drain", "SIGTERM");
    expect(ended).toEqual([
      ["refused", 400],
      ["served", 500],
      ["served", 1000],
    ]);
    expect(exits).toHaveLength(1);
    expect(exits[0]!.code).toBe(0);
    expect(Math.floor((exits[0]!.atNs - seconds(1)) / ms(1))).toBe(1000);
  });

  test("drain closes idle connections at once", () => {
    const rig = programRig();
    const server = rig.server();
    rig.client({ poolSize: 1, stopNs: seconds(2.5) });
    rig.sim.callAt(seconds(1.5), Phase.start, () => server.signal("SIGTERM"));
    rig.sim.run(seconds(5));
    expect(rig.ended.map(({ outcome }) => outcome)).toEqual(["served", "refused"]);
    expect(rig.exits).toEqual([{ name: "server", code: 0, atNs: seconds(1.5) }]);
  });

  test("exit: at once; the request at the worker sees a close, the unread one a reset", () => {
    const { ends: ended, exits } = ending("exit", "SIGTERM");
    expect(ended.map(([outcome]) => outcome).sort()).toEqual(["closed", "refused", "reset"]);
    expect(exits).toEqual([{ name: "server", code: 0, atNs: seconds(1.2) }]);
  });

  test("ignore: nothing happens", () => {
    const { ends: ended, exits } = ending("ignore", "SIGTERM");
    expect(ended.map(([outcome]) => outcome)).toEqual(["served", "served", "served"]);
    expect(exits).toEqual([]);
  });

  test("SIGKILL ends it whatever it does with SIGTERM, with 137", () => {
    const { exits } = ending("ignore", "SIGKILL");
    expect(exits).toEqual([{ name: "server", code: 137, atNs: seconds(1.2) }]);
  });

  test("a crash ends it with its own code, once", () => {
    const rig = programRig();
    const server = rig.server();
    server.crash(134);
    server.signal("SIGKILL");
    rig.sim.run(seconds(1));
    expect(rig.exits.map(({ code }) => code)).toEqual([134]);
  });
});

describe("starting", () => {
  test("it refuses until its start-up time is over", () => {
    const rig = programRig();
    rig.sim.callAt(seconds(1), Phase.complete, () => rig.server({ started: false }));
    rig.client({ load: openLoop(10), startNs: seconds(0.95), stopNs: seconds(1.4) });
    rig.sim.run(seconds(5));
    // Requests at 1.05, 1.15, 1.25 and 1.35 s; it listens from 1.2 s on.
    expect(rig.ended.map(({ outcome }) => outcome)).toEqual([
      "refused",
      "refused",
      "served",
      "served",
    ]);
  });

  test("a SIGTERM before it listens ends it", () => {
    const rig = programRig();
    rig.server({ started: false }).signal("SIGTERM");
    rig.sim.run(seconds(1));
    expect(rig.exits.map(({ code }) => code)).toEqual([0]);
  });

  test("a second process of the pod on one port: EADDRINUSE, it exits 1, the first goes on (timings §8)", () => {
    const rig = programRig();
    rig.server();
    rig.server({ ports: [81, 80] }, rig.serverPod, "second");
    rig.client();
    rig.sim.run(seconds(5));
    expect(rig.exits).toEqual([{ name: "second", code: 1, atNs: 0 }]);
    expect(rig.ended.map(({ outcome }) => outcome)).toEqual(["served"]);
    // What it had opened before it failed is free again.
    const free = rig.transport.listen(
      rig.network.namespaces[rig.serverPod.namespace]!,
      81,
      {} as never,
    );
    expect(free).not.toBeNull();
  });
});

describe("probes", () => {
  const http: SentProbe = { kind: "httpGet", port: 80, path: "/" };
  const tcp: SentProbe = { kind: "tcpSocket", port: 80 };
  const grpc: SentProbe = { kind: "grpc", port: 80 };

  /** Result and time of a probe at 1.1 s with 1 s to answer; calls beyond the first are an error. */
  function probed(rig: ProgramRig, handler: SentProbe): [boolean, number][] {
    const results: [boolean, number][] = [];
    const prober = new NodeProber(rig.programs, 200);
    rig.sim.callAt(seconds(1.1), Phase.start, () =>
      prober.probe(0, rig.serverPod, handler, seconds(1), (success) =>
        results.push([success, Math.floor((rig.sim.nowNs - seconds(1.1)) / ms(1))]),
      ),
    );
    rig.sim.run(seconds(120));
    return results;
  }

  test.each<[string, SentProbe, (rig: ProgramRig) => void, [boolean, number]]>([
    ["httpGet passes when the server answers in time", http, (rig) => rig.server(), [true, 1]],
    ["httpGet fails at once where nobody listens", http, () => {}, [false, 0]],
    ["tcpSocket passes when somebody listens", tcp, (rig) => rig.server(), [true, 0]],
    [
      "a busy server fails it: the probe waits behind the requests until its time-out",
      http,
      (rig) => (rig.server(service(seconds(3))), together(rig, 1)),
      [false, 1000],
    ],
    [
      "grpc is a request too, and waits for a worker",
      grpc,
      (rig) => (rig.server({ concurrency: 1, ...service(ms(500)) }), together(rig, 1)),
      [true, 401],
    ],
    [
      "a full queue fails it at once, with the 503",
      http,
      (rig) => (rig.server({ queueLimit: 0, ...service(seconds(3)) }), together(rig, 1)),
      [false, 0],
    ],
    [
      "tcpSocket does not notice: the kernel accepts for a busy server",
      tcp,
      (rig) => (rig.server(service(seconds(3))), together(rig, 1)),
      [true, 0],
    ],
    [
      "a pod that has gone: the time-out comes before ARP gives up",
      http,
      (rig) => rig.guests.del(rig.serverPod),
      [false, 1000],
    ],
  ])("%s", (_what, handler, prepare, expected) => {
    const rig = programRig();
    prepare(rig);
    expect(probed(rig, handler)).toEqual([expected]);
  });

  test("a probe is answered from memory: the service time is not its own", () => {
    const rig = programRig();
    rig.server({ probeServiceNs: ms(7), ...service(seconds(3)) });
    expect(probed(rig, http)).toEqual([[true, 7]]);
  });
});
