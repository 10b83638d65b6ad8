/**
 * An M/M/1 queue at 80 % load as two generator processes and a store: the same model, with the same draws, as
 * mm1-events.ts, and line by line the model "store" of peers/mm1_simpy.py.
 */
import { createDistribution, Phase, sampleNs, Simulation, Store } from "../../src/engine/index.ts";
import type { Benchmark, BenchmarkResult } from "../harness.ts";

const INTERARRIVAL_NS = 1_250_000;
const SERVICE_NS = 1_000_000;

function run(customers: number): BenchmarkResult {
  const sim = new Simulation({ seed: "mm1" });
  const interarrival = createDistribution({ kind: "exponential", mean: INTERARRIVAL_NS });
  const service = createDistribution({ kind: "exponential", mean: SERVICE_NS });
  const arrivals = sim.streams.get("arrivals");
  const services = sim.streams.get("services");
  const queue = new Store<number>(sim);
  let served = 0;
  let sojournNs = 0;

  sim.spawn("source", function* (process) {
    for (let i = 0; i < customers; i++) {
      yield process.timeout(sampleNs(interarrival, arrivals), Phase.start);
      yield queue.put(sim.nowNs);
    }
  });
  sim.spawn("server", function* (process) {
    while (served < customers) {
      const arrivedAt = (yield queue.get()) as number;
      yield process.timeout(sampleNs(service, services), Phase.complete);
      sojournNs += sim.nowNs - arrivedAt;
      served++;
    }
  });
  sim.run(Infinity);
  return { work: served, hash: `${sim.fingerprint()} ${Math.round(sojournNs / served)} ns` };
}

export const mm1Processes: Benchmark = {
  name: "engine: M/M/1, generator processes",
  unit: "customers",
  size: 1_000_000,
  tinySize: 1000,
  run,
};
