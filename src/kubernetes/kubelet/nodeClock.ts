/**
 * The clock of one node's daemons: what they have scheduled, and what reaches them from outside.
 *
 * Owns: that nothing of a frozen node happens before it goes on, and nothing of a crashed one ever.
 * Refuses to own: what happens.
 */
import type { EventHandle, Phase, DurationNs, Simulation } from "../../engine/index.ts";

export class NodeClock {
  readonly #sim: Simulation;
  /** Goes up with each crash: what was begun before it is void. */
  #life = 0;
  #frozen = false;
  readonly #held: { readonly life: number; readonly fn: () => void }[] = [];

  constructor(sim: Simulation) {
    this.#sim = sim;
  }

  after(delayNs: DurationNs, phase: Phase, fn: () => void): EventHandle {
    const life = this.#life;
    return this.#sim.callAfter(delayNs, phase, () => this.#run(life, fn));
  }

  cancel(handle: EventHandle): void {
    this.#sim.cancel(handle);
  }

  /** A callback for others, which this life of the node hears of and no other. */
  hears<Args extends unknown[]>(fn: (...args: Args) => void): (...args: Args) => void {
    const life = this.#life;
    return (...args) => this.#run(life, () => fn(...args));
  }

  /** Timers that expire and news that come wait until the node goes on, in their order. */
  freeze(): void {
    this.#frozen = true;
  }

  resume(): void {
    this.#frozen = false;
    for (const { life, fn } of this.#held.splice(0)) this.#run(life, fn);
  }

  crash(): void {
    this.#life++;
    this.#frozen = false;
    this.#held.length = 0;
  }

  get isFrozen(): boolean {
    return this.#frozen;
  }

  #run(life: number, fn: () => void): void {
    if (life !== this.#life) return;
    if (this.#frozen) this.#held.push({ life, fn });
    else fn();
  }
}
