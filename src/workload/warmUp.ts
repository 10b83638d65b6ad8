/**
 * A server process that is slow at first: code that is not compiled yet, caches that are empty.
 *
 * Owns: how many times as long a service takes, from `factor` when the process begins to listen evenly down to
 * once, after so many requests or after so long. Refuses to own: the service time (server.ts). Probes warm
 * nothing and are not stretched: they are answered from memory.
 */
import type { DurationNs, SimTimeNs } from "../engine/index.ts";

export interface WarmUpSpec {
  /** How many times as long the first request takes. */
  readonly factor: number;
  /** Requests served until it is warm; null: time makes it warm. */
  readonly requests: number | null;
  /** Time from its listening until it is warm; null: requests make it warm. */
  readonly timeNs: DurationNs | null;
}

export class WarmUp {
  readonly #spec: WarmUpSpec;
  #sinceNs: SimTimeNs = 0;
  #served = 0;

  constructor(spec: WarmUpSpec) {
    this.#spec = spec;
  }

  listens(nowNs: SimTimeNs): void {
    this.#sinceNs = nowNs;
  }

  /** A request's service begins: what it takes of a process as warm as this one. */
  stretched(serviceNs: DurationNs, nowNs: SimTimeNs): DurationNs {
    const { factor, requests, timeNs } = this.#spec;
    const done = requests === null ? (nowNs - this.#sinceNs) / timeNs! : this.#served++ / requests;
    return done >= 1 ? serviceNs : Math.round(serviceNs * (factor - (factor - 1) * done));
  }
}
