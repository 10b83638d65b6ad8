/**
 * Queues in a network on the engine: two in tandem (Burke, Jackson), and a closed one (machine repair).
 *
 * Unit of time: 1 ms.
 *
 * Seen to fail: a deterministic first station in the tandem (Burke, Reich and Jackson), a machine that goes on
 * running while it is repaired (the closed network).
 */
import { describe, expect, it } from "vitest";
import {
  createDistribution,
  type DistributionSpec,
  Phase,
  sampleNs,
  Simulation,
  Store,
} from "../../src/engine/index.ts";
import { expectMean } from "../helpers/confidence.ts";
import { machineRepair } from "./formulas.ts";
import { exponentialUnit, expectLittle, UNIT_NS } from "./open-queue.ts";
import { EventStation, ProcessStation, type VisitLog } from "./station.ts";

const exponential = (mean: number): DistributionSpec => ({ kind: "exponential", mean });
const inUnits = (timesNs: Float64Array): Float64Array => timesNs.map((ns) => ns / UNIT_NS);

const LAMBDA = 0.6;
const SECOND_MEAN = 1.25;
const CUSTOMERS = 400_000;
const interarrival = createDistribution(exponential(UNIT_NS / LAMBDA));

/** Station 1 (mean service 1) feeds station 2 (mean service 1.25), on numeric events. */
function tandem(): { readonly first: VisitLog; readonly second: VisitLog } {
  const sim = new Simulation({ seed: "tandem" });
  const arrivals = sim.streams.get("arrivals");
  const shared = { servers: 1, visits: CUSTOMERS };
  const second = new EventStation(sim, {
    ...shared,
    name: "second",
    service: createDistribution(exponential(SECOND_MEAN * UNIT_NS)),
  });
  const service = createDistribution(exponentialUnit);
  const first = new EventStation(sim, { ...shared, name: "first", service }, () => second.arrive());
  const arrive = sim.defineKind("arrive", Phase.start, () => {
    first.arrive();
    if (first.log.count < CUSTOMERS) sim.post(sim.nowNs + sampleNs(interarrival, arrivals), arrive);
  });
  sim.post(sampleNs(interarrival, arrivals), arrive);
  sim.run(Infinity);
  expectLittle(first.log, sim.nowNs);
  expectLittle(second.log, sim.nowNs);
  return { first: first.log, second: second.log };
}

/** The same with one process for each server and a store before it: when each customer left. */
function tandemOfProcesses(): Float64Array {
  const sim = new Simulation({ seed: "tandem" });
  const arrivals = sim.streams.get("arrivals");
  const lines = [new Store<number>(sim), new Store<number>(sim), new Store<number>(sim)];
  const leftNs = new Float64Array(CUSTOMERS);
  sim.spawn("source", function* (source) {
    for (let i = 0; i < CUSTOMERS; i++) {
      yield source.timeout(sampleNs(interarrival, arrivals), Phase.start);
      lines[0]!.offer(i);
    }
  });
  const means = [UNIT_NS, SECOND_MEAN * UNIT_NS];
  for (const [i, name] of ["first", "second"].entries()) {
    const services = sim.streams.get(`${name}/services`);
    const service = createDistribution(exponential(means[i]!));
    sim.spawn(name, function* (server) {
      for (let served = 0; served < CUSTOMERS; served++) {
        const customer = (yield lines[i]!.get()) as number;
        yield server.timeout(sampleNs(service, services), Phase.complete);
        if (i === 1) leftNs[customer] = sim.nowNs;
        lines[i + 1]!.offer(customer);
      }
    });
  }
  sim.run(Infinity);
  return leftNs;
}

describe("two queues in tandem", () => {
  const { first, second } = tandem();
  const sojourns = [inUnits(first.sojournsNs()), inUnits(second.sojournsNs())] as const;

  it("have the sojourns of two M/M/1: 1 / (1 - 0.6) = 2.5 and 1 / (0.8 - 0.6) = 5", () => {
    expectMean({ name: "first", expected: 2.5, values: sojourns[0], resolution: 0.1 });
    expectMean({ name: "second", expected: 5, values: sojourns[1], resolution: 0.4 });
  });

  it("have sojourns of one customer that do not depend on each other (Reich)", () => {
    const values = sojourns[0].map((sojourn, i) => (sojourn - 2.5) * (sojourns[1][i]! - 5));
    // Standard deviations 2.5 and 5: a tenth of their product is a correlation of 0.1.
    expectMean({ name: "covariance", expected: 0, values, resolution: 1.25 });
  });

  it("have between them what came in: Poisson gaps, one not depending on the last (Burke)", () => {
    const left = inUnits(first.leftNs);
    const gaps = left.slice(1).map((at, i) => at - left[i]!);
    // Exponential with mean 1 / 0.6: a share 1/e exceeds the mean.
    const mean = 1 / LAMBDA;
    expectMean({ name: "gap", expected: mean, values: gaps, resolution: 0.05 });
    expectMean({
      name: "gaps above their mean",
      expected: Math.exp(-1),
      values: gaps.map((gap) => (gap > mean ? 1 : 0)),
      resolution: 0.01,
    });
    const products = gaps.slice(1).map((gap, i) => (gap - mean) * (gaps[i]! - mean));
    expectMean({ name: "covariance of gaps", expected: 0, values: products, resolution: 0.1 });
  });

  it("are the same path to the nanosecond as two processes with stores between", () => {
    const other = Buffer.from(tandemOfProcesses().buffer);
    expect(Buffer.from(second.leftNs.buffer as ArrayBuffer).equals(other)).toBe(true);
  });
});

describe("machine repair: 8 machines, 2 repairmen", () => {
  // Each runs for a mean of 4 units, a repair takes 1: birth (8 - n) / 4, death min(n, 2).
  // Weights n = 0..8: 1, 2, 1.75, 1.3125, 0.8203125, 0.41015625, 0.15380859, 0.03845215, 0.00480652,
  // sum 7.49003601. Mean down 2.136171, throughput (8 - 2.136171) / 4 = 1.465957, sojourn 1.457185.
  const theory = machineRepair(8, 2, 1 / 4, 1);

  it("is expected to have 2.136171 down and a sojourn of 1.457185", () => {
    expect(theory.inSystem).toBeCloseTo(2.136171, 6);
    expect(theory.sojourn).toBeCloseTo(1.457185, 6);
  });

  const SAMPLES = 6000;
  /** Far above the mean time around, 5 to 6 units. */
  const SAMPLE_NS = 30 * UNIT_NS;

  it.each([
    ["exponential", exponential(4 * UNIT_NS)],
    ["deterministic", { kind: "deterministic", value: 4 * UNIT_NS }],
    ["uniform", { kind: "uniform", low: 0, high: 8 * UNIT_NS }],
  ] as const)(
    "with %s running times, on which the steady state does not depend",
    (name, running) => {
      const sim = new Simulation({ seed: `machines ${name}` });
      const repair = new ProcessStation(sim, {
        name: "repair",
        servers: 2,
        service: createDistribution(exponentialUnit),
        visits: 500_000,
      });
      const runs = createDistribution(running);
      for (let machine = 0; machine < 8; machine++) {
        const stream = sim.streams.get(`machine ${machine}`);
        sim.spawn("machine", function* (process) {
          while (sim.nowNs < SAMPLES * SAMPLE_NS) {
            yield process.timeout(sampleNs(runs, stream), Phase.start);
            yield* repair.visit(process);
          }
        });
      }
      const { log } = repair;
      const areasNs = Array.from({ length: SAMPLES + 1 }, (_, i) => {
        sim.run(i * SAMPLE_NS);
        return log.inSystem.integral(sim.nowNs);
      });
      const down = areasNs.slice(1).map((areaNs, i) => (areaNs - areasNs[i]!) / SAMPLE_NS);
      sim.run(Infinity);
      expectLittle(log, sim.nowNs);
      const cut = log.count / 30;
      const mean = (what: string, expected: number, values: ArrayLike<number>): void => {
        expectMean({ name: what, expected, values, resolution: 0.02 * Math.max(1, expected) });
      };
      mean("down", theory.inSystem, down);
      mean("sojourn", theory.sojourn, inUnits(log.sojournsNs()).subarray(cut));
      mean("share that waits", theory.waiting, log.waited().subarray(cut));
    },
  );
});
