/**
 * The ways in which a simulation refuses to go on.
 *
 * Owns: errors that say who, when and what. Refuses to own: how they are shown (cli/).
 */
import type { SimTimeNs } from "./time.ts";

/** An event was asked for at a time that cannot be, or of a kind that is not. A mistake of the model. */
export class SchedulingError extends Error {
  override readonly name = "SchedulingError";
  readonly kindName: string;
  readonly nowNs: SimTimeNs;
  readonly askedNs: number;

  constructor(kindName: string, nowNs: SimTimeNs, askedNs: number) {
    super(
      `cannot schedule "${kindName}" at ${askedNs} ns: it is ${nowNs} ns now, and a time is an integer ` +
        `from now to 2^53 - 1`,
    );
    this.kindName = kindName;
    this.nowNs = nowNs;
    this.askedNs = askedNs;
  }
}

/** An event's handler threw. `cause` is what it threw. */
export class SimulationFault extends Error {
  override readonly name = "SimulationFault";
  /** Simulated time of the event. */
  readonly atNs: SimTimeNs;
  /** Name of the event's kind. */
  readonly kindName: string;

  constructor(cause: unknown, atNs: SimTimeNs, kindName: string, seed: string) {
    const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    super(`at ${atNs} ns, event "${kindName}", seed "${seed}": ${reason}`, { cause });
    this.atNs = atNs;
    this.kindName = kindName;
  }

  /** Wraps what a handler threw, once. */
  static wrap(cause: unknown, atNs: SimTimeNs, kindName: string, seed: string): SimulationFault {
    return cause instanceof SimulationFault
      ? cause
      : new SimulationFault(cause, atNs, kindName, seed);
  }
}
