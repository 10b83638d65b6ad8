/** The faults there are: one line each. Their words are ../scenario/faults. */
import type { FaultContext, FaultScheduler } from "./contract.ts";
import { flushConntrack } from "./flushConntrack.ts";
import { netem } from "./netem.ts";
import { partition } from "./partition.ts";
import { resetContainer } from "./resetContainer.ts";
import { resetPods } from "./resetPods.ts";
import { stealCpu } from "./stealCpu.ts";

const members = {
  flushConntrack,
  netem,
  partition,
  resetContainer,
  resetPods,
  stealCpu,
};

type SpecOf<Scheduler> = Scheduler extends FaultScheduler<infer Spec> ? Spec : never;

export type FaultSpec = SpecOf<(typeof members)[keyof typeof members]>;

/** Refuses a member under another name than its kind. */
const schedulers: {
  readonly [K in FaultSpec["kind"]]: FaultScheduler<Extract<FaultSpec, { kind: K }>>;
} = members;

/** Puts every fault of a scenario on the clock. */
export function scheduleFaults(faults: readonly FaultSpec[], context: FaultContext): void {
  for (const [index, fault] of faults.entries()) {
    schedule(fault, context, `${index}/${fault.kind}`);
  }
}

function schedule<K extends FaultSpec["kind"]>(
  fault: Extract<FaultSpec, { kind: K }>,
  context: FaultContext,
  name: string,
): void {
  schedulers[fault.kind as K](fault, context, name);
}
