/**
 * What runs on Docker hosts, and what clients dial there.
 *
 * Owns: giving each container its program, starting clients on hosts and in containers, and numbering targets that
 * are no Service for the observations, behind the Services. Refuses to own: any mechanism (docker/).
 */
import { Phase } from "../../engine/index.ts";
import type { Docker } from "../../docker/docker.ts";
import type { ContainerSpec, Launch } from "../../docker/contract.ts";
import { NO_ADDRESS, type AddressId } from "../../network/address.ts";
import { TransportProtocol } from "../../network/nat.ts";
import type { Network } from "../../network/network.ts";
import type { Namespace } from "../../network/host.ts";
import { startProgram, type ProgramSpec } from "../../workload/models.ts";
import type { Program, Programs } from "../../workload/program.ts";
import { serversOfPort } from "../docker.ts";
import type { DockerTarget, ResolvedClient, ResolvedScenario } from "../resolved.ts";
import { serverProgram } from "../servers/index.ts";
import { defaultServer } from "../servers/requests.ts";
import {
  workloadCount,
  workloadIndex,
  workloadsWithHostPort,
  type Dialled,
  type Workloads,
} from "./workloads.ts";

/** Exit code of a client that was given no address: as of curl without a host. */
const EXIT_NO_ADDRESS = 6;

/** Which containers there are, for clients that dial them. */
export class DockerWorkloads {
  /** Names of the targets, in the order of their numbers. */
  readonly targets: readonly string[];
  readonly #scenario: ResolvedScenario;
  readonly #network: Network;
  /** null: no Docker host. */
  readonly #docker: Docker | null;

  constructor(scenario: ResolvedScenario, network: Network, docker: Docker | null) {
    this.#scenario = scenario;
    this.#network = network;
    this.#docker = docker;
    const names = scenario.clients.flatMap(({ to }) => ("service" in to ? [] : [targetName(to)]));
    this.targets = [...new Set(names)];
    if (scenario.clients.some(({ to }) => to.via === "localhost")) network.useLoopback();
  }

  /** What the process of a container is. */
  programFor(name: string): ProgramSpec {
    const { docker, profile } = this.#scenario;
    const server = docker.containers.find((each) => each.name === name)?.server ?? defaultServer;
    return serverProgram(server, profile.server, this.#workloadOf(name));
  }

  /** As it is now: an address of a container is looked up, and not looked at again. */
  dialled(client: ResolvedClient, to: DockerTarget): Dialled {
    const service = this.#scenario.cluster.services.length + this.targets.indexOf(targetName(to));
    const { port } = to;
    const workloads = new Set(this.#behind(client, to));
    const protocol = TransportProtocol[to.protocol];
    return { service, port, protocol, workloads, addresses: [this.#addressOf(to)] };
  }

  #addressOf(to: DockerTarget): AddressId {
    switch (to.via) {
      case "container":
        return this.#docker!.containers.get(to.container)!.address;
      case "hostPort":
        return this.#network.hosts.find(({ name }) => name === to.host)!.address;
      case "localhost":
        return this.#network.useLoopback();
    }
  }

  #behind({ from }: ResolvedClient, to: DockerTarget): number[] {
    if (to.via === "container") return [this.#workloadOf(to.container)];
    if (from.kind === "sidecar") return [workloadIndex(this.#scenario, from.at!)];
    const host = to.via === "hostPort" ? to.host : from.at!;
    const { nodes } = this.#scenario.cluster;
    if (nodes.some(({ metadata }) => metadata.name === host)) {
      return workloadsWithHostPort(this.#scenario, to);
    }
    const servers = serversOfPort(this.#scenario.docker, host, to);
    return servers.map(({ name }) => this.#workloadOf(name));
  }

  #workloadOf(container: string): number {
    const index = this.#scenario.docker.containers.findIndex(({ name }) => name === container);
    return workloadCount(this.#scenario) + index;
  }
}

function targetName(to: DockerTarget): string {
  const port = to.protocol === "TCP" ? to.port : `${to.port}/udp`;
  if (to.via === "container") return `container/${to.container}:${port}`;
  return `${to.via === "hostPort" ? to.host : "localhost"}:${port}`;
}

export interface DockerParts {
  readonly docker: Docker;
  readonly programs: Programs;
  readonly dockerWorkloads: DockerWorkloads;
  readonly workloads: Workloads;
}

/** Creates the containers, starts those that run already, and the clients on hosts. */
export function bringUpDocker(scenario: ResolvedScenario, parts: DockerParts): void {
  const { docker, dockerWorkloads } = parts;
  for (const spec of scenario.docker.containers) {
    docker.create(
      spec,
      launcher(parts, spec, () => dockerWorkloads.programFor(spec.name)),
    );
  }
  for (const [index, client] of scenario.clients.entries()) {
    if (client.from.kind === "container") createClients(parts, index, client);
  }
  if (scenario.coldStart) docker.startCold();
  else docker.startAtRest();
  for (const [index, client] of scenario.clients.entries()) {
    if (client.from.kind === "host") startOnHost(parts, index, client);
  }
}

function launcher(
  { programs }: DockerParts,
  { host, name, exposedPorts, exposedUdpPorts }: ContainerSpec,
  programOf: () => ProgramSpec,
): Launch {
  return (namespace, run, started, exited) => {
    const context = { programs, namespace, name: `${host}/${name}/${run}`, exited };
    return launch(context, programOf(), { exposedPorts, exposedUdpPorts }, started);
  };
}

type Context = Parameters<typeof startProgram>[0];

/** Starts a program; a client that was given no address ends at once. */
function launch(
  context: Context,
  spec: ProgramSpec,
  exposed: Pick<ContainerSpec, "exposedPorts" | "exposedUdpPorts">,
  started: boolean,
): Program {
  if (spec.kind !== "client" || spec.options.addresses[0] !== NO_ADDRESS) {
    const { exposedPorts: ports, exposedUdpPorts: udpPorts } = exposed;
    return startProgram(context, spec, { ports, udpPorts, sctpPorts: [], started });
  }
  const { programs, name, exited } = context;
  const { sim, observations } = programs;
  observations.event(sim.nowNs, "container_not_found", `client/${name}`, "it has no address now");
  let ended = false;
  const end = (exitCode: number): void => {
    if (!ended) exited(exitCode);
    ended = true;
  };
  sim.callAfter(0, Phase.complete, () => end(EXIT_NO_ADDRESS));
  return { signal() {}, crash: end, timer() {} };
}

/** A client's own containers; they restart as a client's pods do. */
function createClients(parts: DockerParts, index: number, client: ResolvedClient): void {
  for (let replica = 0; replica < client.from.replicas; replica++) {
    const spec: ContainerSpec = {
      name: `client-${client.name}-${replica}`,
      host: client.from.at!,
      image: "podstorm/client",
      network: "bridge",
      exposedPorts: [],
      exposedUdpPorts: [],
      publish: [],
      restart: { name: "always", maximumRetryCount: null },
      startNs: lookUpNs(client),
    };
    parts.docker.create(
      spec,
      launcher(parts, spec, () => parts.workloads.clientSpec(index, replica)),
    );
  }
}

/** When the client's process starts: it looks up a container's address then, and not before its time. */
function lookUpNs({ to, startNs }: ResolvedClient): number {
  return to.via === "container" ? startNs : 0;
}

function startOnHost(parts: DockerParts, index: number, client: ResolvedClient): void {
  const { namespace } = parts.docker.host(client.from.at!);
  startClient(parts, client, namespace, () => parts.workloads.clientSpec(index, 0));
}

/** Starts a client that is no container's or pod's. */
export function startClient(
  { programs }: { readonly programs: Programs },
  client: ResolvedClient,
  namespace: Namespace,
  specOf: () => ProgramSpec,
  name = `host/${client.name}`,
): void {
  const context = { programs, namespace, name, exited: () => {} };
  const start = (): void =>
    void launch(context, specOf(), { exposedPorts: [], exposedUdpPorts: [] }, true);
  const atNs = lookUpNs(client);
  if (atNs === 0) start();
  else programs.sim.callAt(atNs, Phase.start, start);
}
