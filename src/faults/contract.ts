/**
 * A fault: a scheduled action on named targets, on the scenario's clock.
 *
 * Owns: the contract of the members in this folder and what they may touch: the API as an operator
 * with kubectl sees it, processes as an operator on the node does, machines and cables as whoever stands in
 * front of them. index.ts lists the members.
 */
import type { Simulation } from "../engine/index.ts";
import type { DockerContainer } from "../docker/container.ts";
import type { ApiClient, Informer } from "../kubernetes/api/contract.ts";
import type { Pod } from "../kubernetes/api/types.ts";
import type { Network } from "../network/network.ts";
import type { NetworkStack } from "../network/stack.ts";
import type { Observations } from "../observe/observations.ts";
import type { Machines } from "./machines.ts";

export interface FaultContext {
  readonly sim: Simulation;
  readonly observations: Observations;
  /** kubectl's connection to the API server, and what `kubectl get pods -A` would list. */
  readonly api: ApiClient;
  readonly pods: Informer<"Pod">;
  /** Ends the main process of a running pod's first container; false if none runs. */
  readonly crash: (pod: Pod) => boolean;
  /** `kill -9` of the same process; false if none runs. */
  readonly sigkill: (pod: Pod) => boolean;
  readonly network: Network;
  readonly stack: NetworkStack;
  readonly machines: Machines;
  /** Names of the nodes and Docker hosts; all other hosts stand outside. */
  readonly inside: ReadonlySet<string>;
  /** Containers of Docker hosts by name, as `docker ps -a` lists them. */
  readonly containers: ReadonlyMap<string, DockerContainer>;
}

/** @param name unique in the scenario: names the fault's random stream */
export type FaultScheduler<Spec> = (spec: Spec, context: FaultContext, name: string) => void;
