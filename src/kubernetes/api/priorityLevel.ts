/**
 * One priority level: its seats, and fair queues of those who wait for one.
 *
 * Owns: who is seated next, whom a full queue turns away, and who has waited too long. A flow has a hand of
 * queues, dealt by its hash, and waits in the shortest; seats go to the queue with the earliest virtual
 * finish, so that a busy flow holds up none that shares no queue with it. Source: apiserver
 * pkg/util/flowcontrol/fairqueuing/queueset, shufflesharding; timings §6.
 */
import {
  Fingerprint,
  ms,
  Phase,
  type DurationNs,
  type EventHandle,
  type SimTimeNs,
  type Simulation,
} from "../../engine/index.ts";

export interface PriorityLevelSpec {
  readonly shares: number;
  /** None: a request that finds no seat is turned away. */
  readonly queues: number;
  readonly handSize: number;
  /** Requests that one queue holds. */
  readonly length: number;
}

/** What a request is taken to last until it has ended: estimatedServiceDuration of queueset.go. */
const GUESS_NS = ms(3);

/** maximumSeatsLimit of a request that writes (work estimator's width.go). */
const MAX_WIDTH = 10;

/** Of a level that queues: 15 % of its seats, and no more than leaves a whole hand of queues room (apf_controller.go). */
function fairWidth(seats: number, { handSize }: PriorityLevelSpec): number {
  return Math.max(1, Math.floor(Math.min(Math.ceil(0.15 * seats), seats / handSize)));
}

interface Queue {
  readonly waiting: Waiting[];
  /** Virtual time at which the next of its requests starts. */
  nextStart: number;
  seated: number;
}

interface Waiting {
  readonly width: number;
  readonly start: (seat: Seat) => void;
  readonly timer: EventHandle;
}

/** Sets the levels' limits (borrowing.ts). */
export interface Lender {
  /** Puts the limits where they are by now. */
  catchUp(): void;
  /** Somebody waits. */
  awaited(): void;
}

const NO_LENDER: Lender = { catchUp() {}, awaited() {} };

/** Seats that were asked for at a time: taken and waited for, over some time. */
export interface Demand {
  readonly average: number;
  readonly deviation: number;
  readonly most: number;
}

/** A request that runs. */
export interface Seat {
  readonly width: number;
  readonly sinceNs: SimTimeNs;
  readonly queue: object | null;
}

export class PriorityLevel {
  /** Its share of the server's seats; what it has at present is `limit`. */
  readonly seats: number;
  limit: number;
  /** The most that one request may take. */
  readonly maxWidth: number;
  readonly #lender: Lender;
  readonly #sim: Simulation;
  readonly #spec: PriorityLevelSpec;
  readonly #waitLimitNs: DurationNs;
  readonly #queues: Queue[];
  readonly #hands = new Map<string, readonly Queue[]>();
  #inUse = 0;
  #nextTurn = 0;
  /** Seats that stay taken after their request has been answered, for what it set off. */
  #lingering: { readonly untilNs: SimTimeNs; readonly width: number }[] = [];
  #lingerTimer: EventHandle = 0;
  #virtualNow = 0;
  #virtualAtNs: SimTimeNs = 0;
  #demand = 0;
  waiting = 0;
  /** Seats that those who wait want. */
  #wanted = 0;
  /** Since when, and up to when, demand has been added up; in seats times ns, and its square. */
  #periodNs: SimTimeNs;
  #measuredNs: SimTimeNs;
  #sum = 0;
  #squares = 0;
  #most = 0;
  rejected = 0;

  constructor(
    sim: Simulation,
    spec: PriorityLevelSpec,
    seats: number,
    waitLimitNs: DurationNs,
    lender: Lender = NO_LENDER,
  ) {
    this.#sim = sim;
    this.#spec = spec;
    this.seats = seats;
    this.limit = seats;
    this.maxWidth = Math.min(MAX_WIDTH, spec.queues === 0 ? MAX_WIDTH : fairWidth(seats, spec));
    this.#lender = lender;
    this.#measuredNs = sim.nowNs;
    this.#periodNs = sim.nowNs;
    this.#waitLimitNs = waitLimitNs;
    this.#queues = Array.from({ length: spec.queues }, () => ({
      waiting: [],
      nextStart: 0,
      seated: 0,
    }));
  }

  /** A seat at once, or null when one would have to be waited for. */
  tryStart(flow: string, width: number): Seat | null {
    this.#lender.catchUp();
    if (this.waiting > 0 || !this.#fits(width)) return null;
    const queue = this.#shortestOf(flow);
    this.#advance();
    this.#demand += width;
    if (queue !== null) this.#reset(queue);
    return this.#seat(queue, width);
  }

  /** Starts the request when it is its turn; or refuses it: its queue is full, or it has waited too long. */
  admit(flow: string, width: number, start: (seat: Seat) => void, refuse: () => void): void {
    const seat = this.tryStart(flow, width);
    if (seat !== null) {
      start(seat);
      return;
    }
    const queue = this.#shortestOf(flow);
    if (queue === null || queue.waiting.length >= this.#spec.length) {
      this.rejected++;
      refuse();
      return;
    }
    this.#advance();
    this.#demand += width;
    this.#reset(queue);
    this.#settle(this.#sim.nowNs);
    const timer = this.#sim.callAfter(this.#waitLimitNs, Phase.timeout, () => {
      this.#settle(this.#sim.nowNs);
      this.#wanted -= width;
      queue.waiting.splice(queue.waiting.indexOf(request), 1);
      this.#advance();
      this.#demand -= width;
      this.waiting--;
      this.rejected++;
      refuse();
    });
    const request: Waiting = { width, start, timer };
    queue.waiting.push(request);
    this.waiting++;
    this.#wanted += width;
    this.#noteMost();
    this.#lender.awaited();
    this.dispatch();
  }

  /** A request has ended; `lingerNs` longer its seats stay taken. */
  end(seat: Seat, lingerNs: DurationNs = 0): void {
    this.#lender.catchUp();
    this.#settle(this.#sim.nowNs);
    this.#advance();
    const queue = seat.queue as Queue | null;
    this.#demand -= seat.width;
    if (queue !== null) {
      queue.seated -= seat.width;
      // The guess is put right.
      queue.nextStart += (this.#sim.nowNs - seat.sinceNs - GUESS_NS) * seat.width;
    }
    if (lingerNs > 0) {
      this.#lingering.push({ untilNs: this.#sim.nowNs + lingerNs, width: seat.width });
    } else {
      this.#inUse -= seat.width;
    }
    this.dispatch();
  }

  /** What was asked of it since the last time, up to then; and begins anew. */
  takeDemand(atNs: SimTimeNs): Demand {
    this.#settle(atNs);
    const lengthNs = atNs - this.#periodNs;
    const average = lengthNs === 0 ? 0 : this.#sum / lengthNs;
    const variance = lengthNs === 0 ? 0 : this.#squares / lengthNs - average * average;
    const demand = { average, deviation: Math.sqrt(Math.max(0, variance)), most: this.#most };
    this.#periodNs = atNs;
    this.#sum = 0;
    this.#squares = 0;
    this.#most = this.#inUse + this.#wanted;
    return demand;
  }

  /** Gives back the seats whose time is over by then, and adds up the demand until then. */
  #settle(atNs: SimTimeNs): void {
    while (this.#lingering.length > 0) {
      let first = this.#lingering[0]!;
      for (const each of this.#lingering) if (each.untilNs < first.untilNs) first = each;
      if (first.untilNs > atNs) break;
      this.#measure(first.untilNs);
      this.#inUse -= first.width;
      this.#lingering.splice(this.#lingering.indexOf(first), 1);
    }
    this.#measure(atNs);
  }

  #measure(atNs: SimTimeNs): void {
    const elapsedNs = atNs - this.#measuredNs;
    if (elapsedNs <= 0) return;
    const seats = this.#inUse + this.#wanted;
    this.#sum += seats * elapsedNs;
    this.#squares += seats * seats * elapsedNs;
    this.#measuredNs = atNs;
  }

  #noteMost(): void {
    this.#most = Math.max(this.#most, this.#inUse + this.#wanted);
  }

  #fits(width: number): boolean {
    this.#settle(this.#sim.nowNs);
    // One that is wider than the level itself is seated alone (canAccommodateSeatsLocked).
    if (width > this.limit) return this.#inUse === 0;
    return this.#inUse + width <= this.limit;
  }

  #seat(queue: Queue | null, width: number): Seat {
    this.#inUse += width;
    this.#noteMost();
    if (queue !== null) {
      queue.seated += width;
      queue.nextStart += GUESS_NS * width;
    }
    return { width, sinceNs: this.#sim.nowNs, queue };
  }

  /** Seats those whose turn it is; one that is too wide for what is free holds the others up. */
  dispatch(): void {
    while (this.waiting > 0) {
      const index = this.#nextQueue();
      const queue = this.#queues[index]!;
      const { width, start, timer } = queue.waiting[0]!;
      if (!this.#fits(width)) {
        this.#lookAgain();
        return;
      }
      this.#advance();
      queue.waiting.shift();
      this.waiting--;
      this.#wanted -= width;
      this.#nextTurn = index + 1;
      this.#sim.cancel(timer);
      start(this.#seat(queue, width));
    }
  }

  /** Seats that linger are given back unasked, but nobody is told. */
  #lookAgain(): void {
    let atNs = Infinity;
    for (const { untilNs } of this.#lingering) atNs = Math.min(atNs, untilNs);
    if (atNs === Infinity) return;
    this.#sim.cancel(this.#lingerTimer);
    this.#lingerTimer = this.#sim.callAt(atNs, Phase.complete, () => this.dispatch());
  }

  /** The earliest virtual finish, round robin among equals. */
  #nextQueue(): number {
    const { length } = this.#queues;
    let best = -1;
    let least = Infinity;
    for (let i = 0; i < length; i++) {
      const index = (this.#nextTurn + i) % length;
      const { waiting, nextStart } = this.#queues[index]!;
      if (waiting.length === 0) continue;
      const finish = nextStart + GUESS_NS * waiting[0]!.width;
      if (finish < least) {
        least = finish;
        best = index;
      }
    }
    return best;
  }

  /** Virtual time runs as fast as each busy queue is served when the seats are shared fairly. */
  #advance(): void {
    const { nowNs } = this.#sim;
    let busy = 0;
    if (nowNs > this.#virtualAtNs && this.#demand > 0) {
      for (const { waiting, seated } of this.#queues) {
        if (waiting.length > 0 || seated > 0) busy++;
      }
    }
    if (busy > 0) {
      const rate = Math.min(this.#demand, this.limit) / busy;
      this.#virtualNow += rate * (nowNs - this.#virtualAtNs);
    }
    this.#virtualAtNs = nowNs;
  }

  /** A queue that had nothing to do has saved up nothing. */
  #reset(queue: Queue): void {
    if (queue.waiting.length === 0 && queue.seated === 0) queue.nextStart = this.#virtualNow;
  }

  #shortestOf(flow: string): Queue | null {
    if (this.#spec.queues === 0) return null;
    let hand = this.#hands.get(flow);
    if (hand === undefined) {
      hand = deal(flow, this.#spec).map((index) => this.#queues[index]!);
      this.#hands.set(flow, hand);
    }
    let best = hand[0]!;
    for (const queue of hand) if (loadOf(queue) < loadOf(best)) best = queue;
    return best;
  }
}

function loadOf({ waiting, seated }: Queue): number {
  let load = seated;
  for (const { width } of waiting) load += width;
  return load;
}

/** A hand of different queues for a flow, by its hash (shufflesharding/dealer.go). */
export function deal(
  flow: string,
  { queues, handSize }: { readonly queues: number; readonly handSize: number },
): number[] {
  const print = new Fingerprint();
  print.addText(flow);
  let value = Number.parseInt(print.hex().slice(0, 13), 16);
  const hand: number[] = [];
  for (let i = 0; i < handSize; i++) {
    let card = value % (queues - i);
    value = Math.floor(value / (queues - i));
    // The card's place among those that are left.
    for (const held of [...hand].sort((a, b) => a - b)) if (card >= held) card++;
    hand.push(card);
  }
  return hand;
}
