/**
 * The words of the scenario language with their types.
 *
 * Owns: what a scenario's file needs of "podstorm". In the source tree its types are checked against these alone
 * (scenario/paths.ts): through index.ts the compiler would check the whole model each time.
 */
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
export type { ServerInput, WorkloadServerInput } from "./scenario/servers/index.ts";
export type { CallInput, RequestServerInput, WarmUpInput } from "./scenario/servers/requests.ts";
export type { TaskInput } from "./scenario/servers/task.ts";
export type { ProfileOverride } from "./scenario/language/profile.ts";
