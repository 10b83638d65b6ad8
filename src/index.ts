/**
 * podstorm for authors of scenarios: the words of the scenario language and their types.
 *
 * Owns: what `import ... from "podstorm"` gives. It only makes plain data; the engine and the statistics
 * are podstorm/engine and podstorm/stats.
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
export type { ContainerInput, DockerInput } from "./scenario/language/docker.ts";
export * from "./scenario/faults/words.ts";
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
export type { ProfileOverride } from "./scenario/language/profile.ts";
