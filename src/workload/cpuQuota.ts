/**
 * A container's CPU limit: CFS bandwidth control.
 *
 * Owns: which work gets CPU when. Of `limits.cpu` a container may use that much in each period of 100 ms,
 * on all CPUs together; what runs when it is used up stands still until the next period. Refuses to own:
 * what the work is. Work that is under way shares the CPUs evenly. Not modelled: the slices of 5 ms
 * that each CPU takes in advance, bursts, and other containers on the same CPUs.
 * Source: kernel/sched/fair.c, Documentation/scheduler/sched-bwc.rst; pkg/kubelet/cm/helpers_linux.go.
 */
import { ms, type DurationNs, type SimTimeNs } from "../engine/index.ts";

/** cpu.cfs_period_us as the kubelet sets it (cpuCFSQuotaPeriod). */
export const CFS_PERIOD_NS = ms(100);
/** cpu.cfs_quota_us is never less than 1 ms (helpers_linux.go, MinQuotaPeriod). */
const LEAST_QUOTA_NS = ms(1);
/** Work that is done but for rounding, in ns. */
const ROUNDING_NS = 0.5;

/** Counters of cgroup's cpu.stat. */
export interface CpuStat {
  readonly usedNs: DurationNs;
  /** nr_periods: periods in which there was work, and the idle one after each. */
  readonly periods: number;
  /** nr_throttled: of them, those at whose end work stood still. */
  readonly throttledPeriods: number;
  /** throttled_usec: how long CPUs with work stood still, added up over them. */
  readonly throttledNs: DurationNs;
}

export interface CpuQuotaOptions {
  readonly limitMillis: number;
  /** CPUs of the host. */
  readonly cores: number;
  /** When in a period the simulation begins. */
  readonly phaseNs: DurationNs;
  readonly nowNs: () => SimTimeNs;
  /** Calls wake(argument) at that time. */
  readonly wakeAt: (atNs: SimTimeNs, argument: number) => void;
  /** A job has had all its CPU time. */
  readonly done: (job: number) => void;
}

export class CpuQuota {
  readonly #options: CpuQuotaOptions;
  readonly #quotaNs: DurationNs;
  /** Jobs that want CPU, and at which progress each is done. */
  readonly #jobs: number[] = [];
  readonly #ends: number[] = [];
  /** CPU time that each job has had which has been there all along. */
  #progress = 0;
  #updatedNs: SimTimeNs = 0;
  #periodEndNs: SimTimeNs;
  /** What is left of the quota in this period. */
  #leftNs: DurationNs;
  #throttled = false;
  /** Older wake-ups are void. */
  #generation = 0;
  #usedNs = 0;
  /** How long CPUs with work stood still, added up over them. */
  #throttledNs = 0;
  #periods = 0;
  #throttledPeriods = 0;
  /** Ends of periods that the timer will still count when nothing runs: that of the last work, and one idle period. */
  #countsIdle = 0;

  constructor(options: CpuQuotaOptions) {
    this.#options = options;
    this.#quotaNs = Math.max(LEAST_QUOTA_NS, (options.limitMillis / 1000) * CFS_PERIOD_NS);
    this.#leftNs = this.#quotaNs;
    this.#periodEndNs = options.phaseNs;
    this.#updatedNs = options.nowNs();
  }

  /** CPU time used so far. */
  get usedNs(): number {
    this.#advance();
    return this.#usedNs;
  }

  /** cpu.stat of the container's cgroup. */
  get stat(): CpuStat {
    this.#advance();
    return {
      usedNs: Math.round(this.#usedNs),
      periods: this.#periods,
      throttledPeriods: this.#throttledPeriods,
      throttledNs: Math.round(this.#throttledNs),
    };
  }

  /** The process has ended: nothing wants CPU any more. */
  stop(): void {
    this.#advance();
    this.#jobs.length = 0;
    this.#ends.length = 0;
    this.#generation = (this.#generation + 1) | 0;
  }

  /** A job wants that much CPU time, of one CPU. */
  start(job: number, cpuNs: DurationNs): void {
    this.#advance();
    this.#jobs.push(job);
    this.#ends.push(this.#progress + cpuNs);
    this.#schedule();
  }

  wake(generation: number): void {
    if (generation !== this.#generation) return;
    this.#advance();
    const done: number[] = [];
    for (let i = this.#jobs.length - 1; i >= 0; i--) {
      if (this.#ends[i]! > this.#progress + ROUNDING_NS) continue;
      done.unshift(...this.#jobs.splice(i, 1));
      this.#ends.splice(i, 1);
    }
    if (this.#jobs.length === 0) this.#progress = 0;
    this.#schedule();
    for (const job of done) this.#options.done(job);
  }

  /** CPUs that have a job. */
  get #busyCpus(): number {
    return Math.min(this.#options.cores, this.#jobs.length);
  }

  /** CPU time that each job gets in a nanosecond. */
  get #share(): number {
    return Math.min(1, this.#options.cores / this.#jobs.length);
  }

  /** Brings progress and quota up to now. Between two calls at most whole periods were not used up. */
  #advance(): void {
    const nowNs = this.#options.nowNs();
    const working = this.#jobs.length > 0;
    if (this.#throttled) {
      const untilNs = Math.min(nowNs, this.#periodEndNs);
      if (working) this.#throttledNs += (untilNs - this.#updatedNs) * this.#busyCpus;
      this.#updatedNs = untilNs;
      if (nowNs < this.#periodEndNs) return;
    }
    if (nowNs >= this.#periodEndNs) this.#refill(nowNs, working);
    else if (working) this.#burn(nowNs);
    this.#updatedNs = nowNs;
    if (this.#leftNs < ROUNDING_NS) this.#throttled = true;
  }

  #burn(toNs: SimTimeNs): void {
    const passedNs = toNs - this.#updatedNs;
    const cpuNs = passedNs * this.#share * this.#jobs.length;
    this.#progress += passedNs * this.#share;
    this.#leftNs -= cpuNs;
    this.#usedNs += cpuNs;
    if (cpuNs > 0) this.#countsIdle = 2;
    this.#updatedNs = toNs;
  }

  #refill(nowNs: SimTimeNs, working: boolean): void {
    // The last period's beginning; each before it was refilled too.
    const periods = Math.floor((nowNs - this.#periodEndNs) / CFS_PERIOD_NS);
    const beginNs = this.#periodEndNs + periods * CFS_PERIOD_NS;
    if (working) this.#burn(beginNs);
    this.#countPeriods(periods + 1, working);
    this.#throttled = false;
    this.#leftNs = this.#quotaNs;
    this.#periodEndNs = beginNs + CFS_PERIOD_NS;
    if (working) this.#burn(nowNs);
  }

  /** sched_cfs_period_timer: it runs while there is work, and once more before it finds that there is none. */
  #countPeriods(ended: number, working: boolean): void {
    const counted = working ? ended : Math.min(ended, this.#countsIdle);
    this.#countsIdle = working ? 1 : this.#countsIdle - counted;
    this.#periods += counted;
    // Only the first of them can have begun before: what lay in between was never used up.
    if (this.#throttled && working) this.#throttledPeriods++;
  }

  /** The next instant at which something changes: a job is done, the quota is used up, or comes again. */
  #schedule(): void {
    this.#generation = (this.#generation + 1) | 0;
    if (this.#jobs.length === 0) return;
    const nowNs = this.#updatedNs;
    if (this.#throttled) {
      this.#options.wakeAt(this.#periodEndNs, this.#generation);
      return;
    }
    const doneNs = (Math.min(...this.#ends) - this.#progress) / this.#share;
    const atNs = nowNs + Math.ceil(Math.min(doneNs, this.#usedUpInNs()));
    this.#options.wakeAt(Math.max(nowNs, atNs), this.#generation);
  }

  #usedUpInNs(): number {
    const rate = this.#share * this.#jobs.length;
    const toEndNs = this.#periodEndNs - this.#updatedNs;
    if (this.#leftNs / rate < toEndNs) return this.#leftNs / rate;
    return this.#quotaNs < rate * CFS_PERIOD_NS ? toEndNs + this.#quotaNs / rate : Infinity;
  }
}
