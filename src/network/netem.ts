/**
 * netem: the queueing discipline that makes a line worse, as `tc qdisc add ... netem` puts it on a NIC.
 *
 * Owns: when each train leaves the queue, and whether it is lost or sent twice, by the rules of
 * net/sched/sch_netem.c. Refuses to own: what is done with the train (egress.ts, stack.ts).
 *
 * A train is to netem what a segmentation-offload unit is to the kernel's: one buffer, lost as a whole. When
 * the discipline is taken away, what waits in it is sent at its time, for it stands for a bad line and not
 * for the tool. Not modelled: correlations, corruption, distributions other than the uniform one, slots.
 */
import type { DurationNs, RandomStream, SimTimeNs } from "../engine/index.ts";

export interface NetemOptions {
  /** delay TIME JITTER: each train waits a time drawn uniformly from TIME - JITTER to TIME + JITTER. */
  readonly latencyNs: DurationNs;
  readonly jitterNs: DurationNs;
  /** Shares from 0 to 1 of the trains. */
  readonly lossShare: number;
  readonly duplicateShare: number;
  /** Of the trains that are not lost: sent at once, before those that wait (gap 1). */
  readonly reorderShare: number;
  /** Bits per second; Infinity for no limit. */
  readonly rateBps: number;
  /** Trains that it holds; more are dropped. */
  readonly limit: number;
}

/** Instead of a time at which a train leaves. */
export const NETEM_LOST = -1;
export const NETEM_FULL = -2;

export class Netem {
  readonly #options: NetemOptions;
  readonly #stream: RandomStream;
  readonly #nsPerByte: number;
  /** When each of the trains that wait leaves, in order; those before #head have left. */
  #leavesNs: number[] = [];
  #head = 0;

  constructor(options: NetemOptions, stream: RandomStream) {
    this.#options = options;
    this.#stream = stream;
    this.#nsPerByte = 8e9 / options.rateBps;
  }

  /** Whether a train that comes is to be sent twice. Asked first, as netem_enqueue() draws it first. */
  duplicates(): boolean {
    return this.#draw(this.#options.duplicateShare);
  }

  /** @returns when the train leaves, NETEM_LOST or NETEM_FULL */
  enqueue(nowNs: SimTimeNs, bytes: number): number {
    const { lossShare, reorderShare, limit } = this.#options;
    if (this.#draw(lossShare)) return NETEM_LOST;
    while (this.#head < this.#leavesNs.length && this.#leavesNs[this.#head]! <= nowNs) this.#head++;
    if (this.#leavesNs.length - this.#head >= limit) return NETEM_FULL;
    if (this.#draw(reorderShare)) return nowNs;
    const leavesNs = this.#timeToSend(nowNs, bytes);
    if (leavesNs > nowNs) this.#insert(leavesNs);
    return leavesNs;
  }

  #draw(share: number): boolean {
    return share > 0 && this.#stream.uniform() < share;
  }

  /** With a rate the last train's time counts: its own delay is served while those in front are sent. */
  #timeToSend(nowNs: SimTimeNs, bytes: number): number {
    const { latencyNs, jitterNs } = this.#options;
    const drawnNs =
      jitterNs === 0
        ? latencyNs
        : latencyNs - jitterNs + Math.floor(this.#stream.uniform() * 2 * jitterNs);
    const delayNs = Math.max(0, drawnNs);
    if (this.#nsPerByte === 0) return nowNs + delayNs;
    const sendNs = Math.ceil(bytes * this.#nsPerByte);
    if (this.#head === this.#leavesNs.length) return nowNs + delayNs + sendNs;
    const lastNs = this.#leavesNs.at(-1)!;
    return lastNs + Math.max(0, delayNs - (lastNs - nowNs)) + sendNs;
  }

  #insert(leavesNs: number): void {
    if (this.#head > 1024 && 2 * this.#head > this.#leavesNs.length) {
      this.#leavesNs = this.#leavesNs.slice(this.#head);
      this.#head = 0;
    }
    const all = this.#leavesNs;
    let at = all.length;
    while (at > this.#head && all[at - 1]! > leavesNs) at--;
    if (at === all.length) all.push(leavesNs);
    else all.splice(at, 0, leavesNs);
  }
}
