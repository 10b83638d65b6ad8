/**
 * The engine: a discrete-event simulation library that knows nothing of networks or Kubernetes.
 *
 * Owns: the list of what is public. Guide: docs/engine.md.
 */
export { type DurationNs, type SimTimeNs, hours, minutes, ms, seconds, us } from "./time.ts";
export { Phase, type PhaseName, phaseNames } from "./phases.ts";
export { EventQueue, type EventHandle } from "./event-queue.ts";
export {
  type EventHandler,
  type EventKind,
  type PendingEvent,
  Simulation,
  type SimulationOptions,
} from "./simulation.ts";
export { SchedulingError, SimulationFault } from "./errors.ts";
export { Interrupt, type Process, type ProcessBody, type Wait } from "./process.ts";
export { Resource, type ResourceOptions } from "./resource.ts";
export { Store, type StoreOptions } from "./store.ts";
export { type RandomStream, RandomStreams } from "./random.ts";
export {
  createDistribution,
  type Distribution,
  type DistributionSpec,
  sampleNs,
} from "./distributions.ts";
export { exp, ln, lnGamma, normalQuantile, pow } from "./portable-math.ts";
export { Fingerprint } from "./fingerprint.ts";
