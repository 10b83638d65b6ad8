/**
 * What a kubelet needs from the rooms around it: a pod network, something that runs containers, and
 * a way to send probes.
 *
 * Owns: the contracts only. network/ implements PodNetwork; workload/ implements ContainerRuntime and
 * Prober and hands them in.
 */
import type { DurationNs, SimTimeNs } from "../../engine/index.ts";
import type { AddressId } from "../../network/address.ts";
import type { PortMapping } from "../../network/portmap.ts";
import type { Container, Pod, ProbeHandler } from "../api/types.ts";

/** A pod's network namespace with its address. */
export interface Sandbox {
  /** Index of the namespace in the network; not reused while anything can still refer to it. */
  readonly namespace: number;
  readonly node: number;
  readonly addresses: readonly AddressId[];
}

/** The CNI plugin of a node. Both calls take effect at once; the kubelet models how long they take. */
export interface PodNetwork {
  /**
   * CNI ADD. null: the node's range has no free address.
   * @param wanted the address that it has had for days, where that is free
   * @param ports host ports of its containers
   */
  add(
    node: number,
    podName: string,
    wanted?: string | null,
    ports?: readonly PortMapping[],
  ): Sandbox | null;
  /** CNI DEL: sockets in the namespace die silently, the link goes, the address returns to the range. */
  del(sandbox: Sandbox): void;
}

export type Signal = "SIGTERM" | "SIGKILL";

export interface ContainerProcess {
  /** SIGKILL ends the process before this returns; SIGTERM does what the application does with it. */
  signal(signal: Signal): void;
  /**
   * Runs a command beside it that needs `cpuNs` of the container's CPU. `done` is called once, false if
   * the process ended meanwhile. Absent: a process without a limit, where it takes just that long.
   */
  exec?(cpuNs: DurationNs, done: (ran: boolean) => void): void;
  /** Working set. Absent: not worth counting. */
  memoryBytes?: (() => number) | undefined;
  /** CPU time used so far. Absent: none that counts. */
  cpuUsedNs?(nowNs: SimTimeNs): number;
}

export interface ContainerRuntime {
  /**
   * Runs the container's process in the sandbox from now on.
   * @param exited called once when the process ends, for whatever reason, with its exit code
   *   (137 after SIGKILL), and whether the kernel killed it for its memory. Not called before start()
   *   has returned.
   */
  start(
    pod: Pod,
    container: Container,
    sandbox: Sandbox,
    exited: (exitCode: number, oomKilled?: boolean) => void,
  ): ContainerProcess;
  /** Makes the process of a running container end by itself, as a crash would. */
  crash(process: ContainerProcess, exitCode: number): void;
}

/** A probe that travels. */
export type SentProbe = Exclude<ProbeHandler, { kind: "exec" }>;

export interface Prober {
  /**
   * Sends one probe from the node's own namespace; `done` is called once, at the latest at the time-out.
   * An exec probe is none: the container runs it itself.
   */
  probe(
    node: number,
    sandbox: Sandbox,
    handler: SentProbe,
    timeoutNs: DurationNs,
    done: (success: boolean) => void,
  ): void;
}
