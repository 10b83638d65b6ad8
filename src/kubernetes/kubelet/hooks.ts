/**
 * Lifecycle hooks: postStart and preStop.
 *
 * Owns: running one and how long it takes. Refuses to own: when, and what its failure means. A sleep is
 * the kubelet's own; an exec is a process in the container, dies with it and costs its CPU; an httpGet is
 * traffic from the node. Source: pkg/kubelet/lifecycle/handlers.go; timings §1.3.
 */
import { Phase, type DurationNs } from "../../engine/index.ts";
import type { LifecycleHandler } from "../api/types.ts";
import type { Container } from "./container.ts";

/** @param limitNs when it is broken off; Infinity for never. @param done called once */
export function runHook(
  container: Container,
  handler: LifecycleHandler,
  limitNs: DurationNs,
  done: (success: boolean) => void,
): void {
  const { clock, profile, prober, node, sandbox } = container.context;
  const once = onlyOnce(done);
  if (limitNs < Infinity) clock.after(limitNs, Phase.start, () => once(false));
  switch (handler.kind) {
    case "sleep":
      clock.after(handler.durationNs, Phase.start, () => once(true));
      return;
    case "exec": {
      const { run } = container;
      container.exec(profile.execCpuNs, (ran) => {
        if (!ran || container.run !== run) once(false);
        else clock.after(handler.sleepNs, Phase.start, () => once(true));
      });
      container.whenGone(() => once(false));
      return;
    }
    case "httpGet": {
      // The client has no time-out of its own (handlers.go: http.Client{}): the kernel's ends it.
      const timeoutNs = Math.min(limitNs, profile.hookTimeoutNs);
      prober.probe(node, sandbox()!, handler, timeoutNs, clock.hears(once));
    }
  }
}

function onlyOnce(done: (success: boolean) => void): (success: boolean) => void {
  let isDone = false;
  return (success) => {
    if (isDone) return;
    isDone = true;
    done(success);
  };
}
