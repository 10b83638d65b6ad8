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
import type { Kind, Pod } from "../kubernetes/api/types.ts";
import type { KubeProxy } from "../kubernetes/proxy/kubeProxy.ts";
import type { Network } from "../network/network.ts";
import type { NetworkStack } from "../network/stack.ts";
import type { Observations } from "../observe/observations.ts";
import type { Machines } from "./machines.ts";
import type { Overlaps } from "./overlaps.ts";

/** What can happen to the API server and to the ways to it. */
export interface ApiServerSwitches {
  /** The server, or only its etcd, stands still; or the server's process is gone. */
  pause(what: "server" | "etcd" | "process"): void;
  resume(what: "server" | "etcd" | "process"): void;
  /** Writes take so many times as long. */
  slow(factor: number): void;
  /** "kubelet/NODE", "kube-proxy/NODE", "kube-controller-manager", "kube-scheduler". */
  disconnect(component: string): void;
  reconnect(component: string): void;
}

/** What can happen to all processes of the cluster's DNS. */
export interface DnsSwitches {
  /** They end, and whoever starts before mend() does as well. */
  break(): void;
  mend(): void;
  /** Those that run stand still. @returns what lets them go on */
  hang(): () => void;
}

/** Components of several replicas, of which one leads. */
export type ElectedComponent = "kube-controller-manager" | "kube-scheduler";

export interface FaultContext {
  readonly sim: Simulation;
  readonly observations: Observations;
  /** kubectl's connection to the API server, and what `kubectl get pods -A` would list. */
  readonly api: ApiClient;
  readonly pods: Informer<"Pod">;
  /** What `kubectl get` of another kind would list; watched from the first time that a fault asks. */
  readonly listed: <K extends Kind>(kind: K) => Informer<K>;
  /** Ends the main process of a running pod's first container; false if none runs. */
  readonly crash: (pod: Pod) => boolean;
  /** `kill -9` of the same process; false if none runs. */
  readonly sigkill: (pod: Pod) => boolean;
  /** The kernel kills the same process for its memory; false if none runs. */
  readonly oomKill: (pod: Pod) => boolean;
  readonly network: Network;
  readonly stack: NetworkStack;
  readonly machines: Machines;
  readonly overlaps: Overlaps;
  /** By node. As often as one is stopped it has to be started. */
  readonly kubeProxies: ReadonlyMap<string, KubeProxy>;
  readonly apiServer: ApiServerSwitches;
  /** The leading process of a component dies, if there is one. */
  readonly loseLeader: (component: ElectedComponent) => void;
  /** Names of the nodes and Docker hosts; all other hosts stand outside. */
  readonly inside: ReadonlySet<string>;
  /** Containers of Docker hosts by name, as `docker ps -a` lists them. */
  readonly containers: ReadonlyMap<string, DockerContainer>;
  /** null: the cluster has no DNS. */
  readonly dns: DnsSwitches | null;
}

/** @param name unique in the scenario: names the fault's random stream */
export type FaultScheduler<Spec> = (spec: Spec, context: FaultContext, name: string) => void;
