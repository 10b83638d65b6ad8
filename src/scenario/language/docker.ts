/**
 * The language for Docker hosts without Kubernetes: containers, who calls them from where, and by which address.
 *
 * Owns: the types and words; like all words they only make plain data. Refuses to own: checking (../schema/docker.ts,
 * ../docker.ts).
 */
import type { ServerInput } from "../servers/index.ts";
import type { Duration } from "./scenario.ts";

export interface DockerInput {
  /** Machines with a Docker daemon each: docker-1, docker-2, ... Default 1. */
  hosts?: number;
  /** Their own addresses are taken from it. Default "192.168.0.0/24". */
  hostCIDR?: string;
  /** The network behind docker0, the same on every host (dockerd --bip). Default "172.17.0.0/16". */
  bridgeCIDR?: string;
  /** dockerd --userland-proxy: docker-proxy serves published ports on loopback. Default true. */
  userlandProxy?: boolean;
  /** In the order in which they are started, and get their addresses. */
  containers?: ContainerInput[];
}

export interface ContainerInput {
  /** Unique among all hosts. */
  name: string;
  /** Default "docker-1". */
  host?: string;
  /** For the reader. Default: the name. */
  image?: string;
  /** `docker run -p`: "8080:80", "127.0.0.1:8080:80" or "53:53/udp". */
  publish?: string[];
  /** Ports that its process listens on: 80 or "53/udp". Default: the container's side of `publish`, or 80. */
  expose?: (number | string)[];
  /** "host": in the host's own network namespace. Default "bridge". */
  network?: "bridge" | "host";
  /** `docker run --restart`. Default "no". */
  restart?: "no" | "always" | "unless-stopped" | "on-failure" | `on-failure:${number}`;
  /** When it is first started. Default "0": it has been running when the run begins. */
  start?: Duration;
  /** What its process does, as in `servers`. */
  server?: ServerInput;
}

/** Clients in containers of their own on a Docker host. */
export interface ContainerOriginInput {
  kind: "container";
  replicas: number;
  host: string;
}

/** A client as a process on a Docker host. */
export interface HostOriginInput {
  kind: "host";
  host: string;
}

/** Clients in the pods of a workload, beside its own containers. */
export interface SidecarOriginInput {
  kind: "sidecar";
  workload: string;
}

export interface ContainerTargetInput {
  kind: "container";
  container: string;
}

export interface HostPortInput {
  kind: "hostPort";
  hostPort: string;
}

export interface LocalhostInput {
  kind: "localhost";
  port: number | string;
}

/** Clients in containers of their own on a Docker host. */
export function containers(replicas: number, options: { host: string }): ContainerOriginInput {
  return { ...options, kind: "container", replicas };
}

/** A client as a process of the Docker host itself. */
export function onHost(host: string): HostOriginInput {
  return { kind: "host", host };
}

/** A client in each pod of a workload ("deploy/web"), in a container of its own: it shares the pod's namespace. */
export function sidecar(workload: string): SidecarOriginInput {
  return { kind: "sidecar", workload };
}

/**
 * "NAME:PORT", or "NAME:PORT/udp": the container's address on its bridge, as `docker inspect` shows it when the client starts;
 * remembered from then on.
 */
export function container(reference: string): ContainerTargetInput {
  return { kind: "container", container: reference };
}

/** "HOST:PORT", or "HOST:PORT/udp": a port of a Docker host, or a pod's host port on a node, by the host's own address. */
export function hostPort(reference: string): HostPortInput {
  return { kind: "hostPort", hostPort: reference };
}

/** 127.0.0.1 where the client runs: on a Docker host, or in a pod. Of UDP: localhost("53/udp"). */
export function localhost(port: number | string): LocalhostInput {
  return { kind: "localhost", port };
}

/** As positionalParameters of scenario.ts. */
export const dockerParameters: Readonly<Record<string, readonly string[]>> = {
  containers: ["replicas"],
  onHost: ["host"],
  sidecar: ["workload"],
  container: ["container"],
  hostPort: ["hostPort"],
  localhost: ["port"],
};
