/**
 * podstorm/arbitraries: fast-check arbitraries for clusters, Services, faults and whole scenarios.
 *
 * Owns: what `import ... from "podstorm/arbitraries"` gives. podstorm's own laws (test/laws) are tried on the same. Needs
 * fast-check 4.
 *
 * @module
 */
export { apps, manifestOf, services, SERVICE_PORT, SIDECAR_PORT, type App } from "./apps.ts";
export { clusters } from "./clusters.ts";
export { faults, type FaultTargets } from "./faults.ts";
export type { Owner } from "./owners.ts";
export { profiles } from "./profiles.ts";
export { scenarios, type ScenarioNeeds, type WholeScenario } from "./scenarios.ts";
