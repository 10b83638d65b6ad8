/**
 * The probes of one container.
 *
 * Owns: its three workers and how they depend on each other. Refuses to own: when a worker probes
 * (prober.ts), how a probe travels (contract.ts Prober), what follows from it (podWorker.ts).
 */
import { Phase, type DurationNs } from "../../engine/index.ts";
import type { Probe } from "../api/types.ts";
import type { Container } from "./container.ts";
import { ProbeWorker } from "./prober.ts";

export class ContainerProbes {
  readonly #container: Container;
  readonly #startup: ProbeWorker | null;
  readonly #readiness: ProbeWorker | null;
  readonly #liveness: ProbeWorker | null;

  constructor(container: Container, phaseNs: number) {
    this.#container = container;
    const { startupProbe = null, readinessProbe, livenessProbe } = container.spec;
    const { sim, clock, probed, failedProbe } = container.context;
    const onClock = {
      get nowNs() {
        return sim.nowNs;
      },
      callAfter: clock.after.bind(clock),
      cancel: clock.cancel.bind(clock),
    };
    const worker = (
      probe: Probe | null,
      initial: boolean | null,
      idle: (() => boolean) | undefined,
      changed: (verdict: boolean) => void,
    ): ProbeWorker | null => {
      if (probe === null) return null;
      const options = {
        probe,
        initial,
        send: (done: (success: boolean) => void) => this.#send(probe, done),
        // By the kubelet's own status, which runs behind by up to a relist (worker.go doProbe).
        runningSinceNs: () => container.seenRunningSinceNs,
        idle,
        holdsAfterFailure: initial !== false,
        changed,
      };
      return new ProbeWorker(onClock, options, phaseNs);
    };
    const failed = (verdict: boolean): void => {
      if (!verdict) failedProbe();
      else probed();
    };
    this.#startup = worker(startupProbe, null, () => this.#startup!.verdict === true, failed);
    // With a startup probe the others wait for it.
    const idle = startupProbe === null ? undefined : () => !this.hasStarted;
    this.#readiness = worker(readinessProbe, false, idle, () => {
      if (container.seen === "running") probed();
    });
    this.#liveness = worker(livenessProbe, true, idle, failed);
  }

  get hasStarted(): boolean {
    return this.#startup === null || this.#startup.verdict === true;
  }

  get isReady(): boolean {
    return this.#readiness === null || this.#readiness.verdict === true;
  }

  /** Its liveness or startup probe, if that has failed this run. */
  get failed(): Probe | null {
    const { spec } = this.#container;
    if (this.#startup?.verdict === false) return spec.startupProbe!;
    return this.#liveness?.verdict === false ? spec.livenessProbe : null;
  }

  /** A status is made of a started container that is not ready: its probe comes at once (UpdatePodStatus). */
  pokeUnready(): void {
    if (this.#container.started && !this.isReady) this.#readiness!.poke();
  }

  assumeGood(): void {
    for (const worker of this.#all) worker.assume(true);
  }

  reset(): void {
    for (const worker of this.#all) worker.reset();
  }

  /** StopLivenessAndStartup. */
  onlyReadiness(): void {
    this.#startup?.stop();
    this.#liveness?.stop();
  }

  stop(): void {
    for (const worker of this.#all) worker.stop();
  }

  get #all(): ProbeWorker[] {
    return [this.#startup, this.#readiness, this.#liveness].filter((each) => each !== null);
  }

  #send(probe: Probe, done: (success: boolean) => void): void {
    const { prober, node, sandbox, clock, profile } = this.#container.context;
    const where = sandbox();
    if (where === null) {
      clock.after(0, Phase.complete, () => done(false));
    } else if (probe.handler.kind === "exec") {
      this.#exec(profile.execCpuNs, probe.timeoutNs, done);
    } else {
      prober.probe(node, where, probe.handler, probe.timeoutNs, clock.hears(done));
    }
  }

  /** A process in the container: what a CPU limit leaves it may be too little for its time-out. */
  #exec(cpuNs: DurationNs, timeoutNs: DurationNs, done: (success: boolean) => void): void {
    let isDone = false;
    const once = (success: boolean): void => {
      if (isDone) return;
      isDone = true;
      done(success);
    };
    const { clock } = this.#container.context;
    this.#container.exec(cpuNs, once);
    clock.after(timeoutNs, Phase.timeout, () => once(false));
  }
}
