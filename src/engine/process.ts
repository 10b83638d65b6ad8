/**
 * Processes: models written as generators that yield what they wait for.
 *
 * Owns: starting, waiting, waking, interrupting and ending. Refuses to own: what can be waited for beyond a
 * timeout and another process (resource.ts, store.ts). Every wait carries a generation; whatever arrives
 * for an older one is ignored. Nothing here is asynchronous: a process runs inside one event at a time.
 */
import { SimulationFault } from "./errors.ts";
import { Phase, phaseNames } from "./phases.ts";
import type { EventKind, Simulation } from "./simulation.ts";
import type { DurationNs } from "./time.ts";
import { WaiterQueue } from "./waiter-queue.ts";

/** Something a process can yield. Made by timeout(), request(), get(), put(), or a process itself. */
export interface Wait {
  /**
   * The process starts to wait. True: it need not, and its value is in `process.received`.
   * False: someone will call `process.wake` later.
   */
  begin(process: Process): boolean;
  /**
   * The process stops waiting because it was interrupted. `process.isWoken` tells whether what it waited for
   * was already on its way and has to go back or to the next waiter.
   */
  abandon(process: Process): void;
}

/** Thrown into a process at its `yield` by `process.interrupt(cause)`. */
export class Interrupt extends Error {
  override readonly name = "Interrupt";

  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

export type ProcessBody = (process: Process) => Generator<Wait, unknown, unknown>;

/** One running generator. Yield it from another process to wait for its end and get what it returned. */
export class Process implements Wait {
  readonly name: string;
  /** Number of the current wait: 32 bits, as an event's argument, so it begins again after 2^32 waits. */
  generation: number;
  /** What the current `yield` will evaluate to. */
  received: unknown = undefined;
  /** Set from the moment of waking until the process runs again. */
  isWoken = false;
  /** Which of its gifts the waker gave, for its own `abandon`. */
  ticket = 0;

  private readonly table: ProcessTable;
  private readonly id: number;
  private readonly iterator: Generator<Wait, unknown, unknown>;
  /** Made when somebody joins: most processes end unobserved. */
  private joiners: WaiterQueue | undefined = undefined;
  private wait: Wait | undefined = undefined;
  private interruption: Interrupt | undefined = undefined;
  private started = false;
  private finished = false;

  constructor(
    table: ProcessTable,
    id: number,
    generation: number,
    name: string,
    body: ProcessBody,
  ) {
    this.table = table;
    this.id = id;
    this.generation = generation;
    this.name = name;
    this.iterator = body(this);
    this.schedule(0, Phase.start);
  }

  /** False once the body has returned or thrown. */
  get isAlive(): boolean {
    return !this.finished;
  }

  /**
   * A wait of `delayNs`, to be yielded at once. The process goes on in `phase` of that instant.
   * @throws SchedulingError (at the yield) for a negative or fractional delay
   */
  timeout(delayNs: DurationNs, phase: Phase = Phase.timeout): Wait {
    this.table.timeoutNs = delayNs;
    this.table.timeoutPhase = phase;
    return this.table.timeout;
  }

  /**
   * Throws an Interrupt into the process at its yield: at this instant, in the `complete` phase. It stops
   * waiting at once: a timeout due at this very instant no longer fires, and a grant on its way goes to the
   * next waiter. A process that has not started ends without running.
   * @returns false if it has ended or is already being interrupted
   * @throws Error if the process interrupts itself
   */
  interrupt(cause?: unknown): boolean {
    if (this.finished || this.interruption !== undefined) return false;
    if (this.table.current === this) {
      throw new Error(`process "${this.name}" cannot interrupt itself`);
    }
    this.wait?.abandon(this);
    this.table.simulation.cancel(this.table.events[this.id]!);
    this.generation = (this.generation + 1) | 0;
    this.isWoken = false;
    this.interruption = new Interrupt(cause);
    this.schedule(0, Phase.complete);
    return true;
  }

  /** Another process waits for this one's end. */
  begin(waiter: Process): boolean {
    if (this.finished) {
      waiter.received = this.received;
      return true;
    }
    this.joiners ??= new WaiterQueue();
    this.joiners.add(waiter);
    return false;
  }

  abandon(waiter: Process): void {
    if (!waiter.isWoken) this.joiners?.leave();
  }

  /** Ends the current wait: the process goes on at this instant, in the `complete` phase, with `value`. */
  wake(value: unknown, ticket = 0): void {
    this.received = value;
    this.ticket = ticket;
    this.isWoken = true;
    this.schedule(0, Phase.complete);
  }

  /** The one event of the current wait. */
  schedule(delayNs: DurationNs, phase: Phase): void {
    const { simulation, kinds, events } = this.table;
    events[this.id] = simulation.after(delayNs, kinds[phase]!, this.id, this.generation);
  }

  /** Runs the body up to its next wait that is not already satisfied. */
  resume(): void {
    const { table } = this;
    const outer = table.current;
    table.current = this;
    this.isWoken = false;
    try {
      let next = this.interruption === undefined ? this.goOn() : this.takeInterruption();
      while (next.done !== true) {
        this.generation = (this.generation + 1) | 0;
        this.received = undefined;
        this.wait = next.value;
        if (!next.value.begin(this)) {
          table.current = outer;
          return;
        }
        next = this.goOn();
      }
      this.finish(next.value);
    } catch (error) {
      this.finish(undefined);
      table.current = outer;
      const { nowNs, seed } = table.simulation;
      throw SimulationFault.wrap(error, nowNs, `process ${this.name}`, seed);
    }
    table.current = outer;
  }

  private goOn(): IteratorResult<Wait, unknown> {
    this.started = true;
    return this.iterator.next(this.received);
  }

  private takeInterruption(): IteratorResult<Wait, unknown> {
    const interruption = this.interruption;
    this.interruption = undefined;
    // Nothing of an unstarted body has run, so nothing in it could catch the interrupt.
    return this.started ? this.iterator.throw(interruption) : { done: true, value: undefined };
  }

  private finish(result: unknown): void {
    this.finished = true;
    this.received = result;
    this.wait = undefined;
    this.table.forget(this.id, this.generation);
    const { joiners } = this;
    if (joiners === undefined) return;
    for (let waiter = joiners.take(); waiter !== undefined; waiter = joiners.take()) {
      waiter.wake(result);
    }
  }
}

/** The processes of one simulation, and the event kinds that resume them. */
export class ProcessTable {
  readonly simulation: Simulation;
  /** By phase. Arguments: process id, generation of the wait. */
  readonly kinds: readonly EventKind[];
  /** The process that is running now. */
  current: Process | undefined = undefined;
  /** By process id: the one event of its current wait. */
  events = new Float64Array(64);
  /** What was asked of timeout() last: it is yielded at once, so that one object serves all of them. */
  timeoutNs: DurationNs = 0;
  timeoutPhase: Phase = Phase.timeout;
  readonly timeout: Wait = {
    begin: (process) => {
      process.schedule(this.timeoutNs, this.timeoutPhase);
      return false;
    },
    abandon: () => {
      // The process cancels its one event itself.
    },
  };

  private readonly processes: (Process | undefined)[] = [];
  /** By id: where the next process with this id continues to count, so that ids can be used again. */
  private readonly generations: number[] = [];
  private readonly freeIds: number[] = [];

  constructor(simulation: Simulation) {
    this.simulation = simulation;
    const resume = (id: number, generation: number): void => {
      const process = this.processes[id];
      if (process !== undefined && process.generation === generation) process.resume();
    };
    this.kinds = phaseNames.map((name) =>
      simulation.defineKind(`process.${name}`, Phase[name], resume),
    );
  }

  spawn(name: string, body: ProcessBody): Process {
    const id = this.freeIds.pop() ?? this.processes.length;
    if (id === this.events.length) this.growEvents();
    const process = new Process(this, id, this.generations[id] ?? 0, name, body);
    this.processes[id] = process;
    return process;
  }

  private growEvents(): void {
    const larger = new Float64Array(2 * this.events.length);
    larger.set(this.events);
    this.events = larger;
  }

  forget(id: number, generation: number): void {
    this.processes[id] = undefined;
    this.generations[id] = (generation + 1) | 0;
    this.freeIds.push(id);
  }
}
