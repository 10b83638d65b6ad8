/**
 * Stopping a container: preStop, its turn, SIGTERM, SIGKILL.
 *
 * Owns: how the grace period is used up, and that sidecars go after the others, the last first. Refuses
 * to own: why a container is stopped. Source: pkg/kubelet/kuberuntime/kuberuntime_container.go
 * killContainer, kuberuntime_termination_order.go; timings §1.3.
 */
import { Phase, seconds, type DurationNs } from "../../engine/index.ts";
import type { Container } from "./container.ts";
import { runHook } from "./hooks.ts";

const NS_PER_SECOND = seconds(1);

/** Grace periods are whole seconds: a part of one that was used up is given back. */
function wholeSeconds(ns: DurationNs): DurationNs {
  return ns - (ns % NS_PER_SECOND);
}

/**
 * @param order whose turn it is, when a whole pod goes
 * @param current false once another call has taken over with a shorter grace
 * @param gone called when it has ended and its hook is over
 */
export function killContainer(
  container: Container,
  graceNs: DurationNs,
  order: TerminationOrder | null,
  current: () => boolean,
  gone: () => void,
): void {
  if (!container.running) {
    order?.ended(container);
    gone();
    return;
  }
  const { clock } = container.context;
  preStop(container, graceNs, current, (usedNs) => {
    const leftNs = graceNs - wholeSeconds(usedNs);
    const stop = (waitedNs: DurationNs): void => {
      if (!current()) return;
      signalAndWait(container, leftNs - wholeSeconds(waitedNs), current, () => {
        order?.ended(container);
        gone();
      });
    };
    if (order === null) stop(0);
    else order.waitForTurn(container, leftNs, clock, stop);
  });
}

function preStop(
  container: Container,
  graceNs: DurationNs,
  current: () => boolean,
  done: (usedNs: DurationNs) => void,
): void {
  const handler = container.spec.preStop ?? null;
  const { sim } = container.context;
  if (handler === null || graceNs <= 0) {
    done(0);
    return;
  }
  container.context.event("pre_stop", container.spec.name);
  const beganNs = sim.nowNs;
  runHook(container, handler, graceNs, () => {
    if (current()) done(sim.nowNs - beganNs);
  });
}

function signalAndWait(
  container: Container,
  graceNs: DurationNs,
  current: () => boolean,
  gone: () => void,
): void {
  const { clock, profile } = container.context;
  if (!container.running) {
    gone();
    return;
  }
  const { run } = container;
  container.whenGone(() => {
    if (current()) gone();
  });
  container.signal("SIGTERM");
  clock.after(Math.max(profile.minimumGraceNs, graceNs), Phase.timeout, () => {
    if (container.run === run && current()) container.signal("SIGKILL");
  });
}

/** Who has to end before whom: main containers first, then sidecars, the last first. */
export class TerminationOrder {
  readonly #before = new Map<Container, Set<Container>>();
  readonly #ended = new Set<Container>();
  readonly #waiting: { readonly container: Container; readonly go: () => void }[] = [];

  constructor(initContainers: readonly Container[], containers: readonly Container[]) {
    const earlier = [...containers];
    for (const sidecar of initContainers.filter(({ isSidecar }) => isSidecar).toReversed()) {
      this.#before.set(sidecar, new Set(earlier));
      earlier.push(sidecar);
    }
  }

  /** Calls `turn` when all that go before it have ended, or when its grace is over. */
  waitForTurn(
    container: Container,
    graceNs: DurationNs,
    clock: Container["context"]["clock"],
    turn: (waitedNs: DurationNs) => void,
  ): void {
    const { sim } = container.context;
    const beganNs = sim.nowNs;
    let isTaken = false;
    const go = (): void => {
      if (isTaken) return;
      isTaken = true;
      turn(sim.nowNs - beganNs);
    };
    if (this.#isFree(container)) {
      go();
      return;
    }
    this.#waiting.push({ container, go });
    clock.after(Math.max(0, graceNs), Phase.start, go);
  }

  ended(container: Container): void {
    this.#ended.add(container);
    for (const { container: other, go } of this.#waiting) if (this.#isFree(other)) go();
  }

  #isFree(container: Container): boolean {
    for (const each of this.#before.get(container) ?? []) if (!this.#ended.has(each)) return false;
    return true;
  }
}
