/**
 * An M/M/1 queue at 80 % load on numeric events: two events per customer. The same model as
 * mm1-processes.ts and peers/mm1_simpy.py.
 */
import { createDistribution, Phase, sampleNs, Simulation } from "../../src/engine/index.ts";
import type { Benchmark, BenchmarkResult } from "../harness.ts";

const INTERARRIVAL_NS = 1_250_000;
const SERVICE_NS = 1_000_000;
/** Far more than an M/M/1 at this load ever holds: P(n >= 4096) = 0.8^4096. */
const PLACES = 4096;

function run(customers: number): BenchmarkResult {
  const sim = new Simulation({ seed: "mm1" });
  const interarrival = createDistribution({ kind: "exponential", mean: INTERARRIVAL_NS });
  const service = createDistribution({ kind: "exponential", mean: SERVICE_NS });
  const arrivals = sim.streams.get("arrivals");
  const services = sim.streams.get("services");
  const arrivedAt = new Float64Array(PLACES);
  let arrived = 0;
  let served = 0;
  let sojournNs = 0;

  const depart = sim.defineKind("depart", Phase.complete, () => {
    sojournNs += sim.nowNs - arrivedAt[served++ & (PLACES - 1)]!;
    if (served < arrived) sim.after(sampleNs(service, services), depart);
  });
  const arrive = sim.defineKind("arrive", Phase.start, () => {
    arrivedAt[arrived & (PLACES - 1)] = sim.nowNs;
    if (arrived++ === served) sim.after(sampleNs(service, services), depart);
    if (arrived < customers) sim.after(sampleNs(interarrival, arrivals), arrive);
  });
  sim.after(sampleNs(interarrival, arrivals), arrive);
  sim.run(Infinity);
  return { work: served, hash: `${sim.fingerprint()} ${Math.round(sojournNs / served)} ns` };
}

export const mm1Events: Benchmark = {
  name: "engine: M/M/1, numeric events",
  unit: "customers",
  size: 1_000_000,
  tinySize: 1000,
  run,
};
