/**
 * Ties in the model itself: the phases at work in the network, in servers and in clients.
 *
 * Each test first runs the case without the tie to learn the instant, to the nanosecond, and then puts the
 * second thing there, or one nanosecond beside it.
 *
 * Seen to fail: with the client's deadline in the `complete` phase, an answer at the instant of its deadline
 * came too late; with the end of service in the `start` phase, a request found the worker still busy;
 * with packets handed to sockets in the `start` phase, a listener that closed after deliveries refused the SYN.
 */
import { describe, expect, it } from "vitest";
import { ms, Phase, seconds } from "../../src/engine/index.ts";
import { createObservations, outcomeNames } from "../../src/observe/observations.ts";
import type { ClientOptions } from "../../src/workload/client.ts";
import { Programs, type ProgramContext } from "../../src/workload/program.ts";
import { serverProfile } from "../../src/workload/profile.ts";
import { startProgram } from "../../src/workload/models.ts";
import { guest, listen, Recorder, wire } from "../helpers/wire.ts";

interface Ended {
  readonly outcome: string;
  readonly latencyNs: number;
  readonly startedAtNs: number;
}

interface Case {
  readonly timeoutNs?: number;
  readonly serviceNs?: number;
  /** When each client makes its one request. */
  readonly requestsAtNs?: readonly number[];
}

/** One server with one worker and no queue on one node, clients on the other. @returns what became of each */
function play({
  timeoutNs = seconds(10),
  serviceNs = ms(5),
  requestsAtNs = [ms(1)],
}: Case): Ended[] {
  const net = wire();
  const ended: Ended[] = [];
  const observations = createObservations([
    {
      requestEnded: (_client, _service, outcome, startedAtNs, endedAtNs) => {
        const latencyNs = endedAtNs - startedAtNs;
        ended.push({ outcome: outcomeNames[outcome]!, latencyNs, startedAtNs });
      },
    },
  ]);
  const programs = new Programs(net.sim, net.transport, observations);
  const contextOf = (host: number, name: string): ProgramContext => ({
    programs,
    namespace: net.network.namespaces[guest(net, host, name).namespace]!,
    name,
    exited: () => {},
  });
  const server = contextOf(1, "server");
  const serverOptions = {
    ...serverProfile,
    workload: 0,
    concurrency: 1,
    queueLimit: 0,
    serviceTime: { kind: "deterministic", value: serviceNs },
  } as const;
  const none = { udpPorts: [], sctpPorts: [], started: true };
  startProgram(server, { kind: "server", options: serverOptions }, { ports: [80], ...none });
  for (const [i, atNs] of requestsAtNs.entries()) {
    const options: ClientOptions = {
      client: i,
      service: 0,
      addresses: [...server.namespace.addresses],
      port: 80,
      protocol: 6,
      workloads: new Set([0]),
      load: { kind: "closedLoop", users: 1, thinkTime: { kind: "deterministic", value: atNs } },
      poolSize: 0,
      requestBytes: 200,
      timeoutNs,
      retries: {
        maxAttempts: 1,
        initialBackoffNs: 0,
        backoffFactor: 1,
        maxBackoffNs: 0,
        jitter: 0,
      },
      startNs: 0,
      // One request each: the next would come at least a request later.
      stopNs: atNs + 1,
    };
    const client = contextOf(0, `client-${i}`);
    startProgram(client, { kind: "client", options }, { ports: [], ...none });
  }
  net.sim.run(seconds(60));
  return ended;
}

describe("a client's deadline", () => {
  /**
   *   request-----------answer   (deliver)
   *   |-- timeout ------|deadline (timeout)
   */
  it("at the instant of its answer leaves the answer in time; one nanosecond earlier it does not", () => {
    const [{ latencyNs }] = play({}) as [Ended];
    expect(latencyNs).toBeGreaterThan(ms(5));
    const outcomes = [latencyNs + 1, latencyNs, latencyNs - 1].map((timeoutNs) =>
      play({ timeoutNs }),
    );
    expect(outcomes.flat().map(({ outcome }) => outcome)).toEqual(["served", "served", "timeout"]);
    expect(outcomes[2]![0]!.latencyNs).toBe(latencyNs - 1);
  });
});

describe("a server's worker", () => {
  /**
   *   first request.....|served     (complete)
   *                     |second one (deliver)
   */
  it("that ends at the instant of a request is free for it; one nanosecond later it is not", () => {
    const gapNs = ms(2);
    const requestsAtNs = [ms(1), ms(1) + gapNs];
    // Equal ways: the requests arrive as far apart as they were sent.
    const outcomesFor = (serviceNs: number): string[] =>
      play({ serviceNs, requestsAtNs })
        .toSorted((x, y) => x.startedAtNs - y.startedAtNs)
        .map(({ outcome }) => outcome);
    expect(outcomesFor(gapNs)).toEqual(["served", "served"]);
    expect(outcomesFor(gapNs + 1)).toEqual(["served", "overloaded"]);
  });
});

describe("a listener that closes", () => {
  /**
   *   SYN sent------|arrives (deliver)
   *                 |close
   */
  it("before deliveries refuses a SYN of the same instant; after them it has taken it in", () => {
    const arrivalNs = ((): number => {
      const { net, listener } = dialled();
      while (listener.pending === 0) net.sim.step();
      return net.sim.nowNs;
    })();
    const logWhenClosed = (atNs: number, phase: Phase): string[] => {
      const { net, listener, client } = dialled();
      net.sim.callAt(atNs, phase, () => net.transport.closeListener(listener));
      net.sim.run(seconds(1));
      return client.log.map((line) => line.replace(/^\S+ /, ""));
    };
    expect(logWhenClosed(arrivalNs - 1, Phase.start)).toEqual(["ECONNREFUSED"]);
    expect(logWhenClosed(arrivalNs, Phase.topology)).toEqual(["ECONNREFUSED"]);
    const taken = logWhenClosed(arrivalNs, Phase.timeout);
    expect(taken).not.toContain("ECONNREFUSED");
    expect(taken).toEqual(logWhenClosed(arrivalNs + 1, Phase.complete));
  });

  function dialled() {
    const net = wire();
    const [a, b] = [guest(net, 0, "a"), guest(net, 1, "b")];
    const listener = listen(net, b, 80, new Recorder(net));
    const client = new Recorder(net);
    const namespace = net.network.namespaces[a.namespace]!;
    net.transport.connect(namespace, b.addresses[0]!, 80, client, 0);
    return { net, listener, client };
  }
});
