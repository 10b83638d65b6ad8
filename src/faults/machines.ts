/**
 * The machines under the hosts: power switch, hypervisor, CPUs.
 *
 * Owns: how several faults on one machine go together: it is off while any of them says so, frozen while any
 * does and none says off, and what they take of its CPUs multiplies. Refuses to own: what becomes of the host's
 * kernel (network/) and of what runs on it (MachineSoftware).
 */
import { HostState, type Host, type HostStateCode } from "../network/host.ts";
import type { Network } from "../network/network.ts";
import type { NetworkStack } from "../network/stack.ts";
import { Overlaps } from "./overlaps.ts";

/** What runs on a machine beside the kernel: a node's kubelet, its containers and its kube-proxy. */
export interface MachineSoftware {
  /** All processes stand still. */
  freeze(): void;
  /** They go on. What was due meanwhile is due now. */
  resume(): void;
  /** The machine is told to go down. @param release called when what runs on it lets it */
  shutDown(release: () => void): void;
  /** It does not go down after all. */
  cancelShutdown(): void;
  /** All processes are gone, and nobody outside is told. */
  crash(): void;
  /** The machine has started again: what is set up to start does. */
  boot(): void;
}

interface Machine {
  readonly software: MachineSoftware | null;
  off: number;
  frozen: number;
}

export class Machines {
  readonly #network: Network;
  readonly #stack: NetworkStack;
  readonly #softwareOf: (host: Host) => MachineSoftware | null;
  readonly #overlaps = new Overlaps();
  readonly #machines = new Map<Host, Machine>();

  constructor(stack: NetworkStack, softwareOf: (host: Host) => MachineSoftware | null) {
    this.#network = stack.network;
    this.#stack = stack;
    this.#softwareOf = softwareOf;
  }

  /** @returns what gives the power back */
  powerOff(host: Host): () => void {
    return this.#during(host, (machine, by) => (machine.off += by));
  }

  /**
   * An orderly shutdown: the power goes when what runs on it has come to its end.
   * @returns what gives the power back, or calls the shutdown off
   */
  shutDown(host: Host): () => void {
    const { software } = this.#machineOf(host);
    let back: (() => void) | null = null;
    let isOver = false;
    const release = (): void => {
      if (!isOver) back = this.powerOff(host);
    };
    if (software === null) release();
    else software.shutDown(release);
    return () => {
      isOver = true;
      if (back === null) software?.cancelShutdown();
      else back();
    };
  }

  /** @returns what lets it go on */
  freeze(host: Host): () => void {
    return this.#during(host, (machine, by) => (machine.frozen += by));
  }

  /** @returns what gives the CPUs back */
  stretchCpu(host: Host, factor: number): () => void {
    return this.#overlaps.scale(host.name, factor, (product) =>
      this.#network.stretchCpu(host, product),
    );
  }

  #during(host: Host, change: (machine: Machine, by: number) => void): () => void {
    const machine = this.#machineOf(host);
    const step = (by: number): void => {
      change(machine, by);
      const { off, frozen } = machine;
      this.#become(host, off > 0 ? HostState.off : frozen > 0 ? HostState.frozen : HostState.on);
    };
    step(1);
    return () => step(-1);
  }

  #become(host: Host, state: HostStateCode): void {
    const before = host.state;
    if (state === before) return;
    const { software } = this.#machineOf(host);
    if (state === HostState.off) {
      // Without power nothing that a dying process says leaves the host.
      this.#stack.powerOff(host);
      software?.crash();
      return;
    }
    this.#network.setState(host, state);
    if (before === HostState.off) software?.boot();
    if (state === HostState.frozen) software?.freeze();
    else if (before === HostState.frozen) software?.resume();
  }

  #machineOf(host: Host): Machine {
    let machine = this.#machines.get(host);
    if (machine === undefined) {
      machine = { software: this.#softwareOf(host), off: 0, frozen: 0 };
      this.#machines.set(host, machine);
    }
    return machine;
  }
}
