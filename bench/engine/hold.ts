/**
 * The hold model: with n events pending, each event that happens schedules one more, an exponential time ahead.
 * It measures the queue, the loop, the fingerprint and one exponential draw.
 */
import { createDistribution, Phase, sampleNs, Simulation } from "../../src/engine/index.ts";
import type { Benchmark, BenchmarkResult } from "../harness.ts";

const MEAN_NS = 1_000_000;

function prepareHold(pending: number, holds: number): () => BenchmarkResult {
  const sim = new Simulation({ seed: "hold" });
  const delay = createDistribution({ kind: "exponential", mean: MEAN_NS });
  const stream = sim.streams.get("delay");
  let left = holds;
  const hold = sim.defineKind("hold", Phase.complete, () => {
    left--;
    sim.after(sampleNs(delay, stream), hold, left);
  });
  for (let i = 0; i < pending; i++) sim.after(sampleNs(delay, stream), hold);
  // Each event schedules its successor, so this many more happen before about this time.
  return () => {
    const stepNs = Math.ceil((MEAN_NS * 1000) / pending);
    while (left > 0) sim.run(sim.nowNs + stepNs);
    return { work: holds - left, hash: sim.fingerprint() };
  };
}

export function hold(pending: number): Benchmark {
  return {
    name: `engine: hold model, ${pending} pending`,
    unit: "holds",
    size: 1_000_000,
    tinySize: 1000,
    prepare: (size) => prepareHold(pending, size),
    run: (size) => prepareHold(pending, size)(),
  };
}
