/**
 * What a kubelet says of a pod, made of what it has seen of the containers.
 *
 * Owns: phase, readiness and container statuses. Refuses to own: when it is written (statusManager.ts).
 * Source: pkg/kubelet/kubelet_pods.go getPhase, generateAPIPodStatus.
 */
import type { ContainerStatus, PodPhase, PodSpec, PodStatus } from "../api/types.ts";
import type { Container } from "./container.ts";

export interface PodContainers {
  readonly init: readonly Container[];
  readonly main: readonly Container[];
}

/** getPhase, of a pod whose containers may still start. */
export function podPhase({ restartPolicy }: PodSpec, { init, main }: PodContainers): PodPhase {
  if (init.some((each) => isPending(each))) return "Pending";
  const failed = init.some((each) => each.seen === "exited" && each.seenExit!.code !== 0);
  if (failed && restartPolicy === "Never") return "Failed";
  if (main.some(({ seen }) => seen === "created")) return "Pending";
  if (main.some(({ seen }) => seen === "running")) return "Running";
  if (restartPolicy === "Always") return "Running";
  if (main.every(({ seenExit }) => seenExit!.code === 0)) return "Succeeded";
  return restartPolicy === "Never" ? "Failed" : "Running";
}

/** Whether an init container keeps the pod from being initialised. */
function isPending(container: Container): boolean {
  if (container.isSidecar) return !container.started;
  return container.seen !== "exited";
}

/** The phase of a pod whose containers have stopped for good. */
export function finalPhase({ main }: PodContainers): PodPhase {
  return main.every(({ lastExit }) => lastExit?.code === 0) ? "Succeeded" : "Failed";
}

export function allReady({ init, main }: PodContainers): boolean {
  return (
    main.length > 0 &&
    main.every(({ ready }) => ready) &&
    init.every((each) => !each.isSidecar || each.ready)
  );
}

export function containerStatuses({ init, main }: PodContainers): ContainerStatus[] {
  return [...init, ...main].map((container) => container.status());
}

/** Whether there is nothing new in `now`: an equal status is not written again. */
export function sameStatus(was: PodStatus, now: PodStatus): boolean {
  return (
    was.phase === now.phase &&
    was.ready.status === now.ready.status &&
    was.restartCount === now.restartCount &&
    was.reason === now.reason &&
    was.podIPs.join() === now.podIPs.join() &&
    // A pod at rest has none: what its other fields say is all there is to them.
    (was.containerStatuses === undefined ||
      sameContainers(was.containerStatuses, now.containerStatuses ?? []))
  );
}

function sameContainers(was: readonly ContainerStatus[], now: readonly ContainerStatus[]): boolean {
  return was.every((left, i) => {
    const right = now[i]!;
    return (
      left.state === right.state &&
      left.reason === right.reason &&
      left.ready === right.ready &&
      left.started === right.started &&
      left.restartCount === right.restartCount &&
      left.exitCode === right.exitCode
    );
  });
}
