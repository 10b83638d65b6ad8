/**
 * From the CPU use of pods to a number of replicas, as the horizontal pod autoscaler computes it.
 *
 * Owns: which pods count, the ratio, what missing and unready pods stand for, tolerance; the policies of
 * behavior. Refuses to own: when it is computed and what was recommended before (autoscaler.ts).
 * Source: pkg/controller/podautoscaler/replica_calculator.go, horizontal.go; timings §11.
 */
import type { DurationNs, SimTimeNs } from "../../engine/index.ts";
import type { Pod, ScalingRules } from "../api/types.ts";

/** CPU use of a pod over a window that ended at `atNs`. */
export interface PodMetric {
  readonly cpuMillis: number;
  readonly atNs: SimTimeNs;
  readonly windowNs: DurationNs;
}

export interface CalculatorOptions {
  /** Per cent of the pods' CPU requests. */
  readonly target: number;
  readonly toleranceUp: number;
  readonly toleranceDown: number;
  readonly cpuInitializationNs: DurationNs;
  readonly initialReadinessDelayNs: DurationNs;
  readonly nowNs: SimTimeNs;
}

export interface Recommendation {
  readonly replicas: number;
  /** Of the pods that count, in per cent of their requests. */
  readonly utilization: number;
}

interface Groups {
  readonly ready: Pod[];
  readonly unready: Pod[];
  readonly missing: Pod[];
}

/** GetResourceReplicas; null when no pod's use is known, or one has no CPU request. */
export function resourceReplicas(
  current: number,
  pods: readonly Pod[],
  metrics: ReadonlyMap<string, PodMetric>,
  options: CalculatorOptions,
): Recommendation | null {
  const { ready, unready, missing } = groupPods(pods, metrics, options);
  if (ready.length === 0 || pods.some((pod) => requestOf(pod) === 0)) return null;
  const use = new Map(ready.map((pod) => [pod, metrics.get(pod.metadata.uid)!.cpuMillis]));
  const { ratio, utilization } = ratioOf(use, options.target);
  const isUp = unready.length > 0 && ratio > 1;
  if (!isUp && missing.length === 0) {
    const replicas = isTolerable(ratio, options) ? current : Math.ceil(ratio * ready.length);
    return { replicas, utilization };
  }
  // A pod that nothing is known of uses all of its request when pods would go, and nothing when they would come.
  const fallback = Math.max(100, options.target) / 100;
  if (ratio < 1) for (const pod of missing) use.set(pod, requestOf(pod) * fallback);
  if (ratio > 1) for (const pod of missing) use.set(pod, 0);
  if (isUp) for (const pod of unready) use.set(pod, 0);
  const corrected = ratioOf(use, options.target).ratio;
  const turned = (ratio < 1 && corrected > 1) || (ratio > 1 && corrected < 1);
  const replicas = Math.ceil(corrected * use.size);
  const against = (corrected < 1 && replicas > current) || (corrected > 1 && replicas < current);
  const stays = turned || against || isTolerable(corrected, options);
  return { replicas: stays ? current : replicas, utilization };
}

function isTolerable(ratio: number, { toleranceUp, toleranceDown }: CalculatorOptions): boolean {
  return 1 - toleranceDown <= ratio && ratio <= 1 + toleranceUp;
}

/** groupPods: those on their way out, and failed ones, count for nothing. */
function groupPods(
  pods: readonly Pod[],
  metrics: ReadonlyMap<string, PodMetric>,
  options: CalculatorOptions,
): Groups {
  const groups: Groups = { ready: [], unready: [], missing: [] };
  for (const pod of pods) {
    if (pod.metadata.deletionTimestampNs !== null || pod.status.phase === "Failed") continue;
    const metric = metrics.get(pod.metadata.uid);
    if (pod.status.phase === "Pending") groups.unready.push(pod);
    else if (metric === undefined) groups.missing.push(pod);
    else if (isUnready(pod, metric, options)) groups.unready.push(pod);
    else groups.ready.push(pod);
  }
  return groups;
}

/** Young pods, as long as they start: not ready, or measured over a time in which they were not. */
function isUnready(
  { status, metadata }: Pod,
  metric: PodMetric,
  { cpuInitializationNs, initialReadinessDelayNs, nowNs }: CalculatorOptions,
): boolean {
  const { status: isReady, lastTransitionTimeNs } = status.ready;
  const startNs = metadata.creationTimestampNs;
  if (startNs + cpuInitializationNs > nowNs) {
    return !isReady || metric.atNs < lastTransitionTimeNs + metric.windowNs;
  }
  return !isReady && startNs + initialReadinessDelayNs > lastTransitionTimeNs;
}

function requestOf({ spec }: Pod): number {
  return spec.containers.reduce((sum, { requests }) => sum + requests.cpuMillis, 0);
}

/** Utilization is a whole number of per cent, rounded down, and the ratio is that of it. */
function ratioOf(
  use: ReadonlyMap<Pod, number>,
  target: number,
): { readonly ratio: number; readonly utilization: number } {
  let used = 0;
  let requested = 0;
  for (const [pod, cpuMillis] of use) {
    used += cpuMillis;
    requested += requestOf(pod);
  }
  const utilization = Math.floor((used * 100) / requested);
  return { ratio: utilization / target, utilization };
}

/** A change that was made, for policies that allow so much in a period. */
export interface ScaleEvent {
  readonly atNs: SimTimeNs;
  readonly change: number;
}

/** The most replicas that the policies of scaleUp allow now. */
export function scaleUpLimit(
  current: number,
  up: readonly ScaleEvent[],
  down: readonly ScaleEvent[],
  { selectPolicy, policies }: ScalingRules,
  nowNs: SimTimeNs,
): number {
  if (selectPolicy === "Disabled") return current;
  const limits = policies.map(({ type, value, periodNs }) => {
    const start = current - changed(up, periodNs, nowNs) + changed(down, periodNs, nowNs);
    return type === "Pods" ? start + value : Math.ceil(start * (1 + value / 100));
  });
  return selectPolicy === "Min" ? Math.min(...limits) : Math.max(...limits);
}

/** The fewest that those of scaleDown allow. "Max" is the greatest change: the smaller number. */
export function scaleDownLimit(
  current: number,
  up: readonly ScaleEvent[],
  down: readonly ScaleEvent[],
  { selectPolicy, policies }: ScalingRules,
  nowNs: SimTimeNs,
): number {
  if (selectPolicy === "Disabled") return current;
  const limits = policies.map(({ type, value, periodNs }) => {
    const start = current + changed(down, periodNs, nowNs) - changed(up, periodNs, nowNs);
    return type === "Pods" ? start - value : Math.trunc(start * (1 - value / 100));
  });
  return selectPolicy === "Min" ? Math.max(...limits) : Math.min(...limits);
}

function changed(events: readonly ScaleEvent[], periodNs: DurationNs, nowNs: SimTimeNs): number {
  return events
    .filter(({ atNs }) => atNs > nowNs - periodNs)
    .reduce((sum, { change }) => sum + change, 0);
}
