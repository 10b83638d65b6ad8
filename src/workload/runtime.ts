/**
 * What runs when a kubelet starts a container.
 *
 * Owns: choosing the program for a pod's container and starting it in the pod's namespace. Refuses to
 * own: the container's life cycle (kubelet) and what programs there are (models.ts).
 */
import type { Container, Pod } from "../kubernetes/api/types.ts";
import type {
  ContainerProcess,
  ContainerRuntime,
  Sandbox,
} from "../kubernetes/kubelet/contract.ts";
import { startProgram, type ProgramSpec } from "./models.ts";
import type { Program, ProgramContext, Programs } from "./program.ts";

export class WorkloadRuntime implements ContainerRuntime {
  readonly #programs: Programs;
  readonly #specFor: (pod: Pod, container: Container) => ProgramSpec;
  /** Until the simulation runs, what starts has been up for days. */
  #atRest = true;

  constructor(programs: Programs, specFor: (pod: Pod, container: Container) => ProgramSpec) {
    this.#programs = programs;
    this.#specFor = specFor;
  }

  /** From now on a program that starts takes its start-up time. */
  endRest(): void {
    this.#atRest = false;
  }

  start(
    pod: Pod,
    container: Container,
    sandbox: Sandbox,
    exited: (exitCode: number, oomKilled?: boolean) => void,
  ): ContainerProcess {
    const namespace = this.#programs.transport.network.namespaces[sandbox.namespace]!;
    const { namespace: project, name } = pod.metadata;
    const context: ProgramContext = {
      programs: this.#programs,
      namespace,
      name: `${project}/${name}/${container.name}/${pod.status.restartCount}`,
      exited,
    };
    const portsOf = (protocol: string): number[] =>
      container.ports
        .filter((port) => port.protocol === protocol)
        .map((port) => port.containerPort);
    const launch = {
      ports: portsOf("TCP"),
      udpPorts: portsOf("UDP"),
      sctpPorts: portsOf("SCTP"),
      cpuLimitMillis: container.limits.cpuMillis,
      memoryLimitBytes: container.limits.memoryBytes,
      started: this.#atRest,
    };
    return startProgram(context, this.#specFor(pod, container), launch);
  }

  crash(process: ContainerProcess, exitCode: number): void {
    (process as Program).crash(exitCode);
  }
}
