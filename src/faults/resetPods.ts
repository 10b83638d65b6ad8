/**
 * Pod resets: delete, crash or force-delete some of the pods that match, once or as a storm.
 *
 * Owns: which pods are drawn and when. What a reset does is the API server's, the kubelet's and the
 * process' own affair.
 */
import { Phase, type DurationNs, type SimTimeNs } from "../engine/index.ts";
import { objectKey, type Pod } from "../kubernetes/api/types.ts";
import type { FaultContext, FaultScheduler } from "./contract.ts";
import { runningPods, type PodTargets } from "./pods.ts";

export interface ResetPodsSpec extends PodTargets {
  readonly kind: "resetPods";
  /** How many of the matching pods, drawn without replacement each time. */
  readonly amount:
    | { readonly kind: "count"; readonly count: number }
    | { readonly kind: "fraction"; readonly fraction: number };
  /**
   * delete: `kubectl delete pod`. crash: the main process exits and restarts in place, same address.
   * kill: `kubectl delete pod --grace-period=0 --force`. sigkill: `kill -9` of the main process on its node. oom: the
   * kernel does that because of its memory. evict: the
   * eviction API, which a PodDisruptionBudget may refuse.
   */
  readonly how: "delete" | "crash" | "kill" | "sigkill" | "oom" | "evict";
  readonly atNs: SimTimeNs;
  /** Repeats: `times` in all, `everyNs` apart. */
  readonly everyNs: DurationNs;
  readonly times: number;
}

/** Exit code of a process that aborted itself: 128 + SIGABRT. */
export const EXIT_ABORTED = 134;

export const resetPods: FaultScheduler<ResetPodsSpec> = (spec, context, name) => {
  for (let i = 0; i < spec.times; i++) {
    context.sim.callAt(spec.atNs + i * spec.everyNs, Phase.start, () =>
      strike(spec, context, name),
    );
  }
};

function strike(spec: ResetPodsSpec, context: FaultContext, name: string): void {
  const stream = context.sim.streams.get(`fault/${name}`);
  const matching = runningPods(context.pods, spec);
  const wanted =
    spec.amount.kind === "count"
      ? spec.amount.count
      : Math.round(spec.amount.fraction * matching.length);
  for (let drawn = 0; drawn < wanted && matching.length > 0; drawn++) {
    const [pod] = matching.splice(stream.below(matching.length), 1);
    reset(pod!, spec, context);
  }
}

function reset(pod: Pod, spec: ResetPodsSpec, context: FaultContext): void {
  const { sim, observations, api } = context;
  const { uid } = pod.metadata;
  switch (spec.how) {
    case "delete":
      api.delete("Pod", objectKey(pod), { uid });
      break;
    case "kill":
      api.delete("Pod", objectKey(pod), { uid, gracePeriodNs: 0 });
      break;
    case "crash":
      // Where nothing runs, as while a container restarts, nothing crashes.
      if (!context.crash(pod)) return;
      break;
    case "sigkill":
      if (!context.sigkill(pod)) return;
      break;
    case "oom":
      if (!context.oomKill(pod)) return;
      break;
    case "evict":
      evict(pod, context);
      return;
  }
  observations.event(sim.nowNs, "pod_reset", `pod/${objectKey(pod)}`, spec.how);
}

/** Asks once. @param done later: the budget is spent for now */
export function evict(
  pod: Pod,
  { api, observations, sim }: FaultContext,
  options: { readonly gracePeriodNs?: DurationNs | null } = {},
  done: (answer: "goes" | "later" | "refused") => void = () => {},
): void {
  const object = `pod/${objectKey(pod)}`;
  api.evict(objectKey(pod), options, (_stored, error) => {
    if (error === null) observations.event(sim.nowNs, "pod_reset", object, "evict");
    else observations.event(sim.nowNs, "eviction_refused", object, error);
    done(error === null ? "goes" : error === "TooManyRequests" ? "later" : "refused");
  });
}
