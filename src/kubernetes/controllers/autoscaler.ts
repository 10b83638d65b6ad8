/**
 * The horizontal pod autoscaler: every 15 s, from the CPU use of a workload's pods to its size.
 *
 * Owns: its period, the recommendations and changes of the last minutes, stabilisation and limits, the
 * write of the size. It sees what metrics-server last computed, which is old by then (metrics/). Refuses
 * to own: the arithmetic (replicaCalculator.ts), pods. Source: pkg/controller/podautoscaler/horizontal.go;
 * timings §11.
 *
 * Not modelled: metrics other than CPU utilisation of whole pods, scaling to and from 0, the read of the
 * metrics API as a request of its own.
 */
import { Phase, type SimTimeNs } from "../../engine/index.ts";
import type { Informer } from "../api/contract.ts";
import {
  matchesSelector,
  objectKey,
  type HorizontalPodAutoscaler,
  type LabelSelector,
  type Pod,
  type ScaleTargetKind,
} from "../api/types.ts";
import type { Controller, ControllerContext } from "./contract.ts";
import {
  resourceReplicas,
  scaleDownLimit,
  scaleUpLimit,
  type Recommendation,
  type ScaleEvent,
} from "./replicaCalculator.ts";
import { syncQueue, written, type Steps } from "./steps.ts";
import type { WorkQueue } from "./workqueue.ts";

/** What is remembered of one autoscaler. */
interface Memory {
  recommendations: { readonly atNs: SimTimeNs; readonly replicas: number }[];
  up: ScaleEvent[];
  down: ScaleEvent[];
}

interface Target {
  readonly kind: ScaleTargetKind;
  readonly key: string;
  readonly replicas: number;
  readonly selector: LabelSelector;
}

const FORGET_NS = 3_600e9;

export class HorizontalPodAutoscalerController implements Controller {
  readonly name = "horizontal-pod-autoscaler";
  #context!: ControllerContext;
  #queue!: WorkQueue;
  #scalers!: Informer<"HorizontalPodAutoscaler">;
  #pods!: Informer<"Pod">;
  #targets!: { readonly [K in ScaleTargetKind]: Informer<K> };
  readonly #memory = new Map<string, Memory>();
  readonly #ticking = new Set<string>();

  get isIdle(): boolean {
    return this.#queue.isIdle;
  }

  start(context: ControllerContext, synced: boolean): void {
    this.#context = context;
    const { sim, profile, informers } = context;
    const { workers, syncPeriodNs } = profile.autoscaler;
    this.#queue = syncQueue(context, { workers, maxRetries: 0 }, (key) => this.#sync(key));
    const tick = ({ metadata }: HorizontalPodAutoscaler): void => {
      const key = objectKey({ metadata });
      if (this.#ticking.has(key)) return;
      this.#ticking.add(key);
      // One that has been there for days is somewhere in its period.
      const phase = synced ? sim.streams.get(`autoscaler/${key}`).uniform() : 1;
      this.#tickAfter(key, Math.ceil(phase * syncPeriodNs));
    };
    this.#scalers = informers.on("HorizontalPodAutoscaler", { added: tick });
    this.#pods = informers.on("Pod", {});
    this.#targets = {
      Deployment: informers.on("Deployment", {}),
      ReplicaSet: informers.on("ReplicaSet", {}),
      ReplicationController: informers.on("ReplicationController", {}),
      StatefulSet: informers.on("StatefulSet", {}),
    };
    for (const scaler of this.#scalers.values()) tick(scaler);
  }

  /** The queue's rate limiter adds a key 15 s after it was worked on, whatever came of it. */
  #tickAfter(key: string, delayNs: number): void {
    const { sim, profile } = this.#context;
    sim.callAfter(delayNs, Phase.start, () => {
      if (this.#scalers.get(key) === undefined) {
        this.#ticking.delete(key);
        return;
      }
      this.#queue.add(key);
      this.#tickAfter(key, profile.autoscaler.syncPeriodNs);
    });
  }

  *#sync(key: string): Steps<void> {
    const scaler = this.#scalers.get(key);
    if (scaler === undefined) return;
    const target = this.#targetOf(scaler);
    // Size 0 switches it off.
    if (target === null || target.replicas === 0) return;
    const recommended = this.#recommend(scaler, target);
    const desired = this.#normalized(key, scaler, target.replicas, recommended?.replicas ?? null);
    const isChange = desired !== target.replicas;
    if (isChange) {
      yield* this.#scale(target, desired);
      this.#remember(key, desired - target.replicas);
    }
    const { nowNs } = this.#context.sim;
    const status = {
      currentReplicas: target.replicas,
      desiredReplicas: desired,
      currentUtilization: recommended?.utilization ?? null,
      lastScaleTimeNs: isChange ? nowNs : scaler.status.lastScaleTimeNs,
    };
    const isSame = Object.entries(status).every(
      ([name, value]) => scaler.status[name as keyof typeof status] === value,
    );
    if (isSame) return;
    yield* written<"HorizontalPodAutoscaler">((done) =>
      this.#context.client.patch(
        "HorizontalPodAutoscaler",
        key,
        (stored) => ({ ...stored, status }),
        done,
      ),
    );
  }

  #targetOf({ metadata, spec }: HorizontalPodAutoscaler): Target | null {
    const { kind, name } = spec.scaleTargetRef;
    const key = `${metadata.namespace}/${name}`;
    const object = this.#targets[kind].get(key);
    if (object === undefined) return null;
    return { kind, key, replicas: object.spec.replicas, selector: object.spec.selector };
  }

  /** null when there is nothing to go by; beyond its bounds it goes to them without a look at metrics. */
  #recommend({ metadata, spec }: HorizontalPodAutoscaler, target: Target): Recommendation | null {
    const { sim, profile, podMetrics } = this.#context;
    const pods = [...this.#pods.values()].filter(
      (pod: Pod) =>
        pod.metadata.namespace === metadata.namespace &&
        matchesSelector(target.selector, pod.metadata.labels),
    );
    const { tolerance, cpuInitializationNs, initialReadinessDelayNs } = profile.autoscaler;
    return resourceReplicas(target.replicas, pods, podMetrics?.() ?? new Map(), {
      target: spec.targetUtilization,
      toleranceUp: spec.behavior?.scaleUp.tolerance ?? tolerance,
      toleranceDown: spec.behavior?.scaleDown.tolerance ?? tolerance,
      cpuInitializationNs,
      initialReadinessDelayNs,
      nowNs: sim.nowNs,
    });
  }

  #memoryOf(key: string): Memory {
    let memory = this.#memory.get(key);
    if (memory === undefined) {
      memory = { recommendations: [], up: [], down: [] };
      this.#memory.set(key, memory);
    }
    return memory;
  }

  /** What is recommended, stabilised and within every limit. */
  #normalized(
    key: string,
    { spec }: HorizontalPodAutoscaler,
    current: number,
    recommended: number | null,
  ): number {
    const { minReplicas, maxReplicas, behavior } = spec;
    const { sim, profile } = this.#context;
    const { nowNs } = sim;
    if (current > maxReplicas) return maxReplicas;
    if (current < minReplicas) return minReplicas;
    if (recommended === null) return current;
    const memory = this.#memoryOf(key);
    const upNs = behavior?.scaleUp.stabilizationWindowNs ?? 0;
    const downNs =
      behavior?.scaleDown.stabilizationWindowNs ?? profile.autoscaler.downscaleStabilizationNs;
    const stable = stabilized(memory, current, recommended, { upNs, downNs, nowNs });
    memory.recommendations = [
      ...memory.recommendations.filter(({ atNs }) => atNs > nowNs - Math.max(upNs, downNs)),
      { atNs: nowNs, replicas: recommended },
    ];
    const most =
      behavior === null
        ? Math.max(2 * current, 4)
        : Math.max(current, scaleUpLimit(current, memory.up, memory.down, behavior.scaleUp, nowNs));
    const fewest =
      behavior === null
        ? 0
        : Math.min(
            current,
            scaleDownLimit(current, memory.up, memory.down, behavior.scaleDown, nowNs),
          );
    if (stable > current) return Math.min(stable, maxReplicas, most);
    return stable < current ? Math.max(stable, minReplicas, fewest) : current;
  }

  #remember(key: string, change: number): void {
    const memory = this.#memoryOf(key);
    const { nowNs } = this.#context.sim;
    const recent = (events: readonly ScaleEvent[]): ScaleEvent[] =>
      events.filter(({ atNs }) => atNs > nowNs - FORGET_NS);
    if (change > 0) memory.up = [...recent(memory.up), { atNs: nowNs, change }];
    else memory.down = [...recent(memory.down), { atNs: nowNs, change: -change }];
  }

  /** A write of the scale subresource. */
  *#scale({ kind, key }: Target, replicas: number): Steps<void> {
    const { client } = this.#context;
    const { metadata } = yield* written<ScaleTargetKind>((done) =>
      client.patch<ScaleTargetKind>(
        kind,
        key,
        (stored) => ({ ...stored, spec: { ...stored.spec, replicas } }) as typeof stored,
        done,
      ),
    );
    // SuccessfulRescale, about the autoscaler of this target.
    client.recordEvent(`hpa of ${metadata.uid}`);
  }
}

/** Up goes to the smallest recommendation of its window, down to the greatest of its own. */
export function stabilized(
  { recommendations }: Pick<Memory, "recommendations">,
  current: number,
  recommended: number,
  { upNs, downNs, nowNs }: { upNs: number; downNs: number; nowNs: SimTimeNs },
): number {
  let up = recommended;
  let down = recommended;
  for (const { atNs, replicas } of recommendations) {
    if (atNs > nowNs - upNs) up = Math.min(up, replicas);
    if (atNs > nowNs - downNs) down = Math.max(down, replicas);
  }
  return Math.min(Math.max(current, up), down);
}
