/** The faults there are: one line each. */
import type { FaultContext } from "./contract.ts";
import { resetPods, type ResetPodsSpec } from "./resetPods.ts";

export type FaultSpec = ResetPodsSpec;

const schedulers: {
  readonly [K in FaultSpec["kind"]]: (
    spec: Extract<FaultSpec, { kind: K }>,
    context: FaultContext,
    name: string,
  ) => void;
} = {
  resetPods,
};

/** Puts every fault of a scenario on the clock. */
export function scheduleFaults(faults: readonly FaultSpec[], context: FaultContext): void {
  for (const [index, fault] of faults.entries()) {
    schedulers[fault.kind](fault, context, `${index}/${fault.kind}`);
  }
}
