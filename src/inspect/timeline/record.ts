/**
 * A pod's life as plain data: what `-o json` prints.
 *
 * Owns: the record and the names of its stages. Times are instants of the run.
 */
import type { SimTimeNs } from "../../engine/index.ts";

/** What happens in a life, in the order of one that is deleted with grace. */
export type LifeStage =
  | "at rest"
  | "created"
  | "nominated"
  | "scheduled"
  | "sandbox created"
  | "container started"
  | "ready"
  | "not ready"
  | "in slice"
  | "in force on the first node"
  | "in force on the last node"
  | "in Endpoints"
  | "off Endpoints"
  | "preempted"
  | "told to go"
  | "preStop"
  | "SIGTERM"
  | "SIGKILL"
  | "container exited"
  | "sandbox removed"
  | "not ready in slice"
  | "off the first node"
  | "off the last node"
  | "removed from slice"
  | "object gone";

export interface LifeStep {
  readonly atNs: SimTimeNs;
  readonly stage: LifeStage;
  /** The Service concerned, the node, the container: whatever there is to add; else empty. */
  readonly detail: string;
}

export interface PodLife {
  /** "namespace/name". */
  readonly pod: string;
  /** Empty before it has one. */
  readonly node: string;
  /** "ip:port" as an endpoint of each Service. */
  readonly endpoints: readonly { readonly service: string; readonly endpoint: string }[];
  readonly steps: readonly LifeStep[];
}

export interface Timeline {
  readonly scenario: string;
  readonly seed: string;
  /** Until when the run was followed. */
  readonly untilNs: SimTimeNs;
  readonly pods: readonly PodLife[];
}
