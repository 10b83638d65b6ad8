/**
 * Processes that wait in line, first come first served.
 *
 * Owns: who is next. Refuses to own: what they wait for. A process that stopped waiting is not searched for:
 * its generation has moved on, and its place is skipped when its turn comes.
 */
import type { Process } from "./process.ts";

/** A ring buffer of (process, generation of its wait). */
export class WaiterQueue {
  private processes: (Process | undefined)[] = [undefined, undefined, undefined, undefined];
  private generations: number[] = [0, 0, 0, 0];
  private head = 0;
  /** Places taken, including those of processes that have left. */
  private places = 0;
  private live = 0;

  /** Processes waiting now. */
  get length(): number {
    return this.live;
  }

  add(process: Process): void {
    if (this.places === this.processes.length) this.rebuild();
    const place = (this.head + this.places) & (this.processes.length - 1);
    this.processes[place] = process;
    this.generations[place] = process.generation;
    this.places++;
    this.live++;
  }

  /** A waiter gave up; its generation is about to change. */
  leave(): void {
    this.live--;
  }

  /** Takes the first process that still waits. */
  take(): Process | undefined {
    while (this.places > 0) {
      const process = this.processes[this.head]!;
      const generation = this.generations[this.head]!;
      this.processes[this.head] = undefined;
      this.head = (this.head + 1) & (this.processes.length - 1);
      this.places--;
      if (process.generation === generation) {
        this.live--;
        return process;
      }
    }
    return undefined;
  }

  /** Drops the places of those who left; doubles the ring if that frees less than half of it. */
  private rebuild(): void {
    const old = this.processes.length;
    const processes: (Process | undefined)[] = [];
    const generations: number[] = [];
    for (let i = 0; i < this.places; i++) {
      const place = (this.head + i) & (old - 1);
      const process = this.processes[place]!;
      if (process.generation !== this.generations[place]) continue;
      processes.push(process);
      generations.push(process.generation);
    }
    const places = processes.length;
    const capacity = places > old / 2 ? 2 * old : old;
    while (processes.length < capacity) {
      processes.push(undefined);
      generations.push(0);
    }
    this.processes = processes;
    this.generations = generations;
    this.head = 0;
    this.places = places;
  }
}
