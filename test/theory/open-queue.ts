/**
 * An open queue: customers come at random to one station, until a number of them has come and all have gone.
 *
 * Owns: running it, in either form, and the checks that hold for every such queue.
 */
import { expect } from "vitest";
import {
  createDistribution,
  type DistributionSpec,
  ms,
  Phase,
  sampleNs,
  Simulation,
} from "../../src/engine/index.ts";
import { expectMean } from "../helpers/confidence.ts";
import { EventStation, ProcessStation, type VisitLog } from "./station.ts";

/** The unit of time of the formulas: the mean of most service times here. */
export const UNIT_NS = ms(1);

export interface OpenQueue {
  readonly seed: string;
  readonly servers: number;
  readonly places?: number;
  /** Arrivals in a unit of time, Poisson. */
  readonly lambda: number;
  /** In ns. */
  readonly service: DistributionSpec;
  readonly customers: number;
}

export const exponentialUnit: DistributionSpec = { kind: "exponential", mean: UNIT_NS };

function prepare(queue: OpenQueue) {
  const sim = new Simulation({ seed: queue.seed });
  const spec: DistributionSpec = { kind: "exponential", mean: UNIT_NS / queue.lambda };
  const interarrival = createDistribution(spec);
  const arrivals = sim.streams.get("arrivals");
  const { servers, places = Infinity, customers } = queue;
  const service = createDistribution(queue.service);
  const options = { name: "queue", servers, places, service, visits: customers };
  return { sim, options, gapNs: () => sampleNs(interarrival, arrivals) };
}

/** On numeric events. */
export function runEvents(queue: OpenQueue): VisitLog {
  const { sim, options, gapNs } = prepare(queue);
  const station = new EventStation(sim, options);
  const arrive = sim.defineKind("arrive", Phase.start, () => {
    station.arrive();
    if (station.log.count < queue.customers) sim.post(sim.nowNs + gapNs(), arrive);
  });
  sim.post(gapNs(), arrive);
  sim.run(Infinity);
  return finished(sim, station.log, queue);
}

/** One process for the source and one for each customer. */
export function runProcesses(queue: OpenQueue): VisitLog {
  const { sim, options, gapNs } = prepare(queue);
  const station = new ProcessStation(sim, options);
  sim.spawn("source", function* (source) {
    for (let i = 0; i < queue.customers; i++) {
      yield source.timeout(gapNs(), Phase.start);
      sim.spawn("customer", (customer) => station.visit(customer));
    }
  });
  sim.run(Infinity);
  return finished(sim, station.log, queue);
}

function finished(sim: Simulation, log: VisitLog, queue: OpenQueue): VisitLog {
  expect(log.count).toBe(queue.customers);
  expectLittle(log, sim.nowNs);
  return log;
}

/**
 * Little's law, L = lambda W, on the path itself: over a time that begins and ends empty, the integral of the
 * number present equals the sum of the times spent, to the nanosecond. For the system and for the line.
 */
export function expectLittle(log: VisitLog, endNs: number): void {
  const total = (values: Float64Array): number => values.reduce((sum, each) => sum + each, 0);
  expect(log.inSystem.value).toBe(0);
  expect(log.inSystem.integral(endNs)).toBe(total(log.sojournsNs()));
  expect(log.waiting.integral(endNs)).toBe(total(log.waitsNs()));
}

export interface OpenQueueTheory {
  /** Mean wait of the accepted, in units. */
  readonly wait?: number;
  /** Share of the accepted that wait. */
  readonly waiting?: number;
  /** Share refused. */
  readonly loss?: number;
}

/** Whether two models did the same thing at the same times, visit by visit. */
export function expectSamePath(a: VisitLog, b: VisitLog): void {
  const bytes = ({ buffer }: Float64Array): Buffer => Buffer.from(buffer as ArrayBuffer);
  for (const times of ["arrivedNs", "startedNs", "leftNs"] as const) {
    expect(bytes(a[times]).equals(bytes(b[times])), times).toBe(true);
  }
}

/** Half-widths that show the run was long enough: of the mean wait, relative; of shares, absolute. */
const WAIT_RESOLUTION = 0.1;
const SHARE_RESOLUTION = 0.02;

/** The beginning, a thirtieth, is left out: the queue began empty. */
const steady = (values: Float64Array): Float64Array =>
  values.subarray(Math.ceil(values.length / 30));

export function expectTheory(log: VisitLog, { wait, waiting, loss }: OpenQueueTheory): void {
  if (wait !== undefined) {
    expectMean({
      name: "wait",
      expected: wait,
      values: steady(log.waitsNs()).map((waitNs) => waitNs / UNIT_NS),
      resolution: WAIT_RESOLUTION * wait,
    });
  }
  const share = (name: string, expected: number, values: Float64Array): void => {
    expectMean({ name, expected, values, resolution: SHARE_RESOLUTION });
  };
  if (waiting !== undefined) share("share that waits", waiting, steady(log.waited()));
  if (loss !== undefined) share("share lost", loss, steady(log.refused()));
}
