/**
 * What the daemon is told about a container, and what runs in one.
 *
 * Owns: the shapes. Refuses to own: what a container's process does: whoever joins the rooms hands it in.
 */
import type { SimTimeNs } from "../engine/index.ts";
import type { Namespace } from "../network/host.ts";

/** `-p HOSTIP:HOSTPORT:CONTAINERPORT/PROTOCOL`. */
export interface PublishedPort {
  readonly protocol: "tcp" | "udp";
  readonly hostIP: string;
  readonly hostPort: number;
  readonly containerPort: number;
}

/** INADDR_ANY: every address of the host. */
export const ANY_ADDRESS = "0.0.0.0";

export interface RestartPolicy {
  readonly name: "no" | "always" | "unless-stopped" | "on-failure";
  /** Of on-failure; null for no limit. */
  readonly maximumRetryCount: number | null;
}

export interface ContainerSpec {
  /** Unique among all hosts. */
  readonly name: string;
  /** Name of its host. */
  readonly host: string;
  readonly image: string;
  /** `host`: in the host's own namespace, as `docker run --network host`. */
  readonly network: "bridge" | "host";
  /** Ports that its process listens on, of TCP and of UDP. */
  readonly exposedPorts: readonly number[];
  readonly exposedUdpPorts: readonly number[];
  readonly publish: readonly PublishedPort[];
  readonly restart: RestartPolicy;
  /** When `docker run` is given; 0 for a container that has been running when the simulation begins. */
  readonly startNs: SimTimeNs;
}

export interface ContainerProcess {
  signal(signal: "SIGTERM" | "SIGKILL"): void;
  crash(exitCode: number): void;
}

/**
 * Runs a container's process.
 * @param run how often it has been started before
 * @param started it has been running for days
 * @param exited called once, never before this has returned
 */
export type Launch = (
  namespace: Namespace,
  run: number,
  started: boolean,
  exited: (exitCode: number) => void,
) => ContainerProcess;
