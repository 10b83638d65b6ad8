/**
 * A container's restart policy.
 *
 * Owns: whether a container that exited is started again, and after what wait. Source: moby
 * daemon/internal/restartmanager; timings §8.
 */
import type { DurationNs } from "../engine/index.ts";
import type { RestartPolicy } from "./contract.ts";
import type { DockerProfile } from "./profile.ts";

export class RestartManager {
  readonly #policy: RestartPolicy;
  readonly #profile: DockerProfile;
  /** The last wait; 0 before the first. */
  #waitNs = 0;
  #restarts = 0;

  constructor(policy: RestartPolicy, profile: DockerProfile) {
    this.#policy = policy;
    this.#profile = profile;
  }

  /**
   * The wait before the next start; null: it stays down.
   * @param stopped somebody stopped or killed it by hand
   */
  waitNs(exitCode: number, stopped: boolean, ranNs: DurationNs): DurationNs | null {
    const { restartBackoffBaseNs, restartBackoffMaxNs, restartResetNs } = this.#profile;
    if (ranNs >= restartResetNs) this.#waitNs = 0;
    this.#waitNs =
      this.#waitNs === 0 ? restartBackoffBaseNs : Math.min(2 * this.#waitNs, restartBackoffMaxNs);
    if (stopped || !this.#wants(exitCode)) return null;
    this.#restarts++;
    return this.#waitNs;
  }

  #wants(exitCode: number): boolean {
    const { name, maximumRetryCount } = this.#policy;
    if (name !== "on-failure") return name !== "no";
    return exitCode !== 0 && (maximumRetryCount === null || this.#restarts < maximumRetryCount);
  }
}
