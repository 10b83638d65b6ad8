/**
 * Stand-ins for the terminal and for the rooms that load and compile scenarios.
 *
 * Owns: a fake Io that writes into strings and has a clock that ticks by itself, and a runner that
 * plays the synthetic run.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { seconds } from "../../src/engine/index.ts";
import type { BrokenLaw, Observer } from "../../src/observe/index.ts";
import type { Dependencies, Look, Run, ScenarioOverrides } from "../../src/cli/dependencies.ts";
import { Interrupted, TimedOut, type Io } from "../../src/cli/io.ts";
import type {
  ExplanationFormat,
  TimelineFormat,
  TraceFormat,
  TraceRequest,
} from "../../src/inspect/index.ts";
import type { ResolvedScenario } from "../../src/scenario/resolved.ts";
import { conntracks, endNs, hops, play } from "../observe/synthetic.ts";

export interface FakeTerminal extends Io {
  readonly out: () => string;
  readonly err: () => string;
  readonly interrupt: () => void;
}

export interface TerminalOptions {
  readonly isTTY?: boolean;
  readonly env?: Record<string, string>;
  /** Wall time that passes between two looks at the clock. */
  readonly tickMs?: number;
  readonly columns?: number;
}

export function fakeTerminal(options: TerminalOptions = {}): FakeTerminal {
  const texts = { out: "", err: "" };
  const controller = new AbortController();
  let clockMs = 0;
  const stream = (name: "out" | "err") => ({
    isTTY: options.isTTY ?? false,
    columns: options.columns ?? 80,
    write: (text: string) => {
      texts[name] += text;
    },
  });
  return {
    stdout: stream("out"),
    stderr: stream("err"),
    env: options.env ?? {},
    signal: controller.signal,
    nowMs: () => (clockMs += options.tickMs ?? 1),
    date: () => new Date(0),
    breathe: () => Promise.resolve(),
    endAfter: (limitMs) => controller.abort(new TimedOut(`not done after ${limitMs} ms`)),
    brokenOffBy: () => new Interrupted("interrupted"),
    out: () => texts.out,
    err: () => texts.err,
    interrupt: () => controller.abort(new Interrupted("interrupted")),
  };
}

/** What the commands read of a scenario; the rest is not theirs to look at. */
export function fakeScenario(name: string, seed: string): ResolvedScenario {
  return {
    name,
    description: "A scenario that is none.",
    file: `${name}.ts`,
    seed,
    durationNs: endNs,
    coldStart: false,
    windowNs: seconds(1),
    cluster: { nodes: [], services: [] },
    clients: [],
    faults: [],
    thresholds: [],
    profile: { name: "test", kubernetes: { version: "1.36", kubeProxy: { mode: "iptables" } } },
    env: {},
    ignored: [],
  } as unknown as ResolvedScenario;
}

export interface RunnerOptions {
  readonly brokenLaws?: readonly BrokenLaw[];
  /** Called at each slice, before it runs. */
  readonly onSlice?: (untilNs: number) => void;
}

/** Plays the synthetic run when it reaches its end. */
export function fakeRun(observers: readonly Observer[], options: RunnerOptions = {}): Run {
  let nowNs = 0;
  const sim = { eventsProcessed: 0 };
  return {
    sim,
    durationNs: endNs,
    get nowNs() {
      return nowNs;
    },
    runUntil(timeNs) {
      options.onSlice?.(timeNs);
      nowNs = timeNs;
      sim.eventsProcessed += 1000;
      if (nowNs === endNs) play(observers);
      return true;
    },
    finish: () => ({
      hops,
      conntracks,
      brokenLaws: options.brokenLaws ?? [],
      eventFingerprint: "0123456789abcdef",
    }),
  };
}

/** Sees what it was asked for, and when. */
export function fakeLook(options: RunnerOptions = {}): Look {
  const run = fakeRun([], options);
  return Object.assign(run, {
    rules: (node: string, family: 4 | 6) => [`rules of ${node}, IPv${family}, at ${run.nowNs}`],
    timeline: (pods: string, format: TimelineFormat) => `${pods} until ${run.nowNs} ${format}\n`,
    trace: ({ from, to }: TraceRequest, format: TraceFormat) =>
      `${format} from ${from} to ${to} at ${run.nowNs}\n`,
  });
}

export interface FakeDependencies extends Dependencies {
  /** What loadScenario was asked for. */
  readonly asked: { file: string; overrides: ScenarioOverrides }[];
}

export function fakeDependencies(
  options: RunnerOptions & Partial<Dependencies> = {},
): FakeDependencies {
  const asked: FakeDependencies["asked"] = [];
  return {
    version: "1.2.3",
    asked,
    loadScenario: (file, overrides) => {
      asked.push({ file, overrides });
      const name = file.replace(/^.*\//, "").replace(/\.ts$/, "");
      return Promise.resolve(fakeScenario(name, overrides.seed ?? "1"));
    },
    compile: (_scenario, observers, _replication, instruments = []) =>
      fakeRun([...observers, ...instruments.flatMap((each) => each.observers)], options),
    instruments: async (asked, scenario) =>
      (await import("../../src/telemetry/index.ts")).instrumentsOf(asked, scenario, "1.2.3"),
    look: () => Promise.resolve(fakeLook(options)),
    answer: () => Promise.reject(new Error("no fake answers")),
    explain: (_scenario, wanted) => {
      const run = fakeRun([], options);
      const said = JSON.stringify(wanted);
      const explain = (format: ExplanationFormat): string => `${format} ${said} ${run.nowNs}\n`;
      return Promise.resolve({ search: run, again: () => null, explain });
    },
    diffRuns: () =>
      Promise.resolve(
        (function* () {
          yield { nowNs: 0, durationNs: 1, eventsProcessed: 1 };
          return null;
        })(),
      ),
    diffFolders: () => Promise.resolve(null),
    plot: (folder, kinds, format) =>
      Promise.resolve(kinds.map((kind) => ({ name: `${kind}.${format}`, content: folder }))),
    importCluster: (paths) =>
      Promise.resolve({
        scenarioText: (manifest) => `// reads ${manifest}\n`,
        manifestText: () => "kind: Service\n",
        report: [`Read ${paths.join(" ")}`],
      }),
    // Not by the real rooms: test/cli/process.test.ts bundles what stands here.
    template: () =>
      Promise.resolve({
        name: "first",
        scenario: readFileSync("scenarios/first.ts", "utf8"),
        manifest: readFileSync("scenarios/first.yaml", "utf8"),
      }),
    // One after the other, in this thread.
    replicate: async ({ file, overrides, replications, folder }, _signal, done) => {
      const { runInto } = await import("../../src/cli/run.ts");
      const own = fakeDependencies(options);
      const summaries = [];
      const dirs = await folder;
      for (let replication = 0; replication < replications; replication++) {
        const scenario = await own.loadScenario(file, overrides);
        const args = { file, ...overrides, quiet: true, output: "table", replication } as const;
        const dir = join(dirs, `replication-${replication}`);
        summaries.push((await runInto(dir, scenario, args, fakeTerminal(), own)).summary);
        done();
      }
      return summaries;
    },
    report: { check: () => Promise.resolve(), write: () => Promise.resolve(2048) },
    runFresh: async (words) => {
      const io = fakeTerminal();
      return (await import("../../src/cli/program.ts")).runCli(
        words,
        io,
        fakeDependencies(options),
      );
    },
    listScenarios: () =>
      Promise.resolve([{ name: "quiet", file: "scenarios/quiet.ts", question: "Nothing?" }]),
    ...options,
  };
}
