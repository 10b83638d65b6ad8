/**
 * How long a fault lasts: from when until when, or for ever.
 *
 * Owns: beginning and ending on the clock, and the two lines in the event log. A fault begins in phase `start`,
 * after all else at its instant, and ends in phase `topology`, before what arrives or gives up then: of two faults
 * that meet at one instant the first is over when the second begins (docs/order-of-events.md).
 */
import { Phase, type SimTimeNs } from "../engine/index.ts";
import type { FaultContext } from "./contract.ts";

export interface Span {
  readonly atNs: SimTimeNs;
  /** null: it is never repaired. */
  readonly endNs: SimTimeNs | null;
}

/**
 * @param fault its kind and what it strikes, as the event log names them
 * @param begin returns what ends it
 */
export function during(
  { sim, observations }: FaultContext,
  { atNs, endNs }: Span,
  fault: { readonly kind: string; readonly object: string },
  begin: () => () => void,
): void {
  sim.callAt(atNs, Phase.start, () => {
    observations.event(sim.nowNs, "fault_began", fault.object, fault.kind);
    const end = begin();
    if (endNs === null) return;
    sim.callAt(endNs, Phase.topology, () => {
      observations.event(sim.nowNs, "fault_ended", fault.object, fault.kind);
      end();
    });
  });
}
