/**
 * CrashLoopBackOff: how long a container that ended has to wait.
 *
 * Owns: the ladder and its reset. Refuses to own: when the pod's worker wakes up for it. Source:
 * kuberuntime_manager.go doBackOff, client-go util/flowcontrol/backoff.go; timings §1.4.
 */
import type { DurationNs, SimTimeNs } from "../../engine/index.ts";

export interface BackoffLimits {
  readonly crashBackoffBaseNs: DurationNs;
  readonly crashBackoffMaxNs: DurationNs;
  readonly crashBackoffResetNs: DurationNs;
}

/** An exit, as far as back-off cares. */
interface Ended {
  readonly atNs: SimTimeNs;
}

export class CrashBackoff {
  readonly #limits: BackoffLimits;
  /** 0: no entry. */
  #backoffNs: DurationNs = 0;
  #updatedNs: SimTimeNs = 0;

  constructor(limits: BackoffLimits) {
    this.#limits = limits;
  }

  /** IsInBackOffSince: what is left of the wait since the exit. */
  leftNs(exit: Ended | null, nowNs: SimTimeNs): DurationNs {
    if (exit === null || this.#backoffNs === 0 || this.#isExpired(exit)) return 0;
    return Math.max(0, exit.atNs + this.#backoffNs - nowNs);
  }

  /** Next: it starts after that exit. The first restart leaves an entry of the base, each other doubles it. */
  starts(exit: Ended | null, nowNs: SimTimeNs): void {
    if (exit === null) return;
    const { crashBackoffBaseNs, crashBackoffMaxNs } = this.#limits;
    const isNew = this.#backoffNs === 0 || this.#isExpired(exit);
    this.#backoffNs = isNew ? crashBackoffBaseNs : Math.min(crashBackoffMaxNs, 2 * this.#backoffNs);
    this.#updatedNs = nowNs;
  }

  /** HasExpiredFunc: it ran for long after it was last started. */
  #isExpired({ atNs }: Ended): boolean {
    return atNs - this.#updatedNs > this.#limits.crashBackoffResetNs;
  }
}
