/**
 * A fault: a scheduled action on named targets, on the scenario's clock.
 *
 * Owns: the contract of the members in this folder and what they may touch: the API as an operator
 * with kubectl sees it, and processes as an operator on the node does. index.ts lists the members.
 */
import type { Simulation } from "../engine/index.ts";
import type { DockerContainer } from "../docker/container.ts";
import type { ApiClient, Informer } from "../kubernetes/api/contract.ts";
import type { Pod } from "../kubernetes/api/types.ts";
import type { Observations } from "../observe/observations.ts";

export interface FaultContext {
  readonly sim: Simulation;
  readonly observations: Observations;
  /** kubectl's connection to the API server, and what `kubectl get pods -A` would list. */
  readonly api: ApiClient;
  readonly pods: Informer<"Pod">;
  /** Ends the main process of a running pod's first container; false if none runs. */
  readonly crash: (pod: Pod) => boolean;
  /** Containers of Docker hosts by name, as `docker ps -a` lists them. */
  readonly containers: ReadonlyMap<string, DockerContainer>;
}

/** @param name unique in the scenario: names the fault's random stream */
export type FaultScheduler<Spec> = (spec: Spec, context: FaultContext, name: string) => void;
