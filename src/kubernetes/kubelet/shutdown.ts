/**
 * Graceful node shutdown: what a kubelet does between hearing that its machine goes down and letting it.
 *
 * Owns: saying so of its node, turning pods away, and ending the pods by priority, each within its group's time. It
 * tells nobody of an endpoint: pods that it ends are ready by all that the API knows until the node lifecycle
 * controller has seen the node, or their probes fail. Refuses to own: how a pod ends (podWorker.ts), the machine
 * (faults/). Source: pkg/kubelet/nodeshutdown; timings §1.8. Not modelled: volumes, groups by other priorities than
 * critical and others.
 */
import { Phase, type DurationNs, type EventHandle } from "../../engine/index.ts";
import { SYSTEM_CRITICAL_PRIORITY } from "./eviction.ts";
import type { KubeletContext } from "./kubelet.ts";
import type { PodWorker } from "./podWorker.ts";

export interface ShutdownNode {
  readonly workers: () => Iterable<PodWorker>;
  /** Condition Ready of the node, by this kubelet. */
  readonly ready: (isReady: boolean) => void;
}

export class NodeShutdown {
  readonly #context: KubeletContext;
  readonly #parts: ShutdownNode;
  #isUnderWay = false;
  #timer: EventHandle = 0;

  constructor(context: KubeletContext, parts: ShutdownNode) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Pods that come now are rejected. */
  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** logind says that the machine goes down. @param release lets it: the inhibitor lock is given back */
  begin(release: () => void): void {
    const { shutdownGracePeriodNs: wholeNs, shutdownGracePeriodCriticalPodsNs: criticalNs } =
      this.#context.profile;
    if (wholeNs === 0) {
      release();
      return;
    }
    this.#isUnderWay = true;
    this.#parts.ready(false);
    const isCritical = (worker: PodWorker): boolean =>
      (worker.pod.spec.priority ?? 0) >= SYSTEM_CRITICAL_PRIORITY;
    const workers = [...this.#parts.workers()].filter((worker) => !worker.isFinished);
    const others = workers.filter((worker) => !isCritical(worker));
    this.#end(others, Math.max(0, wholeNs - criticalNs), () =>
      this.#end(workers.filter(isCritical), criticalNs, () => {
        const { clock, profile } = this.#context;
        this.#timer = clock.after(profile.shutdownReleaseNs, Phase.topology, release);
      }),
    );
  }

  /** The machine stays up, or has gone. */
  stop(): void {
    if (!this.#isUnderWay) return;
    this.#isUnderWay = false;
    this.#context.clock.cancel(this.#timer);
  }

  /** Cancelled: what has ended has ended, and the node is ready again. */
  cancel(): void {
    if (!this.#isUnderWay) return;
    this.stop();
    this.#parts.ready(true);
  }

  /** A group: all at once, each with no more than the group's time; the next when they have ended, or that is over. */
  #end(workers: readonly PodWorker[], graceNs: DurationNs, then: () => void): void {
    let left = workers.length;
    let isOver = false;
    const over = (): void => {
      if (isOver || !this.#isUnderWay) return;
      isOver = true;
      clock.cancel(this.#timer);
      then();
    };
    const { clock } = this.#context;
    if (left === 0) {
      over();
      return;
    }
    this.#timer = clock.after(graceNs, Phase.timeout, over);
    for (const worker of workers) {
      const { terminationGracePeriodNs } = worker.pod.spec;
      worker.terminate(worker.pod, "Terminated", Math.min(graceNs, terminationGracePeriodNs));
      worker.whenFinished(() => {
        if (--left === 0) over();
      });
    }
  }
}
