/**
 * Priority levels lend each other seats: each level's limit is set anew every ten seconds, by what was asked of it.
 *
 * Owns: when that is, and the limits. A level keeps what it may not lend; the rest goes in proportion to the demand
 * that each has had, smoothed over minutes. Refuses to own: the demand itself, and who is seated (priorityLevel.ts).
 * Source: apiserver pkg/util/flowcontrol apf_controller.go (updateBorrowingLocked), conc_alloc.go; timings §6.
 *
 * A period in which nobody waits ends without an event of its own: it is made up for when the next request comes.
 */
import { Phase, type SimTimeNs, type Simulation } from "../../engine/index.ts";
import type { PriorityLevel } from "./priorityLevel.ts";
import type { ApiServerProfile } from "./profile.ts";

/** A level as the lender sees it. */
interface Borrower {
  readonly level: PriorityLevel;
  /** Seats that it never lends. */
  readonly own: number;
  smoothed: number;
}

/** What a level is to have at least and at most, and in which proportion it shares what is left. */
export interface Claim {
  readonly least: number;
  readonly most: number;
  readonly target: number;
}

/** A target of nothing would get nothing, whatever is left (MinTarget). */
const LEAST_TARGET = 0.001;

export class Borrowing {
  readonly #sim: Simulation;
  readonly #settings: ApiServerProfile["borrowing"];
  /** The server's total limit: nobody may borrow more than that. */
  readonly #seats: number;
  readonly #borrowers: Borrower[] = [];
  #nextNs: SimTimeNs;
  #isTimerSet = false;

  constructor(sim: Simulation, settings: ApiServerProfile["borrowing"], seats: number) {
    this.#sim = sim;
    this.#settings = settings;
    this.#seats = seats;
    this.#nextNs = sim.nowNs + settings.periodNs;
  }

  /** @param lendablePercent of its seats, rounded */
  add(level: PriorityLevel, lendablePercent: number): void {
    const own = level.seats - Math.round((level.seats * lendablePercent) / 100);
    this.#borrowers.push({ level, own, smoothed: 0 });
  }

  /** All levels are there, and nobody has asked for anything yet. */
  begin(): void {
    this.#share(this.#borrowers.map(({ own, level }) => this.#claim(level, own, own)));
  }

  /** Puts the limits where they are by now. */
  catchUp(): void {
    while (this.#nextNs <= this.#sim.nowNs) {
      this.#adjust(this.#nextNs);
      this.#nextNs += this.#settings.periodNs;
    }
  }

  /** Somebody waits: the end of this period may seat him. */
  awaited(): void {
    if (this.#isTimerSet) return;
    this.#isTimerSet = true;
    this.#sim.callAt(this.#nextNs, Phase.complete, () => {
      this.#isTimerSet = false;
      this.catchUp();
      for (const { level } of this.#borrowers) level.dispatch();
      if (this.#borrowers.some(({ level }) => level.waiting > 0)) this.awaited();
    });
  }

  /** updateBorrowingLocked. */
  #adjust(atNs: SimTimeNs): void {
    const { smoothing } = this.#settings;
    const claims = this.#borrowers.map((borrower) => {
      const { level, own } = borrower;
      const { average, deviation, most } = level.takeDemand(atNs);
      const envelope = average + deviation;
      const decayed = smoothing * borrower.smoothed + (1 - smoothing) * envelope;
      borrower.smoothed = Math.max(envelope, decayed);
      const least = Math.max(own, Math.min(level.seats, most));
      return this.#claim(level, least, Math.max(least, borrower.smoothed));
    });
    this.#share(claims);
  }

  #claim(level: PriorityLevel, least: number, target: number): Claim {
    return { least, target, most: level.seats + this.#seats };
  }

  #share(claims: readonly Claim[]): void {
    const total = this.#borrowers.reduce((sum, { level }) => sum + level.seats, 0);
    for (const [i, seats] of allocate(total, claims).entries()) {
      this.#borrowers[i]!.level.limit = Math.round(seats);
    }
  }
}

/**
 * computeConcurrencyAllocation: each gets one and the same multiple of its target, or its bound where that lies
 * beyond, so that all adds up to `total`.
 */
export function allocate(total: number, claims: readonly Claim[]): number[] {
  const targets = claims.map(({ target }) => Math.max(target, LEAST_TARGET));
  const at = (multiple: number): number[] =>
    claims.map(({ least, most }, i) => Math.max(least, Math.min(most, multiple * targets[i]!)));
  const sumAt = (multiple: number): number => at(multiple).reduce((sum, each) => sum + each, 0);
  const bounds = claims
    .flatMap(({ least, most }, i) => [least / targets[i]!, most / targets[i]!])
    .sort((a, b) => a - b);
  // Between two bounds the sum grows in a straight line.
  let from = 0;
  for (const bound of bounds) {
    const [low, high] = [sumAt(from), sumAt(bound)];
    if (high >= total) {
      return at(high === low ? bound : from + ((total - low) * (bound - from)) / (high - low));
    }
    from = bound;
  }
  return at(from);
}
