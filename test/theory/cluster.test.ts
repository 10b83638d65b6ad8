/**
 * Queueing theory on the whole model: clients, connections, kube-proxy's rules, hops, pods.
 *
 * With a network that takes no time, a request's latency is its time at the server, and an open-loop client
 * makes a pod with c workers and room for q more an M/M/c/K queue, K = c + q; a 503 is a customer lost.
 *
 * Unit of time: 1 ms, the mean service.
 *
 * Seen to fail: one more place in the server's queue (the losses), one more worker (all but the NIC's), a
 * worker that stays idle after some of its requests (all but the NIC's), the first endpoint chosen twice as
 * often (the four pods), regular arrivals (all open loops of one client), a user that does not always think
 * (machine repair), a NIC 3 % faster (the NIC's).
 */
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import {
  closedLoop,
  deterministic,
  exponential,
  keepAlive,
  openLoop,
  perRequest,
  pods,
  type ConnectionsInput,
  type DistributionInput,
  type LoadInput,
  type ProfileOverride,
} from "../../src/index.ts";
import { Outcome, type Observer, type OutcomeCode } from "../../src/observe/observations.ts";
import type { RunEnd } from "../../src/observe/report.ts";
import { TimeWeighted } from "../../src/stats/index.ts";
import { expectMean } from "../helpers/confidence.ts";
import { runScenario } from "../helpers/scenario.ts";
import {
  birthDeath,
  erlangC,
  machineRepair,
  mD1WaitQuantile,
  mmcK,
  mmcWait,
  pollaczekKhinchine,
} from "./formulas.ts";
import { UNIT_NS } from "./open-queue.ts";

const noTime = { latency: "0", linkRateBps: Infinity, cpuNsPerPacket: 0 } as const;
const instantNetwork: ProfileOverride = {
  network: { loopback: noTime, veth: noTime, bridge: noTime, nic: noTime, switchPort: noTime },
  kubernetes: { kubeProxy: { iptables: { ruleWalk: "0" } } },
};

/** What clients and servers saw, in order of the requests' ends and arrivals. */
class Measured implements Observer {
  readonly latencies: number[] = [];
  readonly overloaded: number[] = [];
  /** In the servers over time, and at each arrival before it. */
  readonly inSystem = new TimeWeighted();
  readonly found: number[] = [];
  #latenciesNs = 0;

  requestEnded(
    _client: number,
    _service: number,
    outcome: OutcomeCode,
    startedAtNs: number,
    endedAtNs: number,
  ): void {
    this.#latenciesNs += endedAtNs - startedAtNs;
    this.overloaded.push(outcome === Outcome.overloaded ? 1 : 0);
    if (outcome === Outcome.served) this.latencies.push((endedAtNs - startedAtNs) / UNIT_NS);
    else expect(outcome).toBe(Outcome.overloaded);
  }

  endpointRequestStarted(_endpoint: number, atNs: number): void {
    this.found.push(this.inSystem.value);
    this.inSystem.add(1, atNs);
  }

  endpointRequestEnded(_endpoint: number, atNs: number): void {
    this.inSystem.add(-1, atNs);
  }

  /** Little's law on the path, as in open-queue.ts: what the servers held over time is what clients waited. */
  expectLittle(endNs: number): void {
    expect(this.inSystem.value).toBe(0);
    expect(this.inSystem.integral(endNs)).toBe(this.#latenciesNs);
  }
}

interface Case {
  readonly name: string;
  readonly concurrency: number;
  readonly queueLimit: number;
  readonly service: DistributionInput;
  readonly load: LoadInput;
  readonly seconds: number;
  readonly manifest?: string;
  /** Client pods, among which the load is divided. */
  readonly clients?: number;
  readonly connections?: ConnectionsInput;
}

/** Two nodes with the client and server pods; the load stops early enough for the last answer. */
function measure(options: Case): Measured {
  const { name, seconds, manifest = "./pair.yaml", clients = 1, ...rest } = options;
  const measured = new Measured();
  const endS = seconds + 10;
  runScenario(
    name,
    {
      duration: `${endS}s`,
      seed: name,
      cluster: { nodes: 2, manifests: [manifest] },
      servers: {
        "deploy/server": {
          concurrency: rest.concurrency,
          queueLimit: rest.queueLimit,
          serviceTime: rest.service,
        },
      },
      clients: [
        {
          name: "client",
          from: pods(clients),
          to: "svc/server:8080",
          load: rest.load,
          connections: rest.connections ?? keepAlive(),
          timeout: "100s",
          stop: `${seconds}s`,
        },
      ],
      profile: instantNetwork,
    },
    [measured],
  );
  measured.expectLittle(endS * 1000 * UNIT_NS);
  return measured;
}

/** Without the first thirtieth: the queue began empty. */
const steady = (values: readonly number[]): number[] => values.slice(Math.ceil(values.length / 30));

const sojournIs = (measured: Measured, expected: number): void => {
  const values = steady(measured.latencies);
  expectMean({ name: "sojourn", expected, values, resolution: 0.1 * expected });
};

describe("a pod with a Poisson client", () => {
  // Births lambda, deaths min(n, c); formulas.test.ts and many-servers.test.ts show the formula's own numbers.
  //   c = 1, K = 4, lambda 0.8: lost 0.8^4 (1 - 0.8) / (1 - 0.8^5) = 0.1218
  //   c = 2, K = 5, lambda 1.8: weights 1, 1.8, 1.62, 1.458, 1.3122, 1.18098 of 8.37118: lost 0.1411
  //   c = 4, K = 6, lambda 6: weights 1, 6, 18, 36, 54, 81, 121.5 of 317.5: lost 0.3827
  it.each([
    [1, 3, 800, 0.1218],
    [2, 3, 1800, 0.1411],
    [4, 2, 6000, 0.3827],
  ])("of %i workers and %i places before them at %i/s: 503 for %f", (c, queueLimit, rps, lost) => {
    const [lambda, places] = [rps / 1000, c + queueLimit];
    const theory = mmcK(c, places, lambda, 1);
    expect(theory.loss).toBeCloseTo(lost, 4);
    const measured = measure({
      name: `mmck ${c} ${queueLimit}`,
      concurrency: c,
      queueLimit,
      service: exponential("1ms"),
      load: openLoop(rps),
      seconds: Math.round(120_000 / rps),
    });
    sojournIs(measured, theory.sojourn);
    expectMean({
      name: "share answered 503",
      expected: theory.loss,
      values: steady(measured.overloaded),
      resolution: 0.02,
    });
    // PASTA: arrivals find n as often as there are n over time.
    const states = birthDeath(
      places + 1,
      () => lambda,
      (n) => Math.min(n, c),
    );
    states.forEach((expected, n) => {
      const values = steady(measured.found).map((found) => (found === n ? 1 : 0));
      expectMean({ name: `arrivals that find ${n}`, expected, values, resolution: 0.02 });
    });
  });

  it("of 5 workers and a long queue is M/M/5: 0.554113 wait at load 0.8, sojourn 1.554113", () => {
    const measured = measure({
      name: "mmc",
      concurrency: 5,
      queueLimit: 100_000,
      service: exponential("1ms"),
      load: openLoop(4000),
      seconds: 60,
    });
    sojournIs(measured, 1 + mmcWait(5, 4, 1));
    const waits = steady(measured.found).map((found) => (found >= 5 ? 1 : 0));
    expectMean({ name: "waits", expected: erlangC(5, 4), values: waits, resolution: 0.03 });
  });

  it("of 1 worker with a fixed service time is M/D/1: sojourn 1 + 0.6 / (2 * 0.4) = 1.75", () => {
    const measured = measure({
      name: "md1",
      concurrency: 1,
      queueLimit: 100_000,
      service: deterministic("1ms"),
      load: openLoop(600),
      seconds: 200,
    });
    sojournIs(measured, 1 + pollaczekKhinchine(0.6, 1, 1));
    expect(1 + pollaczekKhinchine(0.6, 1, 1)).toBeCloseTo(1.75, 12);
  });
});

it("8 users that think for 4 units and 2 workers are machine repair: sojourn 1.457185", () => {
  const theory = machineRepair(8, 2, 1 / 4, 1);
  expect(theory.sojourn).toBeCloseTo(1.457185, 6);
  const seconds = 80;
  const measured = measure({
    name: "closed",
    concurrency: 2,
    queueLimit: 8,
    service: exponential("1ms"),
    load: closedLoop({ users: 8, thinkTime: exponential("4ms") }),
    seconds,
  });
  sojournIs(measured, theory.sojourn);
  const waits = steady(measured.found).map((found) => (found >= 2 ? 1 : 0));
  expectMean({ name: "waits", expected: theory.waiting, values: waits, resolution: 0.02 });
});

it("4 pods behind iptables' random choice are 4 M/M/1, not one M/M/4: sojourn 1 / (1 - 0.75) = 4", () => {
  // A Poisson stream that each arrival leaves for one of n ways at random is n Poisson streams. The M/M/4 of
  // the same load, which a choice of the idlest pod could approach, has a sojourn of 1 + C(4, 3) / (4 - 3).
  expect(1 + mmcWait(4, 3, 1)).toBeCloseTo(1.5094, 4);
  // Each client opens 12,000 connections, fewer than it has ports; a node's conntrack holds them all.
  const measured = measure({
    name: "split",
    concurrency: 1,
    queueLimit: 100_000,
    service: exponential("1ms"),
    load: openLoop(3000),
    seconds: 52,
    manifest: join(import.meta.dirname, "four-servers.yaml"),
    clients: 13,
    connections: perRequest(),
  });
  sojournIs(measured, 4);
});

describe("a client's slow NIC", () => {
  // 1160 bytes of request with 52 of headers and 38 of frame are 1250 on the wire: 1 ms at 10 Mbit/s. The
  // answer is so small that it never waits on its way back, so a latency above the least one is time in the
  // NIC's queue: M/D/1 at 0.7, wait 0.7 / (2 * 0.3) = 1.1667.
  const measured = new Measured();
  let end: RunEnd;
  const waits = (): number[] => {
    const least = Math.min(...measured.latencies.slice(0, 10_000));
    return steady(measured.latencies).map((latency) => latency - least);
  };

  beforeAll(() => {
    end = runScenario(
      "slow nic",
      {
        duration: "301s",
        cluster: { nodes: 2, manifests: ["./pair.yaml"] },
        servers: {
          "deploy/server": {
            concurrency: 1000,
            serviceTime: deterministic("1us"),
            responseSize: 1,
          },
        },
        clients: [
          {
            name: "client",
            to: "svc/server:8080",
            load: openLoop(700),
            connections: keepAlive(),
            requestSize: 1160,
            timeout: "100s",
            stop: "300s",
          },
        ],
        profile: { network: { nic: { linkRateBps: 10e6 } } },
      },
      [measured],
    );
  });

  it("is an M/D/1 queue in the latencies", () => {
    const wait = pollaczekKhinchine(0.7, 1, 1);
    expectMean({ name: "wait", expected: wait, values: waits(), resolution: 0.1 * wait });
  });

  it("is one in the hop's own report of its queue", () => {
    const nic = end.hops.find(({ hop }) => hop === "node-2/eth0")!;
    const p99 = mD1WaitQuantile(0.99, 0.7, 1);
    const { halfWidth } = expectMean({
      name: `waits up to ${p99}`,
      expected: 0.99,
      values: waits().map((wait) => (wait <= p99 ? 1 : 0)),
      resolution: 0.01 / 2,
    });
    const bound = (p: number): number => mD1WaitQuantile(p, 0.7, 1) * UNIT_NS;
    expect(nic.queueP99Ns).toBeGreaterThan(bound(0.99 - halfWidth) * (1 - 1 / 256));
    expect(nic.queueP99Ns).toBeLessThan(bound(0.99 + halfWidth) * (1 + 1 / 256));
    // 800 ns a byte, of 301 s.
    expect(nic.packets).toBeGreaterThanOrEqual(measured.latencies.length);
    expect(nic.utilisation).toBeCloseTo((nic.bytes * 800) / 301e9, 6);
  });
});
