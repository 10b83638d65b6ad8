/**
 * What runs in a container, or on a host outside: the contract of every workload model.
 *
 * Owns: the contract, the running programs by number (events name them by it), and the words that
 * client and server exchange beside a message's bytes.
 */
import {
  Phase,
  type DurationNs,
  type EventKind,
  type SimTimeNs,
  type Simulation,
} from "../engine/index.ts";
import type { AddressId } from "../network/address.ts";
import type { Transport } from "../network/transport.ts";
import type { Namespace } from "../network/host.ts";
import type { Observations } from "../observe/observations.ts";
import type { CpuStat } from "./cpuQuota.ts";

export type Signal = "SIGTERM" | "SIGKILL";

/** A process under a CPU limit, and its cgroup's cpu.stat. */
export interface CpuReport {
  /** As its context names it: namespace/pod/container/restarts. */
  readonly name: string;
  readonly host: number;
  readonly limitMillis: number;
  readonly stat: CpuStat;
}

/** One running process. It ends by telling `exited`, once. */
export interface Program {
  signal(signal: Signal): void;
  /** Ends by itself, as a crash does. */
  crash(exitCode: number): void;
  /** A timer that it set with Programs.timeoutAt() has gone off. */
  timer(what: number, argument: number): void;
  /** Runs a command in the container: see the kubelet's ContainerProcess. */
  exec?(cpuNs: DurationNs, done: (ran: boolean) => void): void;
  /** Working set, of those that have a model of it. */
  memoryBytes?: (() => number) | undefined;
  /** What cpu.stat of its cgroup says; null without a CPU limit. */
  cpuReport?(): CpuReport | null;
  /** CPU time used so far. */
  cpuUsedNs?(nowNs: SimTimeNs): number;
  /** Clients: when each of the requests began that have not ended. For checking that none is lost. */
  requestsInFlight?(): Iterable<SimTimeNs>;
}

/** Where a program lives. */
export interface ProgramContext {
  readonly programs: Programs;
  readonly namespace: Namespace;
  /** Names its random streams: stable from run to run, and its own. */
  readonly name: string;
  readonly exited: (exitCode: number, oomKilled?: boolean) => void;
}

/** Exit code of a process that SIGKILL ended: 128 + 9. */
export const EXIT_KILLED = 137;

/** Bits of a request's info. */
export const RequestInfo = { close: 1, probe: 2 } as const;

/** Bits of an answer's info: 503, and 502. Between them stands the number of the workload that answered. */
export const AnswerInfo = { overloaded: 1, upstreamFailed: 2 ** 30 } as const;

/** @param status one of AnswerInfo, or 0 */
export function answerInfo(status: number, workload: number): number {
  return 2 * workload + status;
}

/** A timer event's first argument: the program's number, and in the low bits which of its timers. */
const TIMER_BITS = 3;
const TIMER_MASK = 2 ** TIMER_BITS - 1;

/** All programs of a simulation, with their timers as numeric events. */
export class Programs {
  readonly sim: Simulation;
  readonly transport: Transport;
  readonly observations: Observations;
  readonly all: Program[] = [];
  /** Requests that clients have begun: the next one's number. */
  requests = 0;
  /** The host that each of them runs on. */
  readonly #hosts: number[] = [];
  /** By address: 1 where observers know its name. */
  readonly #isNamed: number[] = [];
  readonly #timer: EventKind;
  readonly #start: EventKind;
  readonly #complete: EventKind;

  constructor(sim: Simulation, transport: Transport, observations: Observations) {
    this.sim = sim;
    this.transport = transport;
    this.observations = observations;
    this.#timer = this.#defineKind("program_timeout", Phase.timeout);
    this.#start = this.#defineKind("program_start", Phase.start);
    this.#complete = this.#defineKind("program_complete", Phase.complete);
  }

  add(program: Program, { namespace }: ProgramContext): number {
    this.#hosts.push(namespace.host);
    return this.all.push(program) - 1;
  }

  /** On a frozen host nothing runs: what is due waits. */
  #defineKind(name: string, phase: Phase): EventKind {
    const { network } = this.transport;
    const kind: EventKind = this.sim.defineKind(name, phase, (a, b) => {
      const id = a >> TIMER_BITS;
      if (network.outages > 0 && network.holds(this.#hosts[id]!, kind, a, b)) return;
      this.all[id]!.timer(a & TIMER_MASK, b);
    });
    return kind;
  }

  /** How long `cpuNs` of CPU time take where a program runs. */
  stretched(cpuNs: DurationNs, { namespace }: ProgramContext): DurationNs {
    const { cpuStretch } = this.transport.network.hosts[namespace.host]!;
    return cpuStretch === 1 ? cpuNs : Math.round(cpuNs * cpuStretch);
  }

  /** Tells observers an address' text, once. */
  nameAddress(address: AddressId): void {
    if (this.#isNamed[address] === 1) return;
    this.#isNamed[address] = 1;
    const { addresses } = this.transport.network;
    this.observations.addressNamed(address, addresses.text(address));
  }

  /** A deadline or wait of program `id`: fires after anything that arrives at the same instant. */
  timeoutAt(atNs: number, id: number, what: number, argument: number): void {
    this.sim.post(atNs, this.#timer, (id << TIMER_BITS) | what, argument);
  }

  /** Something new that the program begins: fires last at its instant. */
  startAt(atNs: number, id: number, what: number, argument: number): void {
    this.sim.post(atNs, this.#start, (id << TIMER_BITS) | what, argument);
  }

  /** Work that ends: fires first at its instant. */
  completeAt(atNs: number, id: number, what: number, argument: number): void {
    this.sim.post(atNs, this.#complete, (id << TIMER_BITS) | what, argument);
  }
}
