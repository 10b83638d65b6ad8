/**
 * A number of equal servers, locks or slots that processes take and give back.
 *
 * Owns: who holds and who waits, first come first served. Refuses to own: priorities and preemption.
 */
import type { Process, Wait } from "./process.ts";
import type { Simulation } from "./simulation.ts";
import { WaiterQueue } from "./waiter-queue.ts";

export interface ResourceOptions {
  /** Units that can be held at one time; an integer from 1, or Infinity. */
  readonly capacity: number;
}

export class Resource {
  readonly capacity: number;
  private held = 0;
  private readonly waiters = new WaiterQueue();
  private readonly wait: Wait;

  /** @throws RangeError for a bad capacity */
  constructor(_simulation: Simulation, options: ResourceOptions) {
    const { capacity } = options;
    if (!(capacity >= 1) || (capacity !== Infinity && !Number.isSafeInteger(capacity))) {
      throw new RangeError(`Resource capacity ${capacity}: must be an integer from 1, or Infinity`);
    }
    this.capacity = capacity;
    this.wait = {
      begin: (process) => this.begin(process),
      abandon: (process) => this.abandon(process),
    };
  }

  /** Units held now, including those granted to processes that have not run since. */
  get inUse(): number {
    return this.held;
  }

  /** Processes waiting now. */
  get queueLength(): number {
    return this.waiters.length;
  }

  /** A wait for one unit. Once it is over, the process holds the unit and must `release` it. */
  request(): Wait {
    return this.wait;
  }

  /** Gives one unit back: to the first waiter, if any. @throws Error if none is held */
  release(): void {
    if (this.held === 0) throw new Error("Resource.release() without a held unit");
    const next = this.waiters.take();
    if (next === undefined) this.held--;
    else next.wake(undefined);
  }

  private begin(process: Process): boolean {
    if (this.held < this.capacity) {
      this.held++;
      return true;
    }
    this.waiters.add(process);
    return false;
  }

  /** A unit that was granted but never used goes to the next waiter at this same instant. */
  private abandon(process: Process): void {
    if (process.isWoken) this.release();
    else this.waiters.leave();
  }
}
