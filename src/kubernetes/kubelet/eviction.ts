/**
 * Eviction under memory pressure.
 *
 * Owns: measuring the node's memory every 10 s, which pods are turned away meanwhile, and which pod goes when it is short: first those above
 * their requests, then by priority, then by how far they are above. Refuses to own: how a pod goes
 * (podWorker.ts), memory itself (the processes). Not modelled: soft thresholds, disk and PID pressure,
 * the kernel's own out-of-memory killer of the whole node. Source: pkg/kubelet/eviction/helpers.go
 * rankMemoryPressure, eviction_manager.go; timings §1.7.
 */
import { Phase, type SimTimeNs } from "../../engine/index.ts";
import { isTolerated, TAINT_MEMORY_PRESSURE, type Taint } from "../api/taints.ts";
import type { Node, Pod, PodSpec } from "../api/types.ts";
import type { KubeletContext } from "./kubelet.ts";
import type { PodWorker } from "./podWorker.ts";

/** SystemCriticalPriority of pkg/apis/scheduling. */
export const SYSTEM_CRITICAL_PRIORITY = 2_000_000_000;

const PRESSURE: Taint = {
  key: TAINT_MEMORY_PRESSURE,
  value: "",
  effect: "NoSchedule",
  timeAddedNs: null,
};

export interface EvictionNode {
  readonly workers: () => Iterable<PodWorker>;
  readonly node: () => Node | undefined;
  readonly pressure: (isUnder: boolean) => void;
}

export class EvictionManager {
  readonly #context: KubeletContext;
  readonly #parts: EvictionNode;
  #isUnder = false;
  #lastShortNs: SimTimeNs = 0;
  /** The pod whose end is waited for before another one is chosen. */
  #victim: PodWorker | null = null;
  #evictedNs: SimTimeNs = 0;

  constructor(context: KubeletContext, parts: EvictionNode) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Admit: under memory pressure nobody who asks for nothing, but for critical pods and those that bear its taint. */
  admits({ spec }: Pod): boolean {
    if (!this.#isUnder || (spec.priority ?? 0) >= SYSTEM_CRITICAL_PRIORITY) return true;
    return !isBestEffort(spec) || isTolerated(spec.tolerations ?? [], PRESSURE);
  }

  start(): void {
    const { clock, profile, sim, nodeName, countsMemory } = this.#context;
    if (!countsMemory) return;
    const phase = sim.streams.get(`kubelet/${nodeName}/eviction`).uniform();
    const next = (delayNs: number): void => {
      clock.after(delayNs, Phase.start, () => {
        this.#synchronize();
        next(profile.evictionIntervalNs);
      });
    };
    next(Math.floor(phase * profile.evictionIntervalNs));
  }

  crash(): void {
    this.#isUnder = false;
    this.#victim = null;
  }

  #synchronize(): void {
    const { profile, sim } = this.#context;
    const node = this.#parts.node();
    if (node === undefined) return;
    const pods = [...this.#parts.workers()].filter((worker) => !worker.isFinished);
    const used = pods.reduce((sum, worker) => sum + memoryOf(worker), 0);
    // Allocatable is capacity less what the hard threshold keeps free.
    const availableBytes =
      node.status.allocatable.memoryBytes + profile.evictionMemoryAvailableBytes - used;
    const isShort = availableBytes < profile.evictionMemoryAvailableBytes;
    if (isShort) this.#lastShortNs = sim.nowNs;
    this.#setPressure(
      isShort ||
        (this.#isUnder && sim.nowNs - this.#lastShortNs < profile.evictionPressureTransitionNs),
    );
    if (isShort && !this.#isWaiting()) this.#evict(pods);
  }

  /** waitForPodsCleanup: up to 30 s for the last victim. */
  #isWaiting(): boolean {
    if (this.#victim === null || this.#victim.isFinished) return false;
    const { sim, profile } = this.#context;
    return sim.nowNs - this.#evictedNs < profile.evictionCleanupNs;
  }

  #evict(pods: readonly PodWorker[]): void {
    const { sim, observations, profile } = this.#context;
    const [victim] = pods.filter((worker) => worker.mayBeEvicted).sort(compareVictims);
    if (victim === undefined) return;
    this.#victim = victim;
    this.#evictedNs = sim.nowNs;
    observations.event(sim.nowNs, "pod_evicted", `pod/${victim.key}`, "memory pressure");
    victim.terminate(victim.pod, "Evicted", profile.forcedGraceNs);
  }

  #setPressure(isUnder: boolean): void {
    if (isUnder === this.#isUnder) return;
    this.#isUnder = isUnder;
    this.#parts.pressure(isUnder);
  }
}

/** GetPodQOS: no container asks for anything, or is limited. */
function isBestEffort({ containers, initContainers = [] }: PodSpec): boolean {
  return [...initContainers, ...containers].every(
    ({ requests, limits }) =>
      requests.cpuMillis === 0 &&
      requests.memoryBytes === 0 &&
      (limits.cpuMillis ?? 0) === 0 &&
      (limits.memoryBytes ?? 0) === 0,
  );
}

function memoryOf(worker: PodWorker): number {
  return worker.containers.reduce((sum, { process }) => sum + (process?.memoryBytes?.() ?? 0), 0);
}

function aboveRequests(worker: PodWorker): number {
  const { containers } = worker.pod.spec;
  return memoryOf(worker) - containers.reduce((sum, each) => sum + each.requests.memoryBytes, 0);
}

/** orderedBy(exceedMemoryRequests, priority, memory): negative when `a` goes first. */
function compareVictims(a: PodWorker, b: PodWorker): number {
  const [left, right] = [aboveRequests(a), aboveRequests(b)];
  if (left > 0 !== right > 0) return left > 0 ? -1 : 1;
  const byPriority = (a.pod.spec.priority ?? 0) - (b.pod.spec.priority ?? 0);
  if (byPriority !== 0) return byPriority;
  if (left !== right) return right - left;
  return a.uid < b.uid ? -1 : 1;
}
