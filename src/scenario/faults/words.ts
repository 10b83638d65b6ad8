/** The words for faults, by kind: one line each. A scenario gets them from "podstorm". */
export { flushConntrack, type FlushConntrackInput } from "./flushConntrack.ts";
export { netem, type BitRate, type NetemInput } from "./netem.ts";
export { partition, type PartitionInput } from "./partition.ts";
export { resetContainer, type ResetContainerInput } from "./resetContainer.ts";
export { resetPods, type ResetPodsInput } from "./resetPods.ts";
export { stealCpu, type StealCpuInput } from "./stealCpu.ts";
