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

/** What the API server answers a command of kubectl: an error is an event, as kubectl prints it. */
export function answered(
  { sim, observations }: FaultContext,
  { kind, workload }: { readonly kind: string; readonly workload: WorkloadName },
): (object: unknown, error: WriteError | null) => void {
  return (_object, error) => {
    if (error !== null)
      observations.event(sim.nowNs, "fault_refused", workload.text, `${kind}: ${error}`);
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
