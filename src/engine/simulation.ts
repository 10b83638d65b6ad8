/**
 * The simulation: one clock, one queue, one table of event kinds.
 *
 * Owns: when things happen and in which order: (time, phase, sequence). Refuses to own: what happens. A kind
 * is registered once with its phase and its handler; an event is then only numbers. Order at one instant is
 * explained in docs/order-of-events.md.
 */
import { EventQueue, type EventHandle } from "./event-queue.ts";
import { SchedulingError, SimulationFault } from "./errors.ts";
import { Fingerprint } from "./fingerprint.ts";
import { Phase, phaseNames } from "./phases.ts";
import { ProcessTable, type Process, type Wait } from "./process.ts";
import { RandomStreams } from "./random.ts";
import type { DurationNs, SimTimeNs } from "./time.ts";

/** A registered kind of event: a small integer. */
export type EventKind = number;

export type EventHandler = (a: number, b: number) => void;

export interface SimulationOptions {
  /** Any text. Same seed and replication, same run. */
  readonly seed: string;
  /** Which repetition of the experiment, from 0. */
  readonly replication?: number;
}

/** Room for 2^49 events in each phase; six phases stay below 2^53. */
const PHASE_WIDTH = 2 ** 49;

/** As it was scheduled. */
export interface PendingEvent {
  readonly timeNs: SimTimeNs;
  /** As in errors. */
  readonly kindName: string;
  readonly a: number;
  readonly b: number;
}

export class Simulation {
  readonly streams: RandomStreams;
  readonly seed: string;

  private now: SimTimeNs = 0;
  private processed = 0;
  private sequence = 0;
  private running = false;
  private readonly queue = new EventQueue();
  private readonly handlers: EventHandler[] = [];
  private readonly kindNames: string[] = [];
  /** phase * PHASE_WIDTH by kind. */
  private readonly phaseOffsets: number[] = [];
  private readonly rolling = new Fingerprint();

  /** Kinds 0..5: closures, by phase. Their first argument is an index into `closures`. */
  private readonly closures: ((() => void) | undefined)[] = [];
  private readonly freeClosures: number[] = [];
  private readonly processes: ProcessTable;

  constructor(options: SimulationOptions) {
    this.seed = options.seed;
    this.streams = new RandomStreams(options.seed, options.replication ?? 0);
    for (const name of phaseNames) {
      this.defineKind(`call.${name}`, Phase[name], (index) => this.runClosure(index));
    }
    this.processes = new ProcessTable(this);
  }

  get nowNs(): SimTimeNs {
    return this.now;
  }

  /** Events that have happened so far. */
  get eventsProcessed(): number {
    return this.processed;
  }

  /** Events that are scheduled. */
  get eventsPending(): number {
    return this.queue.size;
  }

  /**
   * Registers a kind of event. The name appears in errors; several kinds may share it.
   * @throws RangeError for a phase that does not exist
   */
  defineKind(name: string, phase: Phase, handler: EventHandler): EventKind {
    if (phaseNames[phase] === undefined) {
      throw new RangeError(
        `kind "${name}": phase ${String(phase)} is none of ${phaseNames.join(", ")}`,
      );
    }
    this.handlers.push(handler);
    this.kindNames.push(name);
    this.phaseOffsets.push(phase * PHASE_WIDTH);
    return this.handlers.length - 1;
  }

  /**
   * Schedules an event. Arguments are 32-bit integers: indices, identifiers, counts.
   * @throws SchedulingError for a time that is past, fractional or beyond 2^53 - 1, or an unknown kind;
   *   RangeError for an argument that is no 32-bit integer
   */
  at(timeNs: SimTimeNs, kind: EventKind, a = 0, b = 0): EventHandle {
    const offset = this.phaseOffsets[kind];
    if (offset === undefined || !this.isSchedulable(timeNs)) throw this.refusal(kind, timeNs);
    if ((a | 0) !== a || (b | 0) !== b) throw this.badArgument(kind, a, b);
    return this.queue.add(timeNs, offset + this.sequence++, kind, a, b);
  }

  /**
   * Schedules an event that nobody will cancel. As `at`, but without a handle: a handle outgrows a
   * small integer and would be allocated.
   */
  post(timeNs: SimTimeNs, kind: EventKind, a = 0, b = 0): void {
    const offset = this.phaseOffsets[kind];
    if (offset === undefined || !this.isSchedulable(timeNs)) throw this.refusal(kind, timeNs);
    if ((a | 0) !== a || (b | 0) !== b) throw this.badArgument(kind, a, b);
    this.queue.post(timeNs, offset + this.sequence++, kind, a, b);
  }

  /** Schedules an event `delayNs` from now. @throws SchedulingError as `at` */
  after(delayNs: DurationNs, kind: EventKind, a = 0, b = 0): EventHandle {
    return this.at(this.now + delayNs, kind, a, b);
  }

  /** The event will not happen. O(log n). @returns false if it already has, or was cancelled */
  cancel(handle: EventHandle): boolean {
    const slot = this.queue.slotOf(handle);
    if (slot < 0) return false;
    if (this.queue.kinds[slot]! < phaseNames.length) this.releaseClosure(this.queue.as[slot]!);
    return this.queue.cancel(handle);
  }

  /**
   * Moves an event in time; among events of that instant and phase it now counts as scheduled last. O(log n).
   * @returns false for a stale handle
   * @throws SchedulingError for a time that is past, fractional or beyond 2^53 - 1
   */
  reschedule(handle: EventHandle, timeNs: SimTimeNs): boolean {
    const slot = this.queue.slotOf(handle);
    if (slot < 0) return false;
    const kind = this.queue.kinds[slot]!;
    if (!this.isSchedulable(timeNs)) throw this.refusal(kind, timeNs);
    return this.queue.reschedule(handle, timeNs, this.phaseOffsets[kind]! + this.sequence++);
  }

  isPending(handle: EventHandle): boolean {
    return this.queue.isPending(handle);
  }

  /** Schedules a closure: for code where clarity matters more than the allocation. @throws as `at` */
  callAt(timeNs: SimTimeNs, phase: Phase, fn: () => void): EventHandle {
    // The closure kinds are the first ones, in the order of phases. Checked before the pool is touched.
    if (!this.isSchedulable(timeNs)) throw this.refusal(phase, timeNs);
    const index = this.freeClosures.pop() ?? this.closures.length;
    this.closures[index] = fn;
    return this.at(timeNs, phase, index);
  }

  /** Schedules a closure `delayNs` from now. @throws as `at` */
  callAfter(delayNs: DurationNs, phase: Phase, fn: () => void): EventHandle {
    return this.callAt(this.now + delayNs, phase, fn);
  }

  /** Starts a generator process at this instant, in the `start` phase. See process.ts. */
  spawn(name: string, body: (process: Process) => Generator<Wait, unknown, unknown>): Process {
    return this.processes.spawn(name, body);
  }

  /**
   * Runs every event up to and including `untilNs`, then sets the clock there. run(a); run(b) equals run(b).
   * run(Infinity) ends when nothing is pending, with the clock at the last event. After `mostEvents` it
   * stops where it is, with the clock at the last event.
   * @returns false if it stopped for `mostEvents`
   * @throws SimulationFault if a handler throws; RangeError if `untilNs` is past or not an integer
   */
  run(untilNs: SimTimeNs, mostEvents = Infinity): boolean {
    if (!(untilNs >= this.now) || (untilNs !== Infinity && !Number.isSafeInteger(untilNs))) {
      throw new RangeError(
        `run(${untilNs}): must be an integer from now (${this.now} ns), or Infinity`,
      );
    }
    if (this.runEvents(untilNs, mostEvents) === mostEvents) return false;
    if (untilNs !== Infinity) this.now = untilNs;
    return true;
  }

  /** Runs the first pending event. @returns false if there is none. @throws as `run` */
  step(): boolean {
    return this.runEvents(Infinity, 1) === 1;
  }

  /** Time of the first pending event; Infinity when nothing is pending. */
  peekTimeNs(): SimTimeNs {
    return this.queue.firstTime();
  }

  /** The event that would happen next, for whoever compares runs; null when nothing is pending. */
  peekEvent(): PendingEvent | null {
    const slot = this.queue.firstSlot();
    if (slot < 0) return null;
    const { kinds, as, bs } = this.queue;
    const kindName = this.kindNames[kinds[slot]!]!;
    return { timeNs: this.queue.firstTime(), kindName, a: as[slot]!, b: bs[slot]! };
  }

  /** 16 hex digits over (time, kind, a, b) of every event that has happened, in order. */
  fingerprint(): string {
    return this.rolling.hex();
  }

  /** The loop. Looks before it takes, so that stopping and going on changes nothing. */
  private runEvents(untilNs: SimTimeNs, limit: number): number {
    if (this.running) throw new Error("run() and step() may not be called from inside an event");
    this.running = true;
    const { queue, handlers, rolling } = this;
    let kind = -1;
    let count = 0;
    try {
      while (count < limit) {
        const slot = queue.takeUntil(untilNs);
        if (slot < 0) break;
        const time = queue.takenTime;
        kind = queue.kinds[slot]!;
        const a = queue.as[slot]!;
        const b = queue.bs[slot]!;
        this.now = time;
        this.processed++;
        count++;
        rolling.addEvent(time, kind, a, b);
        handlers[kind]!(a, b);
      }
    } catch (error) {
      throw SimulationFault.wrap(error, this.now, this.kindNames[kind] ?? "none", this.seed);
    } finally {
      this.running = false;
    }
    return count;
  }

  private isSchedulable(timeNs: number): boolean {
    return timeNs >= this.now && timeNs <= Number.MAX_SAFE_INTEGER && timeNs === Math.floor(timeNs);
  }

  private refusal(kind: EventKind, timeNs: number): SchedulingError {
    return new SchedulingError(this.kindNames[kind] ?? `unknown kind ${kind}`, this.now, timeNs);
  }

  private badArgument(kind: EventKind, a: number, b: number): RangeError {
    return new RangeError(
      `event "${this.kindNames[kind]}": arguments ${a} and ${b}; allowed: integers from -2^31 to 2^31 - 1`,
    );
  }

  private runClosure(index: number): void {
    const fn = this.closures[index]!;
    this.releaseClosure(index);
    fn();
  }

  private releaseClosure(index: number): void {
    this.closures[index] = undefined;
    this.freeClosures.push(index);
  }
}
