/**
 * One container of a pod on its node: its runs, its probes, its back-off.
 *
 * Owns: what really runs, what the kubelet has seen of it, and when it may start again. Refuses to own:
 * when the kubelet looks (pleg.ts), what it then decides (podWorker.ts), how a container is stopped
 * (killing.ts). Source: timings §1.1, §1.4.
 */
import {
  Phase,
  sampleNs,
  type Distribution,
  type DurationNs,
  type RandomStream,
  type SimTimeNs,
  type Simulation,
} from "../../engine/index.ts";
import type { Container as ContainerSpec, ContainerStatus, Pod } from "../api/types.ts";
import { CrashBackoff } from "./backoff.ts";
import type { ContainerProcess, ContainerRuntime, Prober, Sandbox, Signal } from "./contract.ts";
import { runHook } from "./hooks.ts";
import type { ImageManager } from "./images.ts";
import type { NodeClock } from "./nodeClock.ts";
import { ContainerProbes } from "./probes.ts";
import type { KubeletProfile } from "./profile.ts";

export interface ContainerContext {
  readonly sim: Simulation;
  readonly clock: NodeClock;
  readonly profile: KubeletProfile;
  readonly runtime: ContainerRuntime;
  readonly prober: Prober;
  readonly images: ImageManager;
  readonly node: number;
  readonly startTime: Distribution;
  readonly stream: () => RandomStream;
  /** The pod as the runtime is to see it. */
  readonly pod: () => Pod;
  readonly sandbox: () => Sandbox | null;
  /** For the event log: something happened to it. */
  readonly event: (kind: string, detail: string) => void;
  /** It has started or ended, in truth: the PLEG may find it. */
  readonly changed: (container: Container) => void;
  /** A probe's verdict has changed what the kubelet is to say of it. */
  readonly probed: () => void;
  /** Its liveness or startup probe has failed: the pod's worker is to act. */
  readonly failedProbe: () => void;
}

export interface Exit {
  readonly code: number;
  readonly oomKilled: boolean;
  readonly atNs: SimTimeNs;
}

/** What a relist says of a container. */
type Seen = "created" | "running" | "exited";

export class Container {
  readonly spec: ContainerSpec;
  readonly isInit: boolean;
  readonly context: ContainerContext;
  readonly probes: ContainerProbes;
  process: ContainerProcess | null = null;
  /** Number of its present or last run; 0 before the first. */
  run = 0;
  startedAtNs: SimTimeNs = 0;
  /** How its last run ended, in truth. */
  lastExit: Exit | null = null;
  /** Why it waits to be started. */
  waiting = "ContainerCreating";
  seen: Seen = "created";
  #seenRun = 0;
  /** The last exit that the kubelet has seen. */
  seenExit: Exit | null = null;
  readonly #backoff: CrashBackoff;
  #stopping = false;
  #whenGone: (() => void)[] = [];

  constructor(
    spec: ContainerSpec,
    isInit: boolean,
    context: ContainerContext,
    probePhaseNs: number,
    runs: number,
  ) {
    this.spec = spec;
    this.isInit = isInit;
    this.context = context;
    this.run = runs;
    this.#seenRun = runs;
    this.#backoff = new CrashBackoff(context.profile);
    this.probes = new ContainerProbes(this, probePhaseNs);
  }

  /** An init container that goes on beside the others. */
  get isSidecar(): boolean {
    return this.isInit && this.spec.restartPolicy === "Always";
  }

  get running(): boolean {
    return this.process !== null;
  }

  /** How often the kubelet has seen it start again. */
  get restarts(): number {
    return Math.max(0, this.#seenRun - 1);
  }

  /** Seen to run, start-up probe passed. */
  get started(): boolean {
    return this.seen === "running" && this.probes.hasStarted;
  }

  /** What the kubelet says of it: seen to run, started, and its readiness probe passes if it has one. */
  get ready(): boolean {
    return this.started && this.probes.isReady;
  }

  /** When the run that the kubelet has seen began, or null. */
  get seenRunningSinceNs(): SimTimeNs | null {
    return this.seen === "running" ? this.#seenStartNs : null;
  }
  #seenStartNs: SimTimeNs = 0;

  /** It has been running and ready for days. */
  startAtRest(): void {
    this.#begin();
    this.look();
    // No probe's initial delay is still to come.
    this.#seenStartNs = -Infinity;
    this.probes.assumeGood();
  }

  /** An init container that did its work days ago. */
  endedAtRest(): void {
    this.run = 1;
    this.lastExit = { code: 0, oomKilled: false, atNs: this.context.sim.nowNs };
    this.waiting = "";
    this.look();
  }

  /** How long its back-off still lasts; 0: it may start. */
  backoffLeftNs(): DurationNs {
    return this.#backoff.leftNs(this.seenExit, this.context.sim.nowNs);
  }

  /**
   * Pulls its image, creates and starts it, runs postStart. What comes after the pod was told to go is
   * dropped. @param done called with null, or with why it does not run
   */
  start(done: (error: string | null) => void): void {
    const { clock, startTime, stream, images, sim } = this.context;
    this.#backoff.starts(this.seenExit, sim.nowNs);
    images.ensure(this.spec, (error) => {
      if (this.#stopping) return;
      if (error !== null) {
        this.waiting = error;
        done(error);
        return;
      }
      clock.after(sampleNs(startTime, stream()), Phase.topology, () => {
        if (this.#stopping) return;
        this.#begin();
        this.context.event("container_started", this.spec.name);
        this.#postStart(done);
      });
    });
  }

  /** What the PLEG sees. @returns whether it is news */
  look(): boolean {
    const now = this.process === null ? (this.run === 0 ? "created" : "exited") : "running";
    if (now === this.seen && this.#seenRun === this.run) return false;
    if (now === "exited" && this.lastExit === null) return false;
    this.seen = now;
    this.#seenRun = this.run;
    this.#seenStartNs = this.startedAtNs;
    this.seenExit = this.lastExit;
    this.probes.reset();
    return true;
  }

  signal(signal: Signal): void {
    if (this.process === null) return;
    this.context.event(signal.toLowerCase(), this.spec.name);
    this.process.signal(signal);
  }

  /** The kernel kills it for its memory. @returns false if nothing runs */
  oomKill(): boolean {
    if (this.process === null) return false;
    this.#oomKilled = true;
    this.process.signal("SIGKILL");
    return true;
  }
  #oomKilled = false;

  /** Calls back once, when its present run has ended. */
  whenGone(fn: () => void): void {
    this.#whenGone.push(fn);
  }

  /** Runs a command in it. @param done false: it did not run, or not to its end */
  exec(cpuNs: DurationNs, done: (ran: boolean) => void): void {
    const { clock } = this.context;
    const { process } = this;
    if (process === null) clock.after(0, Phase.complete, () => done(false));
    else if (process.exec === undefined) {
      clock.after(cpuNs, Phase.complete, () => done(this.process === process));
    } else process.exec(cpuNs, clock.hears(done));
  }

  /** The pod goes: nothing starts any more, and only readiness is still probed. */
  beginStop(): void {
    this.#stopping = true;
    this.probes.onlyReadiness();
  }

  /** The node lost its power: nothing of it is left. */
  vanish(): void {
    const { process } = this;
    this.process = null;
    this.#stopping = true;
    this.#whenGone = [];
    this.probes.stop();
    process?.signal("SIGKILL");
  }

  status(): ContainerStatus {
    const { name } = this.spec;
    const exit = this.seenExit;
    const base = { name, restartCount: this.restarts, exitCode: exit?.code ?? null };
    if (this.seen === "running") {
      const { ready, started } = this;
      return { ...base, state: "running", reason: "", ready, started };
    }
    const off = { ready: this.isInit && exit?.code === 0, started: false };
    if (this.seen === "created" || this.waiting !== "") {
      return { ...base, ...off, state: "waiting", reason: this.waiting };
    }
    return { ...base, ...off, state: "terminated", reason: reasonOf(exit!) };
  }

  #begin(): void {
    const { sim, runtime, pod, sandbox } = this.context;
    this.run++;
    this.startedAtNs = sim.nowNs;
    this.waiting = "";
    this.#oomKilled = false;
    const { run } = this;
    const launched = pod();
    const restartCount = this.run - 1;
    const named = { ...launched, status: { ...launched.status, restartCount } };
    this.process = runtime.start(named, this.spec, sandbox()!, (code, oomKilled = false) => {
      if (this.run === run && this.process !== null) this.#exited(code, oomKilled);
    });
    this.context.changed(this);
  }

  #exited(code: number, oomKilled: boolean): void {
    this.process = null;
    const atNs = this.context.sim.nowNs;
    this.lastExit = { code, oomKilled: oomKilled || this.#oomKilled, atNs };
    this.context.changed(this);
    for (const fn of this.#whenGone.splice(0)) fn();
  }

  /** The worker waits for the hook; one that fails costs the container its life. */
  #postStart(done: (error: string | null) => void): void {
    const { postStart } = this.spec;
    if (postStart === undefined || postStart === null) {
      done(null);
      return;
    }
    const { run } = this;
    runHook(this, postStart, Infinity, (success) => {
      if (this.#stopping) return;
      if (!success && this.run === run) this.signal("SIGKILL");
      done(success ? null : "PostStartHookError");
    });
  }
}

function reasonOf({ code, oomKilled }: Exit): string {
  if (oomKilled) return "OOMKilled";
  return code === 0 ? "Completed" : "Error";
}
