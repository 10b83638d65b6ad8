/** The words for faults, by kind: one line each. A scenario gets them from "podstorm". */
export { apiOutage, type ApiOutageInput } from "./apiOutage.ts";
export { cordon, type CordonInput } from "./cordon.ts";
export { drain, type DrainInput } from "./drain.ts";
export { flushConntrack, type FlushConntrackInput } from "./flushConntrack.ts";
export { netem, type BitRate, type NetemInput } from "./netem.ts";
export { partition, type PartitionInput } from "./partition.ts";
export { partitionApi, type PartitionApiInput } from "./partitionApi.ts";
export { resetContainer, type ResetContainerInput } from "./resetContainer.ts";
export { resetPods, type ResetPodsInput } from "./resetPods.ts";
export { rolloutRestart, type RolloutRestartInput } from "./rolloutRestart.ts";
export { rolloutUndo, type RolloutUndoInput } from "./rolloutUndo.ts";
export { scale, type ScaleInput } from "./scale.ts";
export { setImage, type SetImageInput } from "./setImage.ts";
export { slowApi, type SlowApiInput } from "./slowApi.ts";
export { stealCpu, type StealCpuInput } from "./stealCpu.ts";
export { stopKubeProxy, type StopKubeProxyInput } from "./stopKubeProxy.ts";
