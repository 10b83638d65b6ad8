/**
 * What a benchmark is, and how one is measured.
 *
 * Owns: the contract of a benchmark and its measurement with tinybench. Refuses to own: which benchmarks exist
 * (registry.ts). A benchmark always tells how much work it did and a hash of its result, so that an
 * optimisation cannot quietly change what is computed.
 */
import { Bench } from "tinybench";

export interface BenchmarkResult {
  /** Units of work done. */
  readonly work: number;
  /** Of the result: equal sizes give equal hashes, on every machine. */
  readonly hash: string;
}

export interface Benchmark {
  /** "room: what". */
  readonly name: string;
  /** What `work` counts: "customers", "requests". */
  readonly unit: string;
  /** Size of a real measurement: a second or less. */
  readonly size: number;
  /** It takes minutes: it is run when a word of its name is asked for, and once, without a warm-up. */
  readonly isLong?: boolean;
  /** Size of the run in the tests: milliseconds. */
  readonly tinySize: number;
  /** Does the work from scratch; everything it does is measured. */
  run(size: number): BenchmarkResult;
  /**
   * Optional, for benchmarks that need a costly set-up: called before each measured run, which is then
   * whatever the returned function does, instead of `run`.
   */
  prepare?(size: number): () => BenchmarkResult;
}

export interface Measurement {
  readonly name: string;
  readonly unit: string;
  readonly work: number;
  /** Units of work per second by the clock asked for: that of the median run. */
  readonly perSecond: number;
  readonly hash: string;
}

/** Time given to each benchmark, after its warm-up. */
const MEASURED_MS = 3000;
const RUNS_MIN = 5;

/** In milliseconds. `cpu` is the time of the whole process, for machines that others use as well. */
export const clocks = {
  wall: () => performance.now(),
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
} as const;

export type Clock = (typeof clocks)[keyof typeof clocks];

/** Measures one benchmark. @throws Error if two runs of it differ in work or hash */
export async function measure(benchmark: Benchmark, now: Clock): Promise<Measurement> {
  const { name, unit, size } = benchmark;
  if (benchmark.isLong === true) return measureOnce(benchmark, now);
  const bench = new Bench({
    now,
    time: MEASURED_MS,
    iterations: RUNS_MIN,
    warmupIterations: 2,
    warmupTime: 500,
    throws: true,
  });
  let prepared = (): BenchmarkResult => benchmark.run(size);
  let first: BenchmarkResult | undefined;
  const runOnce = (): void => {
    const result = prepared();
    first ??= result;
    if (result.hash !== first.hash || result.work !== first.work) {
      throw new Error(`${name}: ${result.work} ${result.hash}, before ${first.work} ${first.hash}`);
    }
  };
  const beforeEach = (): void => {
    if (benchmark.prepare !== undefined) prepared = benchmark.prepare(size);
  };
  bench.add(name, runOnce, { beforeEach });
  const [task] = await bench.run();
  const statistics = task?.result;
  if (first === undefined || statistics === undefined || !("latency" in statistics)) {
    throw new Error(`${name}: no result`);
  }
  // tinybench gives milliseconds.
  const perSecond = (first.work * 1000) / statistics.latency.p50;
  return { name, unit, work: first.work, perSecond, hash: first.hash };
}

function measureOnce({ name, unit, size, run, prepare }: Benchmark, now: Clock): Measurement {
  const go = prepare?.(size) ?? (() => run(size));
  const beginMs = now();
  const { work, hash } = go();
  return { name, unit, work, perSecond: (work * 1000) / (now() - beginMs), hash };
}
