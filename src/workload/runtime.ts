/**
 * What runs when a kubelet starts a container.
 *
 * Owns: choosing the program for a pod's container and starting it in the pod's namespace. Refuses to
 * own: the container's life cycle (kubelet). The table of programs is below: a new workload model is
 * one file and one line.
 */
import type { Container, Pod } from "../kubernetes/api/types.ts";
import type {
  ContainerProcess,
  ContainerRuntime,
  Sandbox,
} from "../kubernetes/kubelet/contract.ts";
import { LoadClient, type ClientOptions } from "./client.ts";
import type { Program, ProgramContext, Programs } from "./program.ts";
import { RequestServer, type ServerOptions } from "./server.ts";

/** What a container runs, chosen when the scenario is compiled. */
export type ProgramSpec =
  | { readonly kind: "server"; readonly options: Omit<ServerOptions, "started" | "ports"> }
  | { readonly kind: "client"; readonly options: ClientOptions };

const programs: {
  readonly [K in ProgramSpec["kind"]]: (
    context: ProgramContext,
    spec: Extract<ProgramSpec, { kind: K }>,
    ports: readonly number[],
    started: boolean,
  ) => Program;
} = {
  server: (context, spec, ports, started) =>
    new RequestServer(context, { ...spec.options, ports, started }),
  client: (context, spec) => new LoadClient(context, spec.options),
};

/** Starts a program of any kind: in a container, or on a host outside the cluster. */
export function startProgram(
  context: ProgramContext,
  spec: ProgramSpec,
  ports: readonly number[],
  started: boolean,
): Program {
  return spec.kind === "server"
    ? programs.server(context, spec, ports, started)
    : programs.client(context, spec, ports, started);
}

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
    exited: (exitCode: number) => void,
  ): ContainerProcess {
    const namespace = this.#programs.transport.network.namespaces[sandbox.namespace]!;
    const { namespace: project, name } = pod.metadata;
    const context: ProgramContext = {
      programs: this.#programs,
      namespace,
      name: `${project}/${name}/${container.name}/${pod.status.restartCount}`,
      exited,
    };
    const ports = container.ports
      .filter((port) => port.protocol === "TCP")
      .map((port) => port.containerPort);
    return startProgram(context, this.#specFor(pod, container), ports, this.#atRest);
  }

  crash(process: ContainerProcess, exitCode: number): void {
    (process as Program).crash(exitCode);
  }
}
