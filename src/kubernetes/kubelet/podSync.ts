/**
 * One sync of a pod that is to run: which of its containers to kill and which to start.
 *
 * Owns: computePodActions and its carrying out, one container after the other. Refuses to own: when a
 * pod is synced, its sandbox and its end (podWorker.ts). Source: pkg/kubelet/kuberuntime/
 * kuberuntime_manager.go computePodActions, SyncPod, computeInitContainerActions.
 */
import type { DurationNs } from "../../engine/index.ts";
import type { PodSpec } from "../api/types.ts";
import type { Container } from "./container.ts";
import { killContainer } from "./killing.ts";
import type { PodContainers } from "./podStatus.ts";

/** How a sync ended. backoffNs: the shortest back-off that a container waits for; null: none does. */
export interface SyncResult {
  readonly failed: boolean;
  readonly backoffNs: DurationNs | null;
}

/**
 * @param current false once the pod has been told to go: nothing of this sync counts any more
 * @param killing told of each container that is killed for a failed probe
 */
export function syncContainers(
  spec: PodSpec,
  containers: PodContainers,
  current: () => boolean,
  killing: (container: Container) => void,
  done: (result: SyncResult) => void,
): void {
  const { init, main } = containers;
  const victims = [...init, ...main].filter(
    (each) => each.seen === "running" && each.running && each.probes.failed !== null,
  );
  // What is killed now is not in back-off for that: the worker has yet to see the exit.
  const toStart = startsOf(spec, containers, victims);
  let failed = false;
  let backoffNs: DurationNs | null = null;
  const start = (container: Container, next: () => void): void => {
    const leftNs = container.backoffLeftNs();
    if (leftNs > 0) {
      container.waiting = "CrashLoopBackOff";
      backoffNs = Math.min(backoffNs ?? Infinity, leftNs);
      next();
      return;
    }
    container.start((error) => {
      failed ||= error !== null;
      next();
    });
  };
  const kill = (container: Container, next: () => void): void => {
    killing(container);
    const graceNs =
      container.probes.failed?.terminationGracePeriodNs ?? spec.terminationGracePeriodNs;
    killContainer(container, graceNs, null, current, next);
  };
  inTurn(victims, kill, current, () =>
    inTurn(toStart, start, current, () => done({ failed, backoffNs })),
  );
}

function inTurn(
  containers: readonly Container[],
  step: (container: Container, next: () => void) => void,
  current: () => boolean,
  done: () => void,
): void {
  const at = (index: number): void => {
    if (!current()) return;
    const container = containers[index];
    if (container === undefined) done();
    else step(container, () => at(index + 1));
  };
  at(0);
}

function startsOf(
  spec: PodSpec,
  { init, main }: PodContainers,
  victims: readonly Container[],
): Container[] {
  const restarts = spec.restartPolicy !== "Never";
  const starts = victims.filter((each) => restarts || each.isSidecar);
  for (const container of init) {
    const state = victims.includes(container) ? "running" : container.seen;
    if (container.isSidecar) {
      if (state !== "running" && !container.running) starts.push(container);
      if (!container.started) return starts;
    } else if (state === "exited" && container.seenExit!.code === 0) {
      continue;
    } else {
      const isFree = state !== "running" && !container.running;
      if (isFree && (state === "created" || restarts)) starts.push(container);
      return starts;
    }
  }
  return [...starts, ...main.filter((each) => isToStart(each, spec))];
}

/** ShouldContainerBeRestarted. */
function isToStart(container: Container, { restartPolicy }: PodSpec): boolean {
  if (container.running || container.seen === "running") return false;
  if (container.seen === "created" || restartPolicy === "Always") return true;
  return restartPolicy === "OnFailure" && container.seenExit!.code !== 0;
}
