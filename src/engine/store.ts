/**
 * Items passed between processes, first in first out.
 *
 * Owns: the items, who waits for one and who waits for room. Refuses to own: what an item is.
 */
import type { Process, Wait } from "./process.ts";
import type { Simulation } from "./simulation.ts";
import { WaiterQueue } from "./waiter-queue.ts";

export interface StoreOptions {
  /** Items that fit; an integer from 1. Default: no limit. */
  readonly capacity?: number;
}

export class Store<Item = unknown> {
  readonly capacity: number;
  private readonly items: Item[] = [];
  /** Items handed to waiting getters so far: the ticket of the next. */
  private handedOut = 0;
  /** Tickets of those items, all at the front, that came back. */
  private readonly cameBack: number[] = [];
  private readonly getters = new WaiterQueue();
  private readonly putters = new WaiterQueue();
  private readonly blocked = new Map<Process, Item>();
  private readonly getting: Wait;

  /** @throws RangeError for a bad capacity */
  constructor(_simulation: Simulation, options: StoreOptions = {}) {
    const { capacity = Infinity } = options;
    if (!(capacity >= 1) || (capacity !== Infinity && !Number.isSafeInteger(capacity))) {
      throw new RangeError(`Store capacity ${capacity}: must be an integer from 1, or Infinity`);
    }
    this.capacity = capacity;
    this.getting = {
      begin: (process) => this.beginGet(process),
      abandon: (process) => this.abandonGet(process),
    };
  }

  /** Items in store. */
  get length(): number {
    return this.items.length;
  }

  /** Processes waiting for an item. */
  get waiting(): number {
    return this.getters.length;
  }

  /** Puts an item without waiting; for code that is not a process. @returns false if there is no room */
  offer(item: Item): boolean {
    const getter = this.getters.take();
    if (getter !== undefined) getter.wake(item, this.handedOut++);
    else if (this.items.length < this.capacity) this.items.push(item);
    else return false;
    return true;
  }

  /** A wait for the oldest item; the yield evaluates to it. */
  get(): Wait {
    return this.getting;
  }

  /** A wait for room for `item`. If it is interrupted before there was room, the item is not put. */
  put(item: Item): Wait {
    return {
      begin: (process) => {
        if (this.offer(item)) return true;
        this.blocked.set(process, item);
        this.putters.add(process);
        return false;
      },
      abandon: (process) => {
        // Once woken, the item is in: only the news of it is lost.
        if (process.isWoken) return;
        this.blocked.delete(process);
        this.putters.leave();
      },
    };
  }

  private beginGet(process: Process): boolean {
    if (this.items.length === 0) {
      this.getters.add(process);
      return false;
    }
    process.received = this.items.shift();
    if (this.cameBack.length > 0) this.cameBack.shift();
    this.admit();
    return true;
  }

  /** Lets the first blocked putter in, if there is room. */
  private admit(): void {
    if (this.items.length >= this.capacity) return;
    const putter = this.putters.take();
    if (putter === undefined) return;
    this.items.push(this.blocked.get(putter)!);
    this.blocked.delete(putter);
    putter.wake(undefined);
  }

  /**
   * An item on its way to a process that no longer wants it goes to the next getter, or back to the front,
   * even where it then exceeds the capacity: it was accepted, so it cannot be refused. Whatever is in store
   * came later, except what came back: among those it takes its old place.
   */
  private abandonGet(process: Process): void {
    if (!process.isWoken) {
      this.getters.leave();
      return;
    }
    const item = process.received as Item;
    const { ticket } = process;
    const next = this.getters.take();
    if (next !== undefined) {
      next.wake(item, ticket);
      return;
    }
    const later = this.cameBack.findIndex((other) => other > ticket);
    const place = later < 0 ? this.cameBack.length : later;
    this.items.splice(place, 0, item);
    this.cameBack.splice(place, 0, ticket);
  }
}
