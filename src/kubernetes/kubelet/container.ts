/**
 * One container of a pod on its node: its process, its probes, its restarts.
 *
 * Owns: starting, restarting in place with CrashLoopBackOff, and probing. Refuses to own: when the
 * kubelet notices (pleg in kubelet.ts) and the pod's end (podWorker.ts). Source: timings §1.1, §1.4.
 */
import {
  Phase,
  sampleNs,
  type Distribution,
  type RandomStream,
  type Simulation,
} from "../../engine/index.ts";
import type { Container as ContainerSpec, Pod } from "../api/types.ts";
import type { ContainerProcess, ContainerRuntime, Prober, Sandbox, Signal } from "./contract.ts";
import { ProbeWorker } from "./prober.ts";
import type { KubeletProfile } from "./profile.ts";

export interface ContainerContext {
  readonly sim: Simulation;
  readonly profile: KubeletProfile;
  readonly runtime: ContainerRuntime;
  readonly prober: Prober;
  readonly node: number;
  readonly startTime: Distribution;
  readonly stream: RandomStream;
  /** The pod as the runtime is to see it, with its restart count. */
  readonly pod: () => Pod;
  readonly sandbox: () => Sandbox;
  /** Something that the PLEG or a probe would show has changed. */
  readonly readinessChanged: (ready: boolean) => void;
  readonly started: () => void;
  readonly exited: () => void;
}

export class Container {
  readonly spec: ContainerSpec;
  process: ContainerProcess | null = null;
  restarts = 0;
  /** Whether the kubelet has seen it run: readiness is only judged from then on. */
  #noticedRunning = false;
  #startedAtNs = 0;
  #exitedAtNs = 0;
  #failures = 0;
  #stopping = false;
  readonly #context: ContainerContext;
  readonly #readiness: ProbeWorker | null;
  readonly #liveness: ProbeWorker | null;

  constructor(spec: ContainerSpec, context: ContainerContext, probePhaseNs: number) {
    this.spec = spec;
    this.#context = context;
    const worker = (kind: "readinessProbe" | "livenessProbe"): ProbeWorker | null => {
      const probe = spec[kind];
      if (probe === null) return null;
      const { sim, prober, node, sandbox } = context;
      return new ProbeWorker(
        sim,
        {
          probe,
          initial: kind === "livenessProbe",
          send: (done) => prober.probe(node, sandbox(), probe.handler, probe.timeoutNs, done),
          // Probes go by the kubelet's own status, which runs behind by up to a relist (worker.go doProbe).
          runningSinceNs: () => (this.#noticedRunning ? this.#startedAtNs : null),
          changed: (verdict) =>
            kind === "readinessProbe" ? this.#readinessChanged(verdict) : this.#livenessFailed(),
        },
        probePhaseNs,
      );
    };
    this.#readiness = worker("readinessProbe");
    this.#liveness = worker("livenessProbe");
  }

  /** Running, seen to run, and its readiness probe passes if it has one. */
  get ready(): boolean {
    if (this.process === null || !this.#noticedRunning) return false;
    return this.#readiness?.verdict ?? true;
  }

  get running(): boolean {
    return this.process !== null;
  }

  /** Creates and starts it: takes its time. */
  start(done: () => void): void {
    const { sim, startTime, stream } = this.#context;
    sim.callAfter(sampleNs(startTime, stream), Phase.topology, () => {
      if (this.#stopping) return;
      this.#run();
      this.#context.started();
      done();
    });
  }

  /** It has been running and ready for days. */
  startAtRest(): void {
    this.#run();
    this.#noticedRunning = true;
    this.#readiness?.assume(true);
    this.#liveness?.assume(true);
  }

  /** The kubelet has seen that it runs. @returns whether it is ready: its probe may have passed before */
  noticeRunning(): boolean {
    if (this.process === null || this.#noticedRunning) return false;
    this.#noticedRunning = true;
    this.#readiness?.poke();
    return this.ready;
  }

  /** Its restart, as the kubelet sets about it once it has seen the exit. */
  restart(): void {
    this.#restartAt(this.#exitedAtNs + this.#backoffNs());
  }

  /**
   * The pod worker comes back when the back-off is over, but not after more than a resync, and later than
   * it meant to by a factor of [1, 1.5) (pod_workers.go completeWork; timings §1.4).
   */
  #restartAt(dueNs: number): void {
    const { sim, profile, stream } = this.#context;
    const { crashBackoffPollNs: pollNs, podResyncNs } = profile;
    const untilNs = Math.max(0, dueNs - sim.nowNs);
    const leftNs = untilNs > 0 && pollNs > 0 ? pollNs : Math.min(podResyncNs, untilNs);
    const waitNs = Math.round(leftNs * (1 + stream.uniform() / 2));
    sim.callAfter(waitNs, Phase.start, () => {
      if (this.#stopping) return;
      if (sim.nowNs < dueNs) {
        this.#restartAt(dueNs);
        return;
      }
      this.restarts++;
      this.start(() => {});
    });
  }

  signal(signal: Signal): void {
    this.process?.signal(signal);
  }

  /** The pod goes: no more restarts, no more liveness; readiness goes on to the end. */
  beginStop(): void {
    this.#stopping = true;
    this.#liveness?.stop();
  }

  stopProbes(): void {
    this.#readiness?.stop();
    this.#liveness?.stop();
  }

  #run(): void {
    const { sim, runtime, pod, sandbox } = this.#context;
    this.#startedAtNs = sim.nowNs;
    this.#noticedRunning = false;
    this.process = runtime.start(pod(), this.spec, sandbox(), () => this.#exited());
  }

  #exited(): void {
    this.process = null;
    this.#exitedAtNs = this.#context.sim.nowNs;
    this.#noticedRunning = false;
    this.#readiness?.reset();
    this.#liveness?.reset();
    this.#context.exited();
  }

  /** First restart at once, then 10 s doubling to 5 min after the exit; afresh after a run of 10 min. */
  #backoffNs(): number {
    const { profile } = this.#context;
    if (this.#exitedAtNs - this.#startedAtNs > profile.crashBackoffResetNs) this.#failures = 0;
    const failures = this.#failures++;
    if (failures === 0) return 0;
    return Math.min(profile.crashBackoffMaxNs, profile.crashBackoffBaseNs * 2 ** (failures - 1));
  }

  #readinessChanged(verdict: boolean): void {
    if (this.#noticedRunning) this.#context.readinessChanged(verdict);
  }

  #livenessFailed(): void {
    if (this.#liveness!.verdict) return;
    this.process?.signal("SIGTERM");
    const { sim, pod } = this.#context;
    const { process } = this;
    sim.callAfter(pod().spec.terminationGracePeriodNs, Phase.timeout, () => {
      if (this.process === process) process?.signal("SIGKILL");
    });
  }
}
