/**
 * podstorm: the words of the scenario language with their types, and `run`, which plays a scenario in this process.
 *
 * Owns: what `import ... from "podstorm"` gives. The words only make plain data; the engine and the statistics
 * are podstorm/engine and podstorm/stats.
 *
 * @module
 */
export { run, runReplications } from "./library/run.ts";
export type { ReplicationsOptions, RunOptions, StopSignal } from "./library/options.ts";
export type { ReplicatedMean, ReplicationsResult, ResultRow, RunResult } from "./library/result.ts";
export type { ProgressState } from "./library/slices.ts";
export { UserError, type Mistake } from "./scenario/mistakes.ts";
export type { BrokenLaw } from "./observe/report.ts";
export type { Unit } from "./observe/metrics.ts";
export type { Cell } from "./observe/recorder.ts";
export type * from "./observe/totals.ts";
export type {
  ReplicatedFigure,
  ReplicatedSummary,
  ReplicatedThreshold,
} from "./output/replications.ts";
export type { IgnoredObject, OutcomeCount, Summary } from "./output/summary.ts";
export type { FigureUnit, ThresholdResult } from "./output/thresholds.ts";
export {
  closedLoop,
  defineScenario,
  externalIP,
  keepAlive,
  loadBalancer,
  lookup,
  nodePort,
  openLoop,
  outside,
  perRequest,
  pods,
} from "./scenario/language/scenario.ts";
export type {
  ChaosInput,
  ClientInput,
  ClusterInput,
  ConnectionsInput,
  DnsInput,
  Duration,
  FaultInput,
  FillerInput,
  LoadInput,
  NodeShapeInput,
  OriginInput,
  Quantity,
  ResolverInput,
  RetriesInput,
  ScenarioContext,
  ScenarioDefinition,
  ScenarioInput,
  TargetInput,
} from "./scenario/language/scenario.ts";
export {
  container,
  containers,
  hostPort,
  localhost,
  onHost,
  sidecar,
} from "./scenario/language/docker.ts";
export type {
  ContainerInput,
  ContainerOriginInput,
  ContainerTargetInput,
  DockerInput,
  HostOriginInput,
  HostPortInput,
  LocalhostInput,
  SidecarOriginInput,
} from "./scenario/language/docker.ts";
export * from "./scenario/faults/words.ts";
export type { HostsInput, NodesInput } from "./scenario/faults/hostTargets.ts";
export type { NodeComponent } from "./faults/partitionApi.ts";
export {
  deterministic,
  discrete,
  empirical,
  erlang,
  exponential,
  hyperexponential,
  lognormal,
  pareto,
  uniform,
  weibull,
} from "./scenario/language/distributions.ts";
export type { DistributionInput } from "./scenario/language/distributions.ts";
export { burst, constant, ramp, stages, step } from "./scenario/language/rates.ts";
export type { BurstInput, RateInput, StageInput } from "./scenario/language/rates.ts";
export type { ServerInput } from "./scenario/servers/index.ts";
export type { CallInput, RequestServerInput } from "./scenario/servers/requests.ts";
export type { TaskInput } from "./scenario/servers/task.ts";
export type { ProfileOverride } from "./scenario/language/profile.ts";
