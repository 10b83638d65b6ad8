/**
 * One queue with equal servers, first come first served, on the engine: once on numeric events and once on
 * generator processes.
 *
 * Owns: the two models and what is written down of each visit. Refuses to own: where visits come from and go
 * to. Numbers in the system are measured over time from the model's own counts, apart from the visits' times,
 * so that Little's law compares two measurements.
 */
import {
  type Distribution,
  Phase,
  type Process,
  type RandomStream,
  Resource,
  sampleNs,
  type Simulation,
  type Wait,
} from "../../src/engine/index.ts";
import { TimeWeighted } from "../../src/stats/index.ts";

export interface StationOptions {
  readonly name: string;
  readonly servers: number;
  /** That fit in all, those in service included; default no limit. */
  readonly places?: number;
  readonly service: Distribution;
  /** Visits there will be, at most. */
  readonly visits: number;
}

/** The times of each visit, in order of arrival, and the numbers present over time. */
export class VisitLog {
  readonly arrivedNs: Float64Array;
  readonly startedNs: Float64Array;
  readonly leftNs: Float64Array;
  readonly inSystem = new TimeWeighted();
  readonly waiting = new TimeWeighted();
  /** Visits, the refused among them. */
  count = 0;

  constructor(visits: number) {
    this.arrivedNs = new Float64Array(visits).fill(NaN);
    this.startedNs = new Float64Array(visits).fill(NaN);
    this.leftNs = new Float64Array(visits).fill(NaN);
  }

  /** 1 for each visit that was refused, else 0. */
  refused(): Float64Array {
    return this.leftNs.slice(0, this.count).map((leftNs) => (Number.isNaN(leftNs) ? 1 : 0));
  }

  /** Of the accepted. */
  sojournsNs(): Float64Array {
    return this.accepted((visit) => this.leftNs[visit]! - this.arrivedNs[visit]!);
  }

  waitsNs(): Float64Array {
    return this.accepted((visit) => this.startedNs[visit]! - this.arrivedNs[visit]!);
  }

  /** 1 for each accepted visit that had to wait, else 0. */
  waited(): Float64Array {
    return this.waitsNs().map((waitNs) => (waitNs > 0 ? 1 : 0));
  }

  private accepted(value: (visit: number) => number): Float64Array {
    const values: number[] = [];
    for (let visit = 0; visit < this.count; visit++) {
      if (!Number.isNaN(this.leftNs[visit]!)) values.push(value(visit));
    }
    return Float64Array.from(values);
  }
}

/** On numeric events: one for each end of service. */
export class EventStation {
  readonly log: VisitLog;
  readonly #sim: Simulation;
  readonly #options: StationOptions;
  readonly #services: RandomStream;
  readonly #depart: number;
  /** Accepted visits in order of arrival; those from #first on wait. */
  readonly #line: Int32Array;
  #first = 0;
  #last = 0;
  #busy = 0;

  /** @param left told of each visit that ends */
  constructor(sim: Simulation, options: StationOptions, left: (visit: number) => void = () => {}) {
    this.#sim = sim;
    this.#options = options;
    this.log = new VisitLog(options.visits);
    this.#line = new Int32Array(options.visits);
    this.#services = sim.streams.get(`${options.name}/services`);
    this.#depart = sim.defineKind(`${options.name}/depart`, Phase.complete, (visit) => {
      this.log.leftNs[visit] = sim.nowNs;
      this.#busy--;
      this.#serve();
      this.#note();
      left(visit);
    });
  }

  /** @returns whether there was room */
  arrive(): boolean {
    const { servers, places = Infinity } = this.#options;
    const visit = this.log.count++;
    if (this.#busy + this.#last - this.#first >= places) return false;
    this.log.arrivedNs[visit] = this.#sim.nowNs;
    this.#line[this.#last++] = visit;
    if (this.#busy < servers) this.#serve();
    this.#note();
    return true;
  }

  #serve(): void {
    if (this.#first === this.#last) return;
    const visit = this.#line[this.#first++]!;
    this.#busy++;
    this.log.startedNs[visit] = this.#sim.nowNs;
    this.#sim.post(
      this.#sim.nowNs + sampleNs(this.#options.service, this.#services),
      this.#depart,
      visit,
    );
  }

  #note(): void {
    const waiting = this.#last - this.#first;
    this.log.waiting.set(waiting, this.#sim.nowNs);
    this.log.inSystem.set(waiting + this.#busy, this.#sim.nowNs);
  }
}

/** On a Resource: a visit is a part of some process' body. */
export class ProcessStation {
  readonly log: VisitLog;
  readonly #sim: Simulation;
  readonly #options: StationOptions;
  readonly #services: RandomStream;
  readonly #servers: Resource;

  constructor(sim: Simulation, options: StationOptions) {
    this.#sim = sim;
    this.#options = options;
    this.log = new VisitLog(options.visits);
    this.#services = sim.streams.get(`${options.name}/services`);
    this.#servers = new Resource(sim, { capacity: options.servers });
  }

  /** To be run by `yield*`. @returns whether there was room */
  *visit(process: Process): Generator<Wait, boolean, unknown> {
    const { places = Infinity, service } = this.#options;
    const visit = this.log.count++;
    const inSystem = this.#servers.inUse + this.#servers.queueLength;
    if (inSystem >= places) return false;
    this.log.arrivedNs[visit] = this.#sim.nowNs;
    this.log.inSystem.set(inSystem + 1, this.#sim.nowNs);
    this.log.waiting.set(Math.max(0, inSystem + 1 - this.#servers.capacity), this.#sim.nowNs);
    yield this.#servers.request();
    this.log.startedNs[visit] = this.#sim.nowNs;
    yield process.timeout(sampleNs(service, this.#services), Phase.complete);
    this.log.leftNs[visit] = this.#sim.nowNs;
    this.#servers.release();
    this.log.inSystem.set(this.#servers.inUse + this.#servers.queueLength, this.#sim.nowNs);
    this.log.waiting.set(this.#servers.queueLength, this.#sim.nowNs);
    return true;
  }
}
