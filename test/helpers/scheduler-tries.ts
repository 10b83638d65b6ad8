/** When the scheduler tries pods, seen from outside. */
import type { Simulation } from "../../src/engine/index.ts";

/** Each attempt draws once from the scheduler's stream. */
export function countTries(sim: Simulation): () => number[] {
  const stream = sim.streams.get("scheduler");
  const plain = stream.uniform.bind(stream);
  const times: number[] = [];
  stream.uniform = () => {
    times.push(sim.nowNs);
    return plain();
  };
  return () => times;
}
