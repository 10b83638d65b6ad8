/** A workload as a fault names it, and the event log's word for what a user does to it. */
import { Phase, type SimTimeNs } from "../engine/index.ts";
import type { WriteError } from "../kubernetes/api/contract.ts";
import type { FaultContext } from "./contract.ts";

export interface WorkloadName {
  /** "Deployment" and the like. */
  readonly kind: string;
  /** namespace/name. */
  readonly key: string;
  /** As the author named it: "deploy/web". */
  readonly text: string;
}

/** A fault that is a command about a workload. */
interface WorkloadFault {
  readonly kind: string;
  readonly workload: WorkloadName;
}

/** The command has failed: an event, as kubectl prints it. */
export function refused(
  { sim, observations }: FaultContext,
  { kind, workload }: WorkloadFault,
  reason: string,
): void {
  observations.event(sim.nowNs, "fault_refused", workload.text, `${kind}: ${reason}`);
}

/** What hears the API server's answer to a command of kubectl. */
export function answered(
  context: FaultContext,
  fault: WorkloadFault,
): (object: unknown, error: WriteError | null) => void {
  return (_object, error) => {
    if (error !== null) refused(context, fault, error);
  };
}

/** A command of kubectl, at one time. */
export function command(
  { sim, observations }: FaultContext,
  fault: { readonly kind: string; readonly atNs: SimTimeNs; readonly workload: WorkloadName },
  act: () => void,
): void {
  sim.callAt(fault.atNs, Phase.start, () => {
    observations.event(sim.nowNs, "fault", fault.workload.text, fault.kind);
    act();
  });
}
