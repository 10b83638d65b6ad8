/**
 * An M/M/1 queue at 80 % load as a textbook writes it: one generator process per customer, which requests a
 * resource with one unit. The same draws as mm1-events.ts, and line by line the model "resource" of
 * peers/mm1_simpy.py.
 */
import {
  createDistribution,
  Phase,
  type Process,
  Resource,
  sampleNs,
  Simulation,
} from "../../src/engine/index.ts";
import type { Benchmark, BenchmarkResult } from "../harness.ts";

const INTERARRIVAL_NS = 1_250_000;
const SERVICE_NS = 1_000_000;

function run(customers: number): BenchmarkResult {
  const sim = new Simulation({ seed: "mm1" });
  const interarrival = createDistribution({ kind: "exponential", mean: INTERARRIVAL_NS });
  const service = createDistribution({ kind: "exponential", mean: SERVICE_NS });
  const arrivals = sim.streams.get("arrivals");
  const services = sim.streams.get("services");
  const server = new Resource(sim, { capacity: 1 });
  let served = 0;
  let sojournNs = 0;

  // One function for all: V8 gives every new closure of a generator a prototype of its own.
  const customer = function* (process: Process) {
    const arrivedAt = sim.nowNs;
    yield server.request();
    yield process.timeout(sampleNs(service, services), Phase.complete);
    server.release();
    sojournNs += sim.nowNs - arrivedAt;
    served++;
  };
  sim.spawn("source", function* (process) {
    for (let i = 0; i < customers; i++) {
      yield process.timeout(sampleNs(interarrival, arrivals), Phase.start);
      sim.spawn("customer", customer);
    }
  });
  sim.run(Infinity);
  return { work: served, hash: `${sim.fingerprint()} ${Math.round(sojournNs / served)} ns` };
}

export const mm1Customers: Benchmark = {
  name: "engine: M/M/1, a process per customer",
  unit: "customers",
  size: 500_000,
  tinySize: 1000,
  run,
};
